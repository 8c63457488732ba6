"""A model that is looked into: its answers to documents, its hidden states, batches to train on.

An answer counts as right where greedy decoding begins with it: every token of it is then the most
likely one after what comes before, and one forward pass tells. For long answers `probability` is
softer: the probability of the answer to the power 1 / tokens, as in TOFU (arXiv:2401.06121). Both
lie in [0, 1].
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.probes.deciding import DECIDING
from unskew.probes.documents import Document
from unskew.runs.identity import file_sha256
from unskew.runs.quiet import hushed
from unskew.statistics.intervals import Floats

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Model", "Rows", "Score", "check", "copied", "digest", "hidden", "load", "rows", "scores",
]  # fmt: skip

Score = Literal["exact", "probability"]
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
AT_ONCE = 32


class Model(NamedTuple):
    """A causal language model of transformers with its tokenizer. name: for messages."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class Rows(NamedTuple):
    """tokens, mask (rows, longest), padded on the right; answer (rows, longest): 1 at tokens of
    the answer."""

    tokens: Tensor
    mask: Tensor
    answer: Tensor


def load(folder: Path | str, name: str, device: str = "cpu") -> Model:
    """The model of a Hugging Face folder (or of an id in the hub's local cache), in float32.

    Raises: UserError where it holds none, a damaged one, or not all of its weights.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with hushed():
            tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
            opened: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **LOCAL
            )
            model, found = opened
    except (OSError, ValueError, SafetensorError) as error:
        raise _no_model(folder, (str(error).splitlines() or ["damaged"])[0]) from None
    # What is missing would be drawn at random, and nobody told.
    if missing := sorted(found["missing_keys"]):
        raise _no_model(folder, f"it lacks {len(missing)} weights, as {missing[0]}")
    return Model(name, model.to(device).eval(), tokenizer)


def _no_model(folder: Path | str, why: str) -> UserError:
    hint = "give a folder with config.json, model.safetensors and a tokenizer"
    return UserError(f"no model can be opened: {why}", str(folder), hint)


def check(folder: Path) -> None:
    """Raises UserError where a folder has no configuration, or no weights as safetensors."""
    if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
        return
    hint = "give a folder with config.json, model.safetensors and a tokenizer"
    if (folder / "adapter_config.json").is_file():
        hint = "merge the adapter into its base first (PEFT's merge_and_unload), and save that"
    elif pickled := sorted(folder.glob("pytorch_model*.bin")):
        why = f"its weights are pickled ({pickled[0].name}), which may run code as they are read"
        hint = "open it where you trust it, and save it with save_pretrained: as safetensors"
        raise UserError(f"no model folder: {why}", str(folder), hint)
    raise UserError("no model folder", str(folder), hint)


def digest(folder: Path) -> str:
    """SHA-256 over the files of a model folder that decide its answers.

    Raises: UserError where there is no configuration or no weights.
    """
    check(folder)
    matched = {path for pattern in DECIDING for path in folder.glob(pattern)}
    found = sorted(path for path in matched if path.is_file())
    whole = hashlib.sha256()
    for path in found:
        whole.update(f"{path.name} {file_sha256(path)}\n".encode())
    return whole.hexdigest()


def copied(model: Model) -> Model:
    """A copy that can be changed; the tokenizer is shared."""
    return model._replace(model=copy.deepcopy(model.model))


@torch.no_grad()
def scores(model: Model, documents: Sequence[Document], how: Score = "exact") -> Floats:
    """How right the answers are, (n,) in [0, 1]; see the file's docstring.

    Raises: UserError for a document that the model cannot read as a whole.
    """
    found = np.zeros(len(documents))
    for places, batch in _batches(model, documents):
        logits = _logits(model, batch)[:, :-1]
        wanted, told = batch.tokens[:, 1:], batch.answer[:, 1:].bool()
        match how:
            case "exact":
                right = ((logits.argmax(-1) == wanted) | ~told).all(1).double()
            case "probability":
                each = nn.functional.cross_entropy(
                    logits.transpose(1, 2), wanted, reduction="none"
                ).double()
                right = (-(each * told).sum(1) / told.sum(1)).exp()
        found[places] = right.cpu().numpy()
    return found


@torch.no_grad()
def hidden(model: Model, documents: Sequence[Document]) -> Floats:
    """What each layer holds at the token before the class of the answer: (layers + 1, n, width),
    the embeddings first.

    That is the last token of the prompt where the answer is its own class, and the one before the
    label where an answer is a sentence that says it: there, not at the question's end, is where a
    model needs to know. The words before the label are the right answer's own, for every model.
    """
    found: list[Floats] = []
    order: list[int] = []
    for places, batch in _batches(model, documents):
        run: Any = model.model
        states = run(
            batch.tokens, attention_mask=batch.mask, use_cache=False, output_hidden_states=True
        ).hidden_states
        last = torch.tensor(_before(model, [documents[i] for i in places], batch))
        last = last.to(batch.tokens.device)
        at = torch.arange(len(places), device=last.device)
        found.append(torch.stack([s[at, last] for s in states]).double().cpu().numpy())
        order += places
    whole = np.concatenate(found, axis=1)
    return whole[:, np.argsort(order)]


def rows(model: Model, documents: Sequence[Document], ended: bool = False) -> Rows:
    """Documents as one batch on the model's device. ended: the end token belongs to the answer.

    Raises: UserError for a document that the model cannot read as a whole.
    """
    encoded = _encoded(model, documents, ended)
    longest = max(len(ids) for ids, _ in encoded)
    tokens = torch.zeros(len(encoded), longest, dtype=torch.long)
    mask, answer = torch.zeros_like(tokens), torch.zeros_like(tokens)
    for i, (ids, start) in enumerate(encoded):
        tokens[i, : len(ids)] = torch.tensor(ids)
        mask[i, : len(ids)] = 1
        answer[i, start : len(ids)] = 1
    device = model.model.device
    return Rows(tokens.to(device), mask.to(device), answer.to(device))


def spoken(prompt: str, answer: str) -> str:
    """The answer as it follows its prompt: a space between them, where neither has one."""
    return answer if prompt[-1:].isspace() or answer[:1].isspace() else f" {answer}"


def _logits(model: Model, batch: Rows) -> Tensor:
    run: Any = model.model
    return run(batch.tokens, attention_mask=batch.mask, use_cache=False).logits.float()


def _before(model: Model, documents: Sequence[Document], batch: Rows) -> list[int]:
    """The place of the last token before each answer's class: tokens up to there are the same
    whatever the class is."""
    found = []
    for i, document in enumerate(documents):
        start = int(batch.answer[i].argmax())
        said = spoken(document.prompt, document.answer)
        cut = said.rfind(document.label) if document.label else -1
        if cut > 0:
            (lead,) = _read(model, [document.prompt + said[:cut].rstrip()])
            pairs = enumerate(zip(lead, batch.tokens[i].tolist(), strict=False))
            start = max(start, next((k for k, (a, b) in pairs if a != b), len(lead)))
        found.append(start - 1)
    return found


def _encoded(
    model: Model, documents: Sequence[Document], ended: bool
) -> list[tuple[list[int], int]]:
    """Of each document the token ids of prompt and answer, and where the answer begins."""
    tokenizer: Any = model.tokenizer
    end = tokenizer.eos_token_id
    window = getattr(model.model.config, "max_position_embeddings", None)
    said = [spoken(document.prompt, document.answer) for document in documents]
    prompts = _read(model, [document.prompt for document in documents])
    wholes = _read(model, [d.prompt + s for d, s in zip(documents, said, strict=True)])
    found = []
    for document, answer, prompt, whole in zip(documents, said, prompts, wholes, strict=True):
        if prompt[-1:] == [end] and len(prompt) > 1:  # some tokenizers end every text
            prompt, whole = prompt[:-1], whole[:-1]
        if whole[: len(prompt)] != prompt or len(whole) == len(prompt):
            # A token reaches over the border: the prompt stays as it is read when it is asked.
            whole = [*prompt, *tokenizer(answer, add_special_tokens=False).input_ids]
        if len(whole) == len(prompt):
            what = "a document cannot be asked: an answer without tokens"
            raise UserError(what, repr(document.prompt[:60]), f"answer {document.answer[:60]!r}")
        ids = [*whole, end] if ended and end is not None else list(whole)
        if not prompt or (window is not None and len(ids) > window):
            what = (
                "an empty prompt" if not prompt else f"{len(ids)} tokens, the model reads {window}"
            )
            raise UserError(f"a document cannot be asked: {what}", repr(document.prompt[:60]))
        found.append((ids, len(prompt)))
    return found


def _read(model: Model, texts: Sequence[str]) -> list[list[int]]:
    """Token ids as the model is asked: what its tokenizer adds, but no second begin token before
    the one that a rendered chat has written out."""
    tokenizer: Any = model.tokenizer
    found: list[list[int]] = tokenizer(list(texts)).input_ids
    begin = getattr(tokenizer, "bos_token_id", None)  # an audit's reading of its own has none
    if begin is None:
        return found
    mark = tokenizer.bos_token
    written = [text.startswith(mark) and not text.startswith(2 * mark) for text in texts]
    return [
        ids[1:] if once and ids[:2] == [begin, begin] else ids
        for ids, once in zip(found, written, strict=True)
    ]


def _batches(model: Model, documents: Sequence[Document]) -> Iterator[tuple[list[int], Rows]]:
    """Batches of like lengths, with the places of their documents."""
    order = sorted(range(len(documents)), key=lambda i: (len(documents[i].prompt), i))
    for start in range(0, len(order), AT_ONCE):
        places = order[start : start + AT_ONCE]
        yield places, rows(model, [documents[i] for i in places])
