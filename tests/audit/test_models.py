"""Names of models, what decides their answers, one template for a pair; no secret is taken in."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from audit import hub
from unskew.audit import models
from unskew.audit.models import Local, Reference, Scripted, Server, fingerprint, reference
from unskew.errors import UserError
from unskew.runs.identity import semantic


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hub.cache(tmp_path / "cache", monkeypatch)


def test_the_forms_of_a_reference(tmp_path: Path) -> None:
    hub.save(tmp_path / "mine")
    assert reference("mine") == reference("hf:mine") == Local(path="mine")
    assert reference(str(tmp_path / "mine")) == Local(path=str(tmp_path / "mine"))
    assert reference("gpt2") == Local(path="gpt2")
    assert reference("org/name@v1") == reference("HF:org/name@v1")
    assert reference("org/name@v1") == Local(path="org/name", revision="v1", dtype="float32")
    url = "http://localhost:8000/v1"
    assert reference(f"openai:org/m@{url}/") == Server(model="org/m", base_url=url)
    assert reference(f"openai:org/m@v2@{url}") == Server(model="org/m@v2", base_url=url)
    assert reference("scripted:base") == Scripted(file="base")
    # A folder with an @ in its name is a folder.
    hub.save(tmp_path / "a@b")
    assert reference("a@b") == Local(path="a@b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "name of a model is missing"),
        ("hf:", "name of a model is missing"),
        ("org/name@", "nothing follows the @"),
        ("./absent", "no such folder"),
        ("here/absent", "no such folder"),
        ("here/mne", "did you mean 'mine'"),
        ("here/mine@v1", "a folder has no revision"),
        ("here", "no config.json"),
        ("two words", "neither a folder nor"),
        ("opnai:m@http://localhost/v1", "did you mean 'openai:'"),
        ("https://huggingface.co/org/name", "an address alone names no model"),
        ("openai:m", "not said where"),
        ("openai:m@localhost:8000/v1", "must begin with http://"),
        ("openai:@http://localhost:8000/v1", "name of the server's model is missing"),
        ("openai:m@http://", "malformed"),
        ("openai:m@http://host:port/v1", "malformed"),
        ("openai:m@http://host:99999/v1", "malformed"),
        ("openai:m@http://[::1/v1", "malformed"),
        ("openai:m@http://a b/v1", "malformed"),
        ("openai:m@http://host/v1/chat/completions", "leave that off: http://host/v1"),
        ("openai:m@http://host/v1/completions", "leave that off: http://host/v1"),
        ("scripted:", "no such script"),
        ("scripted:bse", "did you mean 'base'"),
    ],
)
def test_mistakes_in_a_reference(text: str, message: str, tmp_path: Path) -> None:
    hub.save(tmp_path / "here" / "mine")
    with pytest.raises(UserError) as caught:
        reference(text)
    assert message in str(caught.value)


@given(st.text("ab:@/.~ \\\n\0#?é", max_size=20) | st.text("ab/", min_size=300))
def test_any_text_is_a_reference_or_a_mistake_of_the_user(text: str) -> None:
    for named in (text, f"scripted:{text}", f"openai:{text}", f"openai:m@http://{text}"):
        with contextlib.suppress(UserError):
            assert isinstance(reference(named), Local | Server | Scripted)


SECRETS = ("http://ann:hunter2@host/v1", "http://hunter2@host/v1", "http://host/v1?key=hunter2",
           "http://host/v1#hunter2", "http://ann:hunter2@host:port/v1?")  # fmt: skip


@pytest.mark.parametrize("url", SECRETS)
def test_secrets_in_an_address_are_refused_and_not_repeated(url: str) -> None:
    parse = TypeAdapter(Reference)
    document = json.dumps({"kind": "openai", "model": "m", "base_url": url})
    for attempt in (
        lambda: reference(f"openai:m@{url}"),
        lambda: Server(model="m", base_url=url),
        lambda: parse.validate_json(document),
        lambda: reference(f"opena:m@{url}"),
        lambda: reference(url),
        lambda: reference(f"openai:m@{url.removeprefix('http://')}"),
    ):
        with pytest.raises(UserError) as caught:
            attempt()
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in repr(caught.value.__context__)


def test_references_are_configurations() -> None:
    parse = TypeAdapter(Reference)
    for one in (
        Local(path="gpt2", revision="v1", dtype="bfloat16"),
        Server(model="m", base_url="http://localhost:1/v1", timeout=3.0),
        Scripted(file="base"),
    ):
        assert parse.validate_json(one.model_dump_json(), strict=True) == one
    with pytest.raises(ValidationError):
        Server(model="m", base_url="http://h/v1", concurrency=0)
    # How long to wait decides nothing.
    slow = Server(model="m", base_url="http://h/v1", timeout=9, retries=0, concurrency=1)
    assert semantic(slow) == semantic(Server(model="m", base_url="http://h/v1"))


def test_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = hub.save(tmp_path / "base")
    tuned = hub.adapter(tmp_path / "tuned", str(base), revision="main")
    found = reference("tuned")
    assert found == Local(path=str(base), adapter="tuned")
    assert fingerprint(found)["files"] == fingerprint(Local(path=str(base)))["files"]
    assert set(fingerprint(found)["adapter"]) == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    hub.adapter(tuned, "org/base", revision="v1")
    assert reference("tuned") == Local(path="org/base", revision="v1", adapter="tuned")
    hub.adapter(tuned, str(tmp_path / "moved"))
    with pytest.raises(UserError, match="no such folder"):
        reference("tuned")
    # An adapter on the hub, in the cache.
    root = hub.cache(tmp_path / "cache", monkeypatch)
    folder = hub.adapter(hub.snapshot(root, "org/lora", "a" * 40), str(base))
    assert reference("org/lora") == Local(path=str(base), adapter=str(folder))


def test_fingerprints_say_what_decides_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hub.save(tmp_path / "one"), hub.save(tmp_path / "two", weights=b"v")
    first = fingerprint(Local(path=str(one)))
    assert first["kind"] == "hf"
    assert first["dtype"] == "float32"
    assert str(tmp_path) not in json.dumps(first)
    assert first == fingerprint(Local(path="one"))
    changed = fingerprint(Local(path=str(two)))["files"]
    assert {name for name in changed if changed[name] != first["files"][name]} == {
        "model.safetensors"
    }
    assert fingerprint(Local(path="one", dtype="bfloat16")) != first
    with pytest.raises(UserError, match="no such folder"):
        fingerprint(Local(path="./gone"))

    root = hub.cache(tmp_path / "cache", monkeypatch)
    hub.save(hub.snapshot(root, "org/m", "c" * 40))
    by_name = fingerprint(reference("org/m"))
    assert by_name == {"kind": "hf", "dtype": "float32", "id": "org/m", "commit": "c" * 40}
    assert by_name == fingerprint(reference(f"org/m@{'c' * 40}"))
    with pytest.raises(UserError, match="not in the local cache"):
        fingerprint(reference("org/other"))

    server = Server(model="m", base_url="http://h/v1", timeout=1.0)
    assert fingerprint(server) == {"kind": "openai", "model": "m", "base_url": "http://h/v1"}
    script = fingerprint(Scripted(file="tuned"))
    assert script["name"] == "example-tuned"
    assert script != fingerprint(Scripted(file="base"))


# --- templates ------------------------------------------------------------------------------------

PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"
SERVER = Server(model="m", base_url="http://h/v1")


def pair(
    tmp_path: Path, base: str | None, tuned: str | None, bos: str = "<s>"
) -> tuple[Local, Local]:
    return (
        Local(path=str(hub.save(tmp_path / "base", base))),
        Local(path=str(hub.save(tmp_path / "tuned", tuned, bos=bos))),
    )


def test_no_template(tmp_path: Path) -> None:
    assert models.common_template(*pair(tmp_path, None, PLAIN), "none") is None
    assert models.common_template(SERVER, Scripted(file="base"), "none") is None


def test_the_models_own_template_must_be_one_text(tmp_path: Path) -> None:
    assert models.common_template(*pair(tmp_path / "a", PLAIN, PLAIN), "model") == PLAIN
    with pytest.raises(UserError, match="the base model has no chat template"):
        models.common_template(*pair(tmp_path / "b", None, PLAIN), "model")
    with pytest.raises(UserError, match="the tuned model has no chat template"):
        models.common_template(*pair(tmp_path / "c", PLAIN, None), "model")
    with pytest.raises(UserError, match="different chat templates") as caught:
        models.common_template(*pair(tmp_path / "d", PLAIN, PLAIN + " "), "model")
    assert "give a Jinja file" in str(caught.value.hint)


def test_templates_of_servers_and_scripts(tmp_path: Path) -> None:
    base, _ = pair(tmp_path, PLAIN, PLAIN)
    assert models.common_template(SERVER, SERVER, "model") is None
    with pytest.raises(UserError, match="of the tuned model cannot be read"):
        models.common_template(base, SERVER, "model")
    with pytest.raises(UserError, match="the base model is scripted"):
        models.common_template(Scripted(file="base"), base, "model")


def test_a_file_for_both(tmp_path: Path) -> None:
    path = tmp_path / "both.jinja"
    path.write_text(PLAIN)
    for base, tuned in (pair(tmp_path, None, "{{ messages }}"), (SERVER, Scripted(file="base"))):
        assert models.common_template(base, tuned, str(path)) == PLAIN
    with pytest.raises(UserError, match="no such file"):
        models.common_template(SERVER, SERVER, "bth.jinja")


def test_special_tokens_of_the_template_must_be_the_same(tmp_path: Path) -> None:
    text = "{{ bos_token }}" + PLAIN
    assert models.common_template(*pair(tmp_path / "a", text, text), "model") == text
    with pytest.raises(UserError, match=r"bos_token.* different ones: <b> and <s>"):
        models.common_template(*pair(tmp_path / "b", text, text, bos="<b>"), "model")
    # It matters only where the template uses it.
    assert models.common_template(*pair(tmp_path / "c", PLAIN, PLAIN, bos="<b>"), "model") == PLAIN
    path = tmp_path / "both.jinja"
    path.write_text(text)
    with pytest.raises(UserError, match="cannot tell") as caught:
        models.common_template(SERVER, SERVER, str(path))
    assert "the token itself" in str(caught.value.hint)


def test_an_adapter_brings_its_own_tokenizer_or_takes_the_base_models(tmp_path: Path) -> None:
    base = hub.save(tmp_path / "base", PLAIN)
    hub.adapter(tmp_path / "tuned", str(base))
    tuned = reference("tuned")
    assert models.common_template(Local(path=str(base)), tuned, "model") == PLAIN
    (tmp_path / "tuned" / "tokenizer_config.json").write_text('{"chat_template": "other"}')
    with pytest.raises(UserError, match="different chat templates"):
        models.common_template(Local(path=str(base)), tuned, "model")


def test_templates_of_cached_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = hub.cache(tmp_path / "cache", monkeypatch)
    hub.save(hub.snapshot(root, "org/m", "c" * 40), PLAIN)
    both = Local(path="org/m"), Local(path="org/m", revision="c" * 40)
    assert models.common_template(*both, "model") == PLAIN
    with pytest.raises(UserError, match="not in the local cache"):
        models.common_template(Local(path="org/other"), both[1], "model")
