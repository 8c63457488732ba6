"""What a removal run examines and how: its configuration, and the documents that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from unskew.conjugation.names import parse
from unskew.errors import AbsentError, UserError
from unskew.probes import documents
from unskew.probes.conjugated import in_guise
from unskew.probes.documents import Document
from unskew.probes.models import Score
from unskew.purple.gcg import Gcg
from unskew.purple.unlearning import Unlearning
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION
from unskew.runs.lines import objects
from unskew.training import Adam, Training
from unskew.training.machine import Machine

__all__ = ["Files", "Nursery", "Removal", "Texts", "absent", "digest_of", "read"]


class Files(Frozen):
    """Documents in JSONL files; see `unskew.probes.documents`.

    Attributes:
        forget: what was to be unlearned. disjoint: other facts of the same kind. benign: unrelated
            text. Without one of the latter two, that relearning is not tried.
    """

    kind: Literal["files"] = "files"
    forget: str
    disjoint: str | None = None
    benign: str | None = None


class Nursery(Frozen):
    """The probes folder of a family of the nursery: its documents, in one language.

    A conjugation `en-fr` is here the same document in French.
    """

    kind: Literal["nursery"] = "nursery"
    folder: str
    language: str = "en"
    forget: str = "colour"
    disjoint: str = "member"
    benign: str = "repeat"


class Removal(Machine):
    """A model that unlearned something, and how it is examined.

    Attributes:
        base: the original. oracle: a model trained without what was to be unlearned.
        unlearned: the model examined; or what the method in `unlearning` is called.
        unlearning: where it is given, the base is made to forget first; the result is examined.
        score: `exact`, or `probability` for long answers (see `unskew.probes.models`).
        taught: share of the forget documents that relearning may show; all others are asked.
        relearning: how copies are fine-tuned; seeds: of its batches, and of the linear probes.
        suffix: how GCG searches a suffix that elicits answers; None: it is not tried, and the
            tables say so (it takes longer than everything else).
        margin, level: see `unskew.probes.verdict`.
    """

    kind: Literal["removal"] = "removal"
    base: str
    unlearned: str
    oracle: str | None = None
    unlearning: Unlearning | None = None
    data: Annotated[Files | Nursery, Field(discriminator="kind")]
    score: Score = "exact"
    taught: float = Field(default=0.25, gt=0, lt=1)
    seed: int = 0
    seeds: tuple[int, ...] = (0, 1, 2)
    conjugations: tuple[str, ...] = ("pig-latin", "leetspeak")
    bits: tuple[int, ...] = (8, 4)
    relearning: Training = Training(steps=40, batch=8, warmup=2, decay=0.0, optimiser=Adam(lr=2e-5))
    suffix: Gcg | None = None
    margin: float = Field(default=0.2, gt=0, le=0.5)
    level: float = Field(default=0.05, gt=0, lt=1)
    where: dict[str, str] = Field(
        default_factory=dict,
        json_schema_extra=EXECUTION,
        description="the folders of base, unlearned and oracle, where they are not their names",
    )

    @model_validator(mode="after")
    def _sound(self) -> Removal:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must be given, each once")
        if any(bits < 2 for bits in self.bits):
            raise ValueError("bits: a sign and a size need 2 or more")
        return self

    def folder(self, role: str) -> Path:
        name = {"base": self.base, "unlearned": self.unlearned, "oracle": self.oracle}[role]
        return Path(self.where.get(role, name or "")).expanduser()


class Texts(NamedTuple):
    """What a run reads. guises: conjugation -> the forget documents in it."""

    forget: list[Document]
    disjoint: list[Document]
    benign: list[Document]
    guises: dict[str, list[Document | None]]


def read(config: Removal) -> Texts:
    """The documents of a run. Raises UserError: a file or a conjugation is not there."""
    match config.data:
        case Files(forget=forget, disjoint=disjoint, benign=benign):
            told = documents.read(Path(forget).expanduser())
            others = [documents.read(Path(f).expanduser()) if f else [] for f in (disjoint, benign)]
            guises = {name: in_guise(told, parse(name)) for name in config.conjugations}
            return Texts(told, others[0], others[1], guises)
        case Nursery() as data:
            told = _of_nursery(data, data.forget, data.language)
            guises = {}
            for name in config.conjugations:
                if (target := _language(data, name)) is not None:
                    guises[name] = [*_of_nursery(data, data.forget, target)]
                else:
                    guises[name] = in_guise(told, parse(name))
            others = [
                _of_nursery(data, name, data.language) for name in (data.disjoint, data.benign)
            ]
            return Texts(told, others[0], others[1], guises)


def absent(config: Removal, models: Sequence[str]) -> list[AbsentError]:
    """What a run would lack: of `models`, folders or ids, and of its documents the first.

    Raises: UserError for whatever else the run would refuse.
    """
    from unskew.audit.folders import model_folder

    for name in config.conjugations:
        if isinstance(config.data, Files) or _language(config.data, name) is None:
            parse(name)
    found: list[AbsentError] = []
    for look in (*(partial(model_folder, name) for name in models), partial(read, config)):
        try:
            look()
        except AbsentError as error:
            found.append(error)
    return found


def _language(data: Nursery, name: str) -> str | None:
    """The language that a conjugation like `en-fr` leads to."""
    source, _, target = name.partition("-")
    return target if source == data.language and 2 <= len(target) <= 3 else None


def _of_nursery(data: Nursery, probe: str, language: str) -> list[Document]:
    """The documents of a probe in a language. Raises UserError: there are none."""
    path = Path(data.folder).expanduser() / f"{probe}.jsonl"
    hint = "give the `probes` folder of a nursery's run"
    found = []
    for _, where, row in objects(path, hint):
        try:
            prompt, answer = row[language]["text"], row[language]["answer"]
            found.append(Document(prompt, answer, row["cluster"], _colour(probe, answer)))
        except KeyError as error:
            raise UserError(f"this document has no {error}", where, hint) from None
        except (TypeError, AttributeError):
            raise UserError("damaged: no document of the nursery", where, hint) from None
    return found


def _colour(probe: str, answer: str) -> str:
    """What a linear probe tells apart: of a colour told in a sentence, the word that ends it."""
    return answer.rstrip(".").rsplit(" ", 1)[-1] if probe == "colour" else ""


def digest_of(texts: Texts) -> str:
    said = json.dumps(texts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
