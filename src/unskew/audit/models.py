"""What a model is to the audit, how it is named, and what decides its answers.

A `Model` answers prompts greedily and, where it can, scores continuations. It is named by a text
that `reference` reads into a frozen configuration:

    a folder, or an id of the Hugging Face hub (ID@REVISION)   Local, opened by engine.py
    openai:MODEL@BASE_URL                                      Server, opened by server.py
    scripted:FILE                                              Scripted, opened by scripted.py

`fingerprint` says what decides the answers: hashes of files, a commit, a server's name for a model.
`common_template` finds the one chat template of a pair. Secrets are in none of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from unskew.audit import folders
from unskew.errors import UserError
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION
from unskew.runs.mistakes import nearest

Message = Mapping[str, str]  # {"role": ..., "content": ...}
Prompt = str | Sequence[Message]  # a flat prompt, or chat messages


class Answer(NamedTuple):
    """What a model said, up to the first stop string."""

    text: str
    cut: bool | None  # ended by the token budget; None: unknown


class Score(NamedTuple):
    """Of a continuation: its log-likelihood (nats), and whether greedy decoding gives it."""

    logprob: float
    greedy: bool


def untold(i: int, result: Any) -> None:
    """The `tell` of a caller who waits for the whole list."""


class Model(Protocol):
    """Answers greedily; the same question always gets the same answer.

    `tell(i, result)` is called in the caller's thread, once for each question as it is answered, in
    any order: what is known when the rest fails is not lost.
    """

    @property
    def record(self) -> Mapping[str, Any]:
        """What decides its answers, as plain JSON without secrets."""
        ...

    @property
    def batch(self) -> int:
        """How many questions it likes at once."""
        ...

    @property
    def window(self) -> int | None:
        """The longest prompt and answer together, in tokens; None: unknown."""
        ...

    def generate(
        self,
        prompts: Sequence[Prompt],
        stop: Sequence[str],
        max_tokens: int,
        tell: Callable[[int, Answer], None] = untold,
    ) -> list[Answer]:
        """Answers in order, each before the first of the stop strings."""
        ...

    def score(
        self,
        pairs: Sequence[tuple[Prompt, str]],
        tell: Callable[[int, Score], None] = untold,
    ) -> list[Score]:
        """log P(continuation | context) of each pair. Raises UserError where it cannot."""
        ...

    def length(self, prompt: Prompt) -> int | None:
        """Tokens of a prompt; None: unknown."""
        ...


class Local(Frozen):
    """A Hugging Face model, by folder or by id.

    Attributes:
        path: the folder or the id (of the base model, where there is an adapter).
        revision: branch, tag or commit of an id; None: main.
        adapter: the folder of a PEFT adapter on top of it.
        dtype: of the weights. Float32 unless said otherwise: on a CPU nothing else is as exact, and
            both arms must have the same.
    """

    kind: Literal["hf"] = "hf"
    path: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    adapter: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class Server(Frozen):
    """A model behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp, hosted).

    The key is read from the environment when the model is opened; see server.py.

    Attributes:
        model: the server's name for it.
        base_url: up to and with `/v1`; no user, password or query in it.
        timeout: seconds that the server may keep silent before a request is tried again.
        retries: how often a request is tried again.
        patience: seconds that all waits between the tries of one request may take together.
        concurrency: requests in flight at once.
    """

    kind: Literal["openai"] = "openai"
    model: Annotated[str, Field(min_length=1)]
    base_url: str
    timeout: Annotated[float, Field(gt=0, json_schema_extra=EXECUTION)] = 120.0
    retries: Annotated[int, Field(ge=0, json_schema_extra=EXECUTION)] = 6
    patience: Annotated[float, Field(ge=0, json_schema_extra=EXECUTION)] = 300.0
    concurrency: Annotated[int, Field(gt=0, le=256, json_schema_extra=EXECUTION)] = 8

    @field_validator("base_url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        return _checked_url(url)


class Scripted(Frozen):
    """A model whose answers are rules in a file, or one that comes with the package by name."""

    kind: Literal["scripted"] = "scripted"
    file: Annotated[str, Field(min_length=1)]


Reference = Annotated[Local | Server | Scripted, Field(discriminator="kind")]

SERVER_FORM = "write it as in openai:MODEL@http://localhost:8000/v1"


def reference(text: str) -> Local | Server | Scripted:
    """The model that `text` names. Looks at the disk, never at the network.

    A folder with an adapter_config.json is an adapter on the base model named in there.

    Raises:
        UserError: a folder or file that is not there or holds no model, a malformed name.
    """
    kind, colon, rest = text.partition(":")
    match kind.lower() if colon else "hf":
        case "openai":
            return _server(rest)
        case "scripted":
            from unskew.audit.scripted import find

            find(rest)
            return Scripted(file=rest)
        case "hf" if colon:
            return _local(rest)
        case "nursery":
            return _of_the_nursery(rest)
        case _:
            return _local(text)


def fingerprint(model: Local | Server | Scripted, network: bool = False) -> dict[str, Any]:
    """What decides the model's answers, as plain JSON: no machine path, no secret.

    A folder: SHA-256 of each weight, configuration and tokenizer file. An id: its commit, from the
    local cache, or from the hub where `network` allows it and no offline mode is on. A server: the
    model's name and the address. A script: its rules.

    Raises:
        UserError: the folder is gone or damaged, the id is not in the cache, the script is wrong.
    """
    match model:
        case Local():
            found: dict[str, Any] = {"kind": model.kind, "dtype": model.dtype}
            if folders.means_folder(model.path, model.revision):
                found["files"] = folders.digests(folders.expanded(model.path))
            else:
                found |= {
                    "id": model.path,
                    "commit": folders.commit(model.path, model.revision, network),
                }
            if model.adapter is not None:
                found["adapter"] = folders.digests(folders.expanded(model.adapter))
            return found
        case Server():
            return {"kind": model.kind, "model": model.model, "base_url": model.base_url}
        case Scripted():
            from unskew.audit.scripted import load

            return dict(load(model).record)


def common_template(
    base: Local | Server | Scripted,
    tuned: Local | Server | Scripted,
    choice: str,
    network: bool = False,
) -> str | None:
    """The chat template for both arms of a pair, as the text of a Jinja template.

    Args:
        choice: "none": prompts stay flat, as None says. "model": the models' own, which must be one
            text; two servers render their own, which cannot be compared, and the answer is None.
            Anything else is the path of a Jinja file.
        network: fetch the tokenizer files of ids that are not in the cache.

    Raises:
        UserError: a model without a template where one is asked for, two templates that differ, a
            special token of the template that differs or is unknown, a file that is no template.
    """
    match choice:
        case "none":
            return None
        case "model":
            if isinstance(base, Server) and isinstance(tuned, Server):
                return None
            text, other = _own("base", base, network), _own("tuned", tuned, network)
            if text != other:
                raise UserError(
                    "the base and the tuned model have different chat templates, and one text must "
                    "be rendered for both",
                    where="template",
                    hint="give a Jinja file for both (the template of one of them, say), or none",
                )
        case _:
            text = folders.template_file(choice)
    _same_tokens(text, (base, tuned), network)
    return text


def _own(arm: str, model: Local | Server | Scripted, network: bool) -> str:
    hint = "choose none, or give a Jinja file that both are to use"
    if not isinstance(model, Local):
        what = f"the chat template of the {arm} model cannot be read: it is behind a server"
        if isinstance(model, Scripted):
            what = f"the {arm} model is scripted and has no chat template"
        raise UserError(what, "template", hint)
    text = folders.own_template(_tokenizer(model, network))
    if text is None:
        raise UserError(f"the {arm} model has no chat template", "template", hint)
    return text


def _same_tokens(text: str, pair: tuple[Local | Server | Scripted, ...], network: bool) -> None:
    """Both arms must mean the same by `bos_token` and the like, or the texts would differ."""
    for name in folders.tokens_in(text):
        values = set()
        for model in pair:
            if not isinstance(model, Local):
                raise UserError(
                    f"the template uses {name}, which a model that is not here cannot tell",
                    where="template",
                    hint="give a Jinja file with the token itself written into it",
                )
            values.add(folders.special_tokens(_tokenizer(model, network)).get(name, "none"))
        if len(values) > 1:
            raise UserError(
                f"the template uses {name}, and the two models have different ones: "
                f"{' and '.join(sorted(values))}",
                where="template",
                hint="give a Jinja file with the token itself written into it",
            )


def _tokenizer(model: Local, network: bool) -> folders.Files:
    """Where the tokenizer's files are: with the adapter, if it brings its own."""
    if model.adapter is not None:
        mine = folders.Files(folders.expanded(model.adapter))
        if mine.find("tokenizer_config.json") is not None:
            return mine
    if folders.means_folder(model.path, model.revision):
        return folders.Files(folders.expanded(model.path))
    return folders.Files(folders.snapshot(model.path, model.revision, network))


