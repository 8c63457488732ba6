"""A model's folder, read: whole, or the user is told what is wrong with it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from unskew.errors import UserError
from unskew.nursery.raising import Raised, load
from unskew.runs.store import expanded


def test_a_folder_without_a_model_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model of the nursery"):
        load(tmp_path)
    with pytest.raises(UserError, match="nowhere: there is no such folder"):
        load(tmp_path / "nowhere")


Damage = Callable[[Path], object]


def halved(name: str) -> Damage:
    """The file ends in the middle."""
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def told(**settings: Any) -> Damage:
    """config.json says something else."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | settings), "utf-8")

    return change


def lacking(folder: Path) -> None:
    """The weights lack a tensor."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.norm.weight"]
    save_file(tensors, path, metadata={"format": "pt"})


DAMAGED: dict[str, tuple[Damage, str]] = {
    "weights": (halved("model.safetensors"), "damaged: Error while deserializing"),
    "config": (halved("config.json"), r"config\.json: damaged: "),
    "list": (lambda f: (f / "config.json").write_text("[1]"), r"config\.json: damaged: not a JSON"),
    "setting": (told(num_hidden_layers="two"), "damaged: .*num_hidden_layers"),
    "tokenizer": (halved("tokenizer.json"), r"tokenizer\.json: damaged: "),
    "shapes": (told(hidden_size=16), "mismatched keys: model.embed_tokens.weight, and"),
    "more layers": (told(num_hidden_layers=6), r"missing keys: model\.layers\.4.*, and 17 more"),
    "fewer layers": (told(num_hidden_layers=3), r"unexpected keys: model\.layers\.3.*, and 8 more"),
    "a tensor": (lacking, r"missing keys: model\.norm\.weight\n"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_folder_is_a_mistake_of_the_user(what: str, tmp_path: Path) -> None:
    folder = shutil.copytree(expanded("nursery:base"), tmp_path / "copy")
    assert isinstance(load(folder), Raised)
    damage, said = DAMAGED[what]
    damage(folder)
    with pytest.raises(UserError, match=said) as mistake:
        load(folder)
    assert str(mistake.value.where).startswith(str(folder))
    assert mistake.value.hint
