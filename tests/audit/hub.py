"""Model folders and a cache of the hub made by hand: right names, a few bytes in each file."""

import json
from pathlib import Path

import pytest


def save(
    folder: Path, template: str | None = None, weights: bytes = b"w", bos: str = "<s>"
) -> Path:
    """A folder that looks like a model with its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "tokenizer.json").write_text("{}")
    told = {"bos_token": bos, "eos_token": {"content": "</s>"}, "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def adapter(folder: Path, base: str | None, **more: object) -> Path:
    """A folder that looks like a PEFT adapter."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"base_model_name_or_path": base, **more}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"a")
    return folder


def cache(root: Path, monkeypatch: pytest.MonkeyPatch, offline: bool = True) -> Path:
    """An empty cache in place of the user's."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    return root


def snapshot(root: Path, id: str, commit: str, ref: str = "main") -> Path:
    """Where the files of a cached commit lie; `ref` points to it."""
    repo = root / f"models--{id.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True, exist_ok=True)
    (repo / "refs" / ref).write_text(commit)
    folder = repo / "snapshots" / commit
    folder.mkdir(parents=True, exist_ok=True)
    return folder