def _local(text: str) -> Local:
    kind, colon, _ = text.partition(":")
    near = nearest(f"{kind}:", ["openai:", "scripted:", "hf:"]) if colon else ""
    if "://" in text:
        # Said without the address: what is in it may be a secret.
        raise UserError(f"an address alone names no model{near}", f"{kind}:…", _forms())
    if not text.isprintable():
        raise UserError("the name of a model holds a control character", repr(text), _forms())
    name, at, revision = text.rpartition("@")
    if folders.there(text) or not at:
        name, revision = text, ""
    if not name.strip():
        raise UserError("the name of a model is missing", text or None, _forms())
    if (at and not revision) and name != text:
        raise UserError("nothing follows the @", text, "write ID@REVISION, or the id alone")
    if folders.means_folder(name, revision or None):
        folder = folders.expanded(name)
        if revision:
            raise UserError("a folder has no revision", text, "leave off the @ and what follows")
        folders.check(folder)
        return _with_adapter(folder) if folders.is_adapter(folder) else Local(path=str(folder))
    if not folders.is_id(name):
        raise UserError(f"neither a folder nor the name of a model{near}", text, _forms())
    if (adapter := folders.cached(name, "adapter_config.json", revision or None)) is not None:
        return _with_adapter(adapter.parent)
    return Local(path=name, revision=revision or None)


