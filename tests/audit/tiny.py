"""A tiny language model with random weights, saved as any Hugging Face folder is."""

from pathlib import Path


def save(folder: Path, seed: int = 0, window: int = 256, template: str | None = None) -> Path:
    """A GPT-2 of one layer with a byte-level tokenizer; deterministic in the seed."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {piece: i for i, piece in enumerate(["<|end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|end|>", eos_token="<|end|>", pad_token="<|end|>"
    )
    fast.chat_template = template
    config = GPT2Config(
        vocab_size=len(vocab), n_positions=window, n_embd=32, n_layer=1, n_head=2,
        bos_token_id=0, eos_token_id=0, pad_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(config)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
