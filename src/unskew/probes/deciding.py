"""The files of a model's folder that decide its answers: one list, for audits and for probes.

Patterns as of `Path.glob`. It stands alone so that a folder can be hashed without torch.
"""

from __future__ import annotations

__all__ = ["ADAPTER_WEIGHTS", "DECIDING", "TOKENIZERS", "WEIGHTS"]

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
ADAPTER_WEIGHTS = ("adapter_model*.safetensors", "adapter_model*.bin")
TOKENIZERS = (
    "tokenizer.json", "vocab.json", "vocab.txt", "*.model", "tokenizer_config.json",
)  # fmt: skip
DECIDING = (
    *WEIGHTS, *ADAPTER_WEIGHTS, *TOKENIZERS, "tokenizer*", "vocab*", "merges.txt",
    "special_tokens*", "added_tokens.json", "chat_template.jinja", "config.json",
    "generation_config.json", "adapter_config.json", "*.index.json", "*.py",
)  # fmt: skip
"""Weights, configuration, tokenizer, the form of a chat, code that comes along."""