def _of_the_nursery(name: str) -> Local:
    """A model that ships, by its short name: a configuration must not hold a machine's path."""
    known = sorted(path.parent.name for path in folders.expanded("nursery:").glob("*/config.json"))
    if name not in known:
        raise UserError(
            f"no model {name!r} of the nursery ships{nearest(name, known)}",
            hint=f"there are {', '.join(known)}; `unskew nursery raise` raises others",
        )
    return Local(path=f"nursery:{name}")


def _with_adapter(folder: Path) -> Local:
    base, revision = folders.adapted(folder)
    if folders.means_folder(base, revision):
        revision = None
        folders.check(folders.expanded(base))
    return Local(path=base, revision=revision, adapter=str(folder))


def _server(rest: str) -> Server:
    # The first @ before an address parts the two: names of models may hold one.
    found = re.fullmatch(r"(.*?)@(https?://.*)", rest, re.DOTALL | re.IGNORECASE)
    if found is None:
        said = "the address of the server must begin with http:// or https://"
        raise UserError(
            said if "@" in rest else "it is not said where the server is",
            hint=SERVER_FORM,
        )
    model, url = found.groups()
    if not model.strip():
        raise UserError("the name of the server's model is missing", hint=SERVER_FORM)
    return Server(model=model, base_url=url)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise UserError("the server's address is malformed", hint=SERVER_FORM) from None
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        # Said without the address: what is wrong with it may be a secret.
        raise UserError(
            "the server's address holds a user, a password or a query",
            hint="give the bare address, and the key in the environment as UNSKEW_API_KEY",
        )
    if parts.scheme not in ("http", "https") or not named or re.search(r"\s", url):
        raise UserError(f"the server's address is malformed: {url}", hint=SERVER_FORM)
    address = url.rstrip("/")
    for end in ("/chat/completions", "/completions"):
        if address.endswith(end):
            raise UserError(
                f"the server's address ends in {end}",
                hint=f"leave that off: {address.removesuffix(end)}",
            )
    return address


def _forms() -> str:
    return "a folder, an id of the hub (ID@REVISION), openai:MODEL@BASE_URL or scripted:FILE"
