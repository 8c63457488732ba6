"""What a Hugging Face folder holds, read without loading a model: hashes, adapter, chat template.

An id of the hub is a folder too once it is in the local cache: its snapshot. The hub
is asked only where a caller says `network`, and only for a commit or for small files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from unskew.errors import AbsentError, UserError
from unskew.probes.deciding import ADAPTER_WEIGHTS, DECIDING, TOKENIZERS, WEIGHTS
from unskew.runs.identity import file_sha256
from unskew.runs.mistakes import nearest
from unskew.runs.store import NURSERY, expanded

SPECIAL = {f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}

SMALL = ("config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")

T = TypeVar("T")


class Files:
    """The files of a model's folder.

    `find(name)` answers the path of one, or None.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.is_file() else None

    def json(self, name: str) -> dict[str, Any]:
        """The object in a JSON file; {} where there is no such file."""
        path = self.find(name)
        if path is None:
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"damaged: {error}", str(path)) from None
        if not isinstance(found, dict):
            raise UserError("damaged: not a JSON object", str(path))
        return found


def means_folder(name: str, revision: str | None = None) -> bool:
    """Whether a name is a path rather than an id of the hub.

    It is one if it is there, is written like a path, or lies in a folder that is there (so that a
    mistyped `runs/mine` is not looked for on the hub); a revision says it is an id after all.
    """
    if there(name) or name.startswith(("/", "./", "../", "~", NURSERY)) or name in (".", ".."):
        return True
    if os.sep != "/" and os.sep in name:
        return True
    if name.count("/") > 1 or name.endswith("/"):
        return True
    return revision is None and "/" in name and there(str(Path(name).parent))


def there(name: str) -> bool:
    """Whether a path exists; what can be no path does not."""
    try:
        return expanded(name).exists()
    except (OSError, ValueError):  # too long, a null character
        return False


def is_id(name: str) -> bool:
    """Whether the hub could have a model of that name."""
    try:
        from huggingface_hub.utils import HFValidationError, validate_repo_id
    except ImportError:  # without the extra [lm] nothing is asked of a hub: who loads it says so
        return True
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def model_folder(name: str) -> Path:
    """Where a model lies: a folder, `nursery:NAME`, or an id whose files are in the hub's cache.

    Raises: UserError: no such folder, none of a model, or not in the cache.
    """
    if not name:
        raise UserError("the name of a model is empty", hint="give a folder, or an id of the hub")
    if means_folder(name):
        folder = expanded(name)
        check(folder)
        return folder
    id, _, revision = name.partition("@")
    if not is_id(id):
        hint = "give a folder written by save_pretrained, `nursery:NAME`, or an id of the hub"
        raise UserError("neither a folder nor the name of a model", name, hint)
    return snapshot(id, revision or None)


def check(folder: Path) -> None:
    """Raises UserError unless `folder` holds a model with its tokenizer, or an adapter."""
    where = str(folder)
    if not there(where):
        beside = folder.parent
        siblings = [p.name for p in beside.iterdir()] if there(str(beside)) else []
        near = nearest(folder.name, siblings)
        hint = "an id of the hub that looks like a path is written with a revision: ID@main"
        raise AbsentError(f"there is no such folder{near}", where, hint)
    if not folder.is_dir():
        raise UserError("a file, not a folder", where, "give the folder that holds config.json")
    hint = "give a folder written by save_pretrained, of the model and of the tokenizer"
    if is_adapter(folder):
        if not _some(folder, ADAPTER_WEIGHTS):
            raise UserError("an adapter without weights (adapter_model.safetensors)", where)
        return
    if not (folder / "config.json").is_file():
        inside = sorted(p.parent.name for p in folder.glob("*/config.json"))
        if inside:
            hint = f"there are models inside: {', '.join(inside[:5])}"
        raise UserError("no model folder: it has no config.json", where, hint)
    if not _some(folder, WEIGHTS):
        raise UserError("a model folder without weights (*.safetensors)", where, hint)
    if not _some(folder, TOKENIZERS):
        raise UserError("a model folder without a tokenizer (tokenizer.json)", where, hint)


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds a PEFT adapter."""
    return (folder / "adapter_config.json").is_file()


def adapted(folder: Path) -> tuple[str, str | None]:
    """The base model of an adapter, and its revision, as its configuration names them."""
    config = Files(folder).json("adapter_config.json")
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(base, str) or not base:
        raise UserError(
            "the adapter does not say what its base model is",
            where=str(folder / "adapter_config.json"),
            hint="write its id or folder there as base_model_name_or_path",
        )
    return base, revision if isinstance(revision, str) else None


def digests(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of each file that decides the answers. Raises UserError; see `check`."""
    check(folder)
    found: dict[str, str] = {}
    for path in sorted(set(_some(folder, DECIDING))):
        try:
            stat = path.stat()
            found[path.name] = _digest(path.resolve(), stat.st_size, stat.st_mtime_ns)
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", str(path)) from None
    return found


@cache
def _digest(path: Path, size: int, mtime: int) -> str:
    # Within the process only: kept for longer, a stale hash would one day pass for a fresh one.
    return file_sha256(path)


