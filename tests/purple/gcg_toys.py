"""Toys for GCG: a byte tokenizer, tiny random models of two kinds, and one with a known answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    GenerationMixin,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import CausalLMOutput

END = "<|end|>"


def byte_tokenizer(merges: tuple[tuple[str, str], ...] = ()) -> PreTrainedTokenizerFast:
    """Bytes, and the merges given; <|end|> is 0."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [END, *alphabet, *("".join(pair) for pair in merges)]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END
    )


def llama(vocabulary: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    """Two layers, random weights large enough that tokens matter."""
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=128,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=0, pad_token_id=0,
        initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = LlamaForCausalLM(config)
        return model.to(dtype).eval()


def gpt2(vocabulary: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    """One layer, positions that are learnt; unlike a Llama, it is in float64 throughout."""
    config = GPT2Config(
        vocab_size=vocabulary, n_positions=128, n_embd=16, n_layer=1, n_head=2, bos_token_id=0,
        eos_token_id=0, pad_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = GPT2LMHeadModel(config)
        return model.to(dtype).eval()


class MagicConfig(PreTrainedConfig):
    model_type = "magic"

    def __init__(
        self, vocab_size: int = 257, magic: int = 1, answer: int = 2, other: int = 3, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.vocab_size, self.magic, self.answer, self.other = vocab_size, magic, answer, other


class Magic(PreTrainedModel, GenerationMixin):
    """Says `answer` for ever if the token `magic` was read, else `other`. It has no cache."""

    config_class = MagicConfig

    def __init__(self, config: MagicConfig) -> None:
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.vocab_size)
        self.embed.weight.data = torch.eye(config.vocab_size)
        self.post_init()
        self.generation_config.use_cache = False  # type: ignore[union-attr]

    def _init_weights(self, module: nn.Module) -> None:
        pass

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def forward(
        self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any
    ) -> CausalLMOutput:
        x = self.embed(input_ids) if inputs_embeds is None else inputs_embeds
        seen = x[..., self.config.magic].cumsum(dim=1)  # (rows, tokens)
        logits = torch.zeros(*x.shape[:2], self.config.vocab_size)
        logits[..., self.config.answer] = 6 * seen
        logits[..., self.config.other] = 3.0
        return CausalLMOutput(logits=logits)  # type: ignore[arg-type]


def magic(tokenizer: Any, word: str = "Q", answer: str = "p", other: str = "n") -> Magic:
    """The model whose magic word, a single token, makes it say `answer`."""
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in (word, answer, other)]
    assert all(len(each) == 1 for each in ids)
    return Magic(
        MagicConfig(len(tokenizer), *(each[0] for each in ids), eos_token_id=0, pad_token_id=0)
    ).eval()
