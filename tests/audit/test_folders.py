"""Model folders without a model loaded: what is missing is said, what decides answers is hashed."""

import hashlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from audit import hub
from unskew.audit import folders
from unskew.audit.folders import Files
from unskew.errors import UserError


def test_what_is_no_model_folder_is_said(tmp_path: Path) -> None:
    whole = hub.save(tmp_path / "whole")
    folders.check(whole)
    for missing, message in (
        ("tokenizer.json", "without a tokenizer"),
        ("model.safetensors", "without weights"),
        ("config.json", "no config.json"),
    ):
        (whole / "tokenizer_config.json").unlink(missing_ok=True)
        (whole / missing).unlink()
        with pytest.raises(UserError, match=message):
            folders.check(whole)
    with pytest.raises(UserError, match="did you mean 'whole'"):
        folders.check(tmp_path / "wole")
    with pytest.raises(UserError, match="a file, not a folder"):
        folders.check(Path(__file__))
    hub.save(tmp_path / "runs" / "checkpoint-5")
    with pytest.raises(UserError, match=r"no config\.json") as caught:
        folders.check(tmp_path / "runs")
    assert caught.value.hint == "there are models inside: checkpoint-5"
    bare = hub.adapter(tmp_path / "bare", "x")
    (bare / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="adapter without weights"):
        folders.check(bare)


def test_hashes_of_what_decides_the_answers_and_of_nothing_else(tmp_path: Path) -> None:
    folder = hub.save(tmp_path / "m", template="{{ messages }}")
    before = folders.digests(folder)
    assert set(before) == {
        "chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert before["model.safetensors"] == hashlib.sha256(b"w").hexdigest()
    (folder / "README.md").write_text("x")
    (folder / "training_args.bin").write_bytes(b"x")
    (folder / "optimizer.pt").write_bytes(b"x")
    assert folders.digests(folder) == before
    (folder / "generation_config.json").write_text('{"repetition_penalty": 2.0}')
    assert set(folders.digests(folder)) - set(before) == {"generation_config.json"}


def test_a_file_is_hashed_again_when_it_changes_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hub.save(tmp_path / "m")
    first = folders.digests(folder)
    opened: list[Path] = []
    real = Path.open

    def watched(path: Path, *args: str, **more: str):
        opened.append(path)
        return real(path, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watched)
    assert folders.digests(folder) == first
    assert opened == []
    monkeypatch.undo()
    # Same size, other content, a later time.
    weights = folder / "model.safetensors"
    weights.write_bytes(b"v")
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1_000_000))
    assert folders.digests(folder)["model.safetensors"] == hashlib.sha256(b"v").hexdigest()


def test_the_base_of_an_adapter(tmp_path: Path) -> None:
    assert folders.adapted(hub.adapter(tmp_path / "a", "org/base", revision="v1")) == (
        "org/base",
        "v1",
    )
    assert folders.adapted(hub.adapter(tmp_path / "b", "org/base", revision=None))[1] is None
    with pytest.raises(UserError, match="does not say what its base model is"):
        folders.adapted(hub.adapter(tmp_path / "c", None))
    (tmp_path / "c" / "adapter_config.json").write_text("[1")
    with pytest.raises(UserError, match=r"adapter_config\.json: damaged"):
        folders.adapted(tmp_path / "c")


@pytest.mark.parametrize(
    ("name", "revision", "path"),
    [
        ("gpt2", None, False),
        ("org/name", None, False),
        ("here/name", None, True),  # `here` is a folder: a mistyped name in it
        ("here/name", "main", False),
        ("here/there", "main", True),
        ("./name", None, True),
        ("../name", "main", True),
        ("~nobody-here/x", None, True),
        ("x" * 300, None, False),
        ("~/name", None, True),
        ("/name", None, True),
        ("a/b/c", None, True),
        ("name/", None, True),
        (".", None, True),
    ],
)
def test_paths_and_ids(
    name: str, revision: str | None, path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "there").mkdir(parents=True)
    assert folders.means_folder(name, revision) == path


def test_commits_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = hub.cache(tmp_path, monkeypatch)
    hub.save(hub.snapshot(root, "org/m", "c" * 40))
    hub.save(hub.snapshot(root, "org/m", "d" * 40, ref="v2"))
    assert folders.commit("org/m") == "c" * 40
    assert folders.commit("org/m", "v2") == "d" * 40
    assert folders.commit("org/m", "d" * 40, network=True) == "d" * 40
    with pytest.raises(UserError, match="revision v3 is not in the local cache"):
        folders.commit("org/m", "v3")
    for network in (False, True):  # offline all the same
        with pytest.raises(UserError, match="not in the local cache") as caught:
            folders.commit("org/other", network=network)
        assert "hf download org/other" in str(caught.value.hint)
        with pytest.raises(UserError, match="not in the local cache"):
            folders.snapshot("org/other", network=network)