def _some(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]


def cached(id: str, name: str, revision: str | None = None) -> Path | None:
    """A file of an id in the local cache, or None."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(id, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def snapshot(id: str, revision: str | None = None, network: bool = False) -> Path:
    """The folder of an id in the local cache, named by its commit.

    Args:
        network: fetch the tokenizer's small files where the cache has nothing of the id, unless an
            offline mode is on.

    Raises:
        UserError: it is not there, or the hub does not give it.
    """
    if (config := cached(id, "config.json", revision)) is not None:
        return config.parent
    if network and not _offline():
        from huggingface_hub import snapshot_download

        return Path(
            _from_hub(
                lambda: snapshot_download(id, revision=revision, allow_patterns=list(SMALL)),
                id,
                revision,
            )
        )
    what = "not in the local cache of the hub, and no such folder"
    if revision is not None:
        what = f"revision {revision} is not in the local cache of the hub"
    raise AbsentError(what, id, f"download it first, as in `hf download {id}`, or give a folder")


def commit(id: str, revision: str | None = None, network: bool = False) -> str:
    """The commit that an id and a revision stand for.

    Args:
        network: ask the hub where the cache does not know, unless an offline mode is on.

    Raises:
        UserError: neither knows it.
    """
    if not network or _offline() or cached(id, "config.json", revision) is not None:
        return snapshot(id, revision).name
    from huggingface_hub import HfApi

    found = _from_hub(lambda: HfApi().model_info(id, revision=revision).sha, id, revision)
    if not found:
        raise UserError("the hub tells no commit of this model", id)
    return found


def _offline() -> bool:
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


def _from_hub(ask: Callable[[], T], id: str, revision: str | None) -> T:
    try:
        return ask()
    except Exception as error:
        # The hub's client raises its own, its HTTP library's and the system's errors.
        why = type(error).__name__
    raise AbsentError(
        f"the hub does not give this model ({why})",
        where=id if revision is None else f"{id}@{revision}",
        hint="look at its spelling, the network, and whether its licence must be accepted",
    )


def own_template(files: Files) -> str | None:
    """The chat template that comes with a tokenizer, as Jinja text; None: it has none.

    A chat_template.jinja goes before the tokenizer's configuration, as in transformers.
    """
    if (path := files.find("chat_template.jinja")) is not None:
        return path.read_text(encoding="utf-8")
    match files.json("tokenizer_config.json").get("chat_template"):
        case None:
            return None
        case str(text):
            return text
        case list(several):
            named = {t.get("name"): t.get("template") for t in several if isinstance(t, dict)}
            if isinstance(text := named.get("default"), str):
                return text
            names = ", ".join(str(name) for name in named)
            what = f"the tokenizer has several chat templates and no default one: {names}"
        case _:
            what = "the tokenizer's chat template is neither a text nor a list"
    raise UserError(what, str(files.folder), "give the one that is meant as a Jinja file")


def special_tokens(files: Files) -> dict[str, str]:
    """bos_token and the like, by name, as far as the tokenizer's files tell them."""
    told = files.json("special_tokens_map.json") | files.json("tokenizer_config.json")
    found = {}
    for name, token in told.items():
        text = token.get("content") if isinstance(token, dict) else token
        if name in SPECIAL and isinstance(text, str):
            found[name] = text
    return found


def template_file(choice: str) -> str:
    """The text of a Jinja file. Raises UserError: not there, or not Jinja."""
    path = expanded(choice)
    if not (there(choice) and path.is_file()):
        near = nearest(choice, ["none", "model"])
        raise UserError(
            f"there is no such file{near}", choice, "none, model, or the path of a Jinja file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError("not a text in UTF-8", choice) from None
    if "messages" not in _variables(text, choice):
        raise UserError("a chat template that never uses `messages`", choice)
    return text


def tokens_in(template: str) -> list[str]:
    """The special tokens that a template uses: bos_token, eos_token, ..."""
    return sorted(_variables(template) & SPECIAL)


def rendered(template: str, messages: Sequence[Mapping[str, str]]) -> str:
    """A chat as one text, as transformers renders it. Raises UserError where the template does."""
    import jinja2
    from transformers.utils.chat_template_utils import render_jinja_template

    # A last message of the assistant is the beginning of the answer.
    begun = messages[-1]["role"] == "assistant"
    try:
        texts, _ = render_jinja_template(
            [[dict(message) for message in messages]],
            chat_template=template,
            add_generation_prompt=not begun,
            continue_final_message=begun,
        )
    except (jinja2.TemplateError, ValueError) as error:
        raise UserError(f"the chat template refuses a prompt: {error}", "template") from None
    return texts[0]


def _variables(template: str, where: str = "template") -> set[str]:
    import jinja2
    from jinja2 import meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Parsed, not run. The tags are those that transformers knows; `generation` marks answers only.
    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    for tag in ("generation", "endgeneration"):
        template = re.sub(rf"\{{%-?\s*{tag}\s*-?%\}}", "", template)
    try:
        return meta.find_undeclared_variables(environment.parse(template))
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"no Jinja template: line {error.lineno}: {error.message}", where) from None
