"""What a removal run examines and how: its configuration, and the documents that it names."""

from __future__ import annotations

import hashlib
import json
from math import ceil
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, cast

from pydantic import Field, model_validator

from unskew.conjugation.base import Conjugation
from unskew.conjugation.names import parse
from unskew.errors import UserError
from unskew.probes import documents
from unskew.probes.conjugated import in_guise
from unskew.probes.documents import Document
from unskew.probes.models import Score
from unskew.probes.position import RESAMPLES
from unskew.probes.verdict import FEWEST
from unskew.purple.gcg import Gcg
from unskew.purple.unlearning import GradientAscent, Unlearning
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION
from unskew.runs.lines import objects
from unskew.training import Adam, Training
from unskew.training.machine import Machine

__all__ = [
    "Files", "Nursery", "Removal", "Texts", "digest_of", "guise", "read", "too_few",
    "without_guises",
]  # fmt: skip


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
        nothing = isinstance(self.data, Files) and not (self.data.disjoint or self.data.benign)
        if nothing and self.unlearning and not isinstance(self.unlearning.method, GradientAscent):
            raise ValueError(
                f"unlearning: {self.unlearning.method.kind} needs documents that are to be kept: "
                "give --disjoint or --benign, or use ga"
            )
        if self.level * (RESAMPLES + 1) < self.probes - 1e-9:
            smallest = ceil(1e6 * self.probes / (RESAMPLES + 1)) / 1e6
            raise ValueError(
                f"level: {self.level} is shared by {self.probes} probes, and {RESAMPLES} draws "
                f"tell no level below {smallest} then"
            )
        return self

    @property
    def probes(self) -> int:
        """How many share the level, tried or not: the direct question, conjugations, roundings, the
        linear probe, three ways of relearning and a suffix."""
        return 6 + len(self.conjugations) + len(self.bits)

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
    plain = without_guises(config)
    guises: dict[str, list[Document | None]] = {}
    for name in config.conjugations:
        match guise(config, name):
            case str() as language:
                data = cast(Nursery, config.data)
                guises[name] = [*_of_nursery(data, data.forget, language)]
            case conjugation:
                guises[name] = in_guise(plain.forget, conjugation)
    return plain._replace(guises=guises)


def without_guises(config: Removal) -> Texts:
    """The documents of a run as they are. Raises UserError: a file is not there."""
    match config.data:
        case Files(forget=forget, disjoint=disjoint, benign=benign):
            told = documents.read(Path(forget).expanduser())
            others = [documents.read(Path(f).expanduser()) if f else [] for f in (disjoint, benign)]
        case Nursery() as data:
            told, *others = (
                _of_nursery(data, name, data.language)
                for name in (data.forget, data.disjoint, data.benign)
            )
    return Texts(told, others[0], others[1], {})


def guise(config: Removal, name: str) -> str | Conjugation:
    """What a conjugation's name stands for: for `en-fr` and documents of the nursery, the language
    in which they are there. Raises UserError: there is no such conjugation."""
    source, _, target = name.partition("-")
    in_nursery = isinstance(config.data, Nursery) and source == config.data.language
    return target if in_nursery and 2 <= len(target) <= 3 else parse(name)


def too_few(config: Removal, texts: Texts) -> str | None:
    """That there are too few documents for any verdict, in words; None where there are enough.

    Raises: UserError where they cannot be split.
    """
    asked = documents.parts(texts.forget, config.taught, config.seed).asked
    clusters = len({document.cluster for document in asked})
    if clusters >= FEWEST:
        return None
    return (
        f"fewer than {FEWEST} clusters of documents are asked ({clusters}, the others are taught): "
        "the verdict will be inconclusive"
    )


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