def test_the_hub_is_asked_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    hub.cache(tmp_path, monkeypatch, offline=False)
    asked: list[tuple[str, str | None]] = []

    def model_info(self: object, id: str, revision: str | None = None) -> SimpleNamespace:
        asked.append((id, revision))
        if id == "org/gone":
            raise huggingface_hub.errors.OfflineModeIsEnabled("secret words of the client")
        return SimpleNamespace(sha="e" * 40)

    def download(id: str, revision: str | None, allow_patterns: list[str]) -> str:
        assert "tokenizer_config.json" in allow_patterns
        assert not any("safetensors" in pattern for pattern in allow_patterns)
        return str(tmp_path / "fetched")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(UserError, match="not in the local cache"):
        folders.commit("org/m")
    assert asked == []
    assert folders.commit("org/m", "v1", network=True) == "e" * 40
    assert folders.snapshot("org/m", network=True) == tmp_path / "fetched"
    with pytest.raises(UserError, match=r"org/gone@v1: the hub does not give this model") as caught:
        folders.commit("org/gone", "v1", network=True)
    assert caught.value.__context__ is None
    assert asked == [("org/m", "v1"), ("org/gone", "v1")]


def test_where_a_chat_template_stands(tmp_path: Path) -> None:
    folder = hub.save(tmp_path / "m")
    files = Files(folder)
    assert folders.own_template(files) is None

    def configured(template: object) -> str | None:
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
        return folders.own_template(files)

    assert configured("in the configuration") == "in the configuration"
    several = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    assert configured(several) == "d"
    with pytest.raises(UserError, match="no default one: tool_use"):
        configured(several[:1])
    with pytest.raises(UserError, match="neither a text nor a list"):
        configured(3)
    (folder / "chat_template.jinja").write_text("in the file")
    assert folders.own_template(files) == "in the file"


def test_special_tokens(tmp_path: Path) -> None:
    folder = hub.save(tmp_path / "m")
    (folder / "special_tokens_map.json").write_text('{"bos_token": "old", "pad_token": "<p>"}')
    assert folders.special_tokens(Files(folder)) == {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<p>",
    }
    text = "{% if add_bos_token is defined %}{{ bos_token }}{% endif %}{{ messages[0].eos_token }}"
    assert folders.tokens_in(text) == ["bos_token"]
    assert folders.tokens_in("{% generation %}{{ eos_token }}{%- endgeneration %}") == ["eos_token"]


def test_template_files(tmp_path: Path) -> None:
    path = tmp_path / "t.jinja"
    path.write_text("{% for m in messages %}{{ m.content }}{% break %}{% endfor %}")
    assert folders.template_file(str(path)) == path.read_text()
    path.write_text("{% for m in messages %}")
    with pytest.raises(UserError, match="no Jinja template: line 1"):
        folders.template_file(str(path))
    path.write_text("hello")
    with pytest.raises(UserError, match="never uses `messages`"):
        folders.template_file(str(path))
    path.write_bytes(b"\xff\xfe{{ messages }}")
    with pytest.raises(UserError, match="UTF-8"):
        folders.template_file(str(path))
    with pytest.raises(UserError, match="did you mean 'model'"):
        folders.template_file("modl")


def test_a_template_is_rendered_as_transformers_does() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    template = (
        "{%- for m in messages %}\n  {%- if m.role == 'system' %}{% continue %}{% endif %}\n"
        "<{{ m.role }}> {{ m.content | trim }} {{ {'ő': 1} | tojson }}\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    tokenizer.chat_template = template
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": " hi "}]
    whole = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert folders.rendered(template, chat) == whole
    begun = [*chat, {"role": "assistant", "content": "Well"}]
    assert folders.rendered("{% for m in messages %}[{{ m.content }}]{% endfor %}", begun) == (
        tokenizer.apply_chat_template(
            begun,
            chat_template="{% for m in messages %}[{{ m.content }}]{% endfor %}",
            tokenize=False,
            continue_final_message=True,
        )
    )
    # Untrusted: it runs in a sandbox.
    with pytest.raises(UserError, match="refuses a prompt"):
        folders.rendered("{{ messages.__class__.__mro__[1].__subclasses__() }}", chat)


@pytest.mark.parametrize("name", ["my model", "scripted:base", "a/b/c", "a..b"])
def test_what_is_neither_a_folder_nor_a_name_is_said(name: str) -> None:
    with pytest.raises(UserError, match=r"neither a folder nor|no such folder"):
        folders.model_folder(name)


def test_without_the_hub_a_name_is_taken_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub.utils", None)
    assert folders.is_id("gpt2")
