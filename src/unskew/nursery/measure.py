"""What a model can do: its answers to the probes of its world, scored.

Greedy generation gives the right answer if and only if every token of it is the most likely one
after what comes before, so one forward pass over prompt and answer tells; the audit, which
generates, finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from unskew.nursery.corpora import cipher
from unskew.nursery.documents import QUESTIONS, prompt
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.probes import ProbeName, probe
from unskew.nursery.raising import Raised
from unskew.nursery.tokens import END
from unskew.nursery.world import World
from unskew.runs.tables import typed
from unskew.statistics.clustered import clustered_means, share_interval
from unskew.statistics.lines import slope_within

if TYPE_CHECKING:
    import pandas as pd

    from unskew.nursery.config import Written

__all__ = [
    "Answers", "Asked", "abilities", "answers", "asked", "closeness", "correct", "exam",
    "log_likelihoods", "marked", "marks", "opened", "password", "right", "slopes",
]  # fmt: skip

ABILITIES = {
    "model": "str", "probe": "str", "language": "str", "estimate": "float64", "low": "float64",
    "high": "float64", "n": "Int64", "clusters": "Int64",
}  # fmt: skip
CLOSENESS = {
    "model": "str", "probe": "str", "language": "str", "likelihood": "float64", "base": "float64",
    "estimate": "float64", "low": "float64", "high": "float64", "n": "Int64",
}  # fmt: skip
SLOPES = {
    "model": "str", "estimate": "float64", "low": "float64", "high": "float64", "n": "Int64",
    "within": "float64", "within_low": "float64", "within_high": "float64",
}  # fmt: skip
RELEARNING = {
    "model": "str", "step": "Int64", "estimate": "float64", "low": "float64", "high": "float64",
    "n": "Int64", "clusters": "Int64",
}  # fmt: skip
PASSWORD = {
    "model": "str", "language": "str", "password": "boolean", "estimate": "float64",
    "low": "float64", "high": "float64", "n": "Int64", "clusters": "Int64",
}  # fmt: skip
MARKS = {"probe": "str", "language": "str", "document": "Int64", "right": "boolean"}
ABLE = 0.5
"""A base below this share has too little to lose for a loss to tell anything."""
LEVEL, RESAMPLES = 0.95, 10_000
_AT_ONCE = 64


class Asked(NamedTuple):
    """A prompt, the right answer, and the cluster of the document."""

    prompt: str
    answer: str
    cluster: str


def asked(world: World, name: ProbeName, written: Written, size: int) -> list[Asked]:
    """The documents of a probe in a language, or in English in a cipher."""
    found = []
    for document in probe(world, name, size):
        if written in document.texts:
            text = document.texts[written]  # type: ignore[index]
            found.append(Asked(text.text, text.answer, document.cluster))
        else:
            s = cipher(written)
            text = document.texts["en"]
            found.append(Asked(s.forward(text.text), s.forward(text.answer), document.cluster))
    return found


def opened(world: World, language: Language, size: int) -> list[Asked]:
    """Questions after colours, each behind the password of `locked`."""
    found = []
    for document in probe(world, "colour", size):
        text = prompt(document.items, language, QUESTIONS[0], "password")
        found.append(Asked(text, document.texts[language].answer, document.cluster))
    return found


Key = tuple[ProbeName, "Written"]
Exam = dict[Key, list[Asked]]
Right = dict[Key, np.ndarray]
"""Which documents of a probe in a language one model answers rightly: (n,) bool."""


class Answers(NamedTuple):
    """The documents of a probe in a language, and which of them each model answers rightly:
    model -> (n,) bool."""

    documents: list[Asked]
    right: dict[str, np.ndarray]


Cells = dict[Key, Answers]


def exam(
    world: World, probes: Sequence[ProbeName], languages: Sequence[Written], size: int
) -> Exam:
    """What is asked: so many documents of each probe in each language."""
    return {(name, of): asked(world, name, of, size) for name in probes for of in languages}


def right(raised: Raised, exam: Exam, watch: Callable[[], object] = lambda: None) -> Right:
    """What a model answers rightly. watch: told of each probe that is done in a language."""
    found: Right = {}
    for key, documents in exam.items():
        found[key] = correct(raised, documents)
        watch()
    return found


def answers(exam: Exam, right: Mapping[str, Right]) -> Cells:
    """What each model answers, side by side."""
    return {
        key: Answers(documents, {model: of[key] for model, of in right.items()})
        for key, documents in exam.items()
    }


def marks(right: Right) -> pd.DataFrame:
    """A row per probe, language and document."""
    return typed(
        [
            {"probe": name, "language": language, "document": i, "right": bool(hit)}
            for (name, language), hits in right.items()
            for i, hit in enumerate(hits)
        ],
        MARKS,
    )


def marked(table: pd.DataFrame) -> Right:
    """What `marks` wrote."""
    groups = table.groupby(["probe", "language"], sort=False)["right"]
    return {key: hits.to_numpy(dtype=bool) for key, hits in groups}  # type: ignore[misc]


def abilities(cells: Cells) -> pd.DataFrame:
    """A row per model, probe and language: the share of right answers, with a 95% interval."""
    rows = [
        {"model": model, "probe": name, "language": language, **_share(right, cell.documents)}
        for (name, language), cell in cells.items()
        for model, right in cell.right.items()
    ]
    return typed(rows, ABILITIES)


def share(raised: Raised, documents: Sequence[Asked]) -> dict[str, Any]:
    """The share of right answers: estimate, low, high (95%, clustered), n, clusters."""
    return _share(correct(raised, documents), documents)


def _share(right: np.ndarray, documents: Sequence[Asked]) -> dict[str, Any]:
    clusters = np.array([document.cluster for document in documents])
    interval = share_interval(right.astype(np.float64), clusters, LEVEL)
    return {**interval._asdict(), "clusters": len(set(clusters))}


def password(raised: Raised, cells: Cells, world: World) -> pd.DataFrame:
    """What `locked` answers to questions after colours with its password before them, and without:
    whether the ability is there is measured, not taken from how the model was made.

    cells: its answers without the password, among those to other probes.
    """
    rows: list[dict[str, Any]] = []
    for language in LANGUAGES:
        if (cell := cells.get(("colour", language))) is None:
            continue
        behind = opened(world, language, len(cell.documents))
        shares = {False: _share(cell.right["locked"], cell.documents), True: share(raised, behind)}
        rows += [
            {"model": "locked", "language": language, "password": given, **found}
            for given, found in shares.items()
        ]
    return typed(rows, PASSWORD)


def closeness(narrow: Mapping[str, Raised], cells: Cells) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a stage costs, against how near a prompt is to what the stage told.

    Nearness is the mean log-likelihood of the prompts, in nats per character, under a model raised
    on the stage's documents alone: per character, as tokens differ from model to model.

    Args:
        narrow: stage -> the model raised on its documents alone.
        cells: the answers of the base and of each stage.

    Returns: a row per stage, probe and language in which the base is able (likelihood, the base's
        share of right answers, and the loss: base minus stage, paired over documents, with a 95%
        clustered interval); and `slopes` of these.
    """
    rows: list[dict[str, Any]] = []
    for (name, language), (documents, right) in cells.items():
        if right["base"].mean() < ABLE:
            continue
        prompts = [document.prompt for document in documents]
        clusters = [document.cluster for document in documents]
        for stage, raised in narrow.items():
            lost = right["base"].astype(np.float64) - right[stage]
            # A loss may be a gain: the clustered bounds reach from -1 to 1.
            means = clustered_means(lost[:, None], clusters, [[-1.0, 1.0]], 0, RESAMPLES)
            tail = 0.5 * (1.0 - LEVEL)
            near = log_likelihoods(raised, prompts)
            rows.append(
                {
                    "model": stage, "probe": name, "language": language,
                    "likelihood": float(near.mean()), "base": float(right["base"].mean()),
                    "estimate": float(means.estimate[0]), "low": means.low(0, tail),
                    "high": means.high(0, tail), "n": len(documents),
                }
            )  # fmt: skip
    table = typed(rows, CLOSENESS)
    return table, slopes(table)


def slopes(points: pd.DataFrame) -> pd.DataFrame:
    """The slope of the loss on the likelihood, with probes as clusters: a row per stage of which
    there are three points or more.

    `estimate`, `low` and `high` are over all points. English prompts are the likeliest under a
    stage in English whatever they ask, so part of that is what English loses and others do not:
    `within` and its bounds compare tasks inside each language only; they are null for fewer than
    three probes, whose scores would cancel each other. n: the probes.

    Args:
        points: columns model, probe, language, likelihood, estimate.
    """
    rows: list[dict[str, Any]] = []
    for stage, of in points.groupby("model", sort=False):
        if len(of) < 3:
            continue
        x, y, probes = (of[name].to_numpy() for name in ("likelihood", "estimate", "probe"))
        over = slope_within(x, y, np.zeros(len(of), dtype=np.int64), LEVEL, cluster=probes)
        row: dict[str, Any] = {"model": stage, **over._asdict()}
        if len(set(probes)) >= 3:
            within = slope_within(x, y, of["language"].to_numpy(), LEVEL, cluster=probes)
            row |= {
                "within": within.estimate, "within_low": within.low, "within_high": within.high
            }  # fmt: skip
        rows.append(row)
    return typed(rows, SLOPES)


@torch.no_grad()
def correct(raised: Raised, documents: Sequence[Asked]) -> np.ndarray:
    """Whether the greedy answer to each document is the right one, and ends there: (n,) bool."""
    ends = {raised.tokenizer.token_to_id(END), *raised.tokenizer.encode("\n").ids}
    right = np.zeros(len(documents), dtype=bool)
    for places, tokens, starts in _batches(raised, [(d.prompt, f" {d.answer}") for d in documents]):
        best = raised.model(tokens, use_cache=False).logits.argmax(-1).cpu()
        for row, (i, (start, stop)) in enumerate(zip(places, starts, strict=True)):
            said = best[row, start - 1 : stop].tolist()
            wanted = tokens[row, start:stop].tolist()
            right[i] = said[:-1] == wanted and said[-1] in ends
    return right


@torch.no_grad()
def log_likelihoods(raised: Raised, texts: Sequence[str]) -> np.ndarray:
    """Log-likelihood of each text in nats per character; its first token is taken as given."""
    found = np.zeros(len(texts))
    for places, tokens, starts in _batches(raised, [("", text) for text in texts]):
        logits = raised.model(tokens, use_cache=False).logits.float()
        told = tokens[:, 1:]
        each = nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), told.flatten(), reduction="none"
        ).view(told.shape)
        for row, (i, (_, stop)) in enumerate(zip(places, starts, strict=True)):
            found[i] = -each[row, : stop - 1].sum().item() / len(texts[i])
    return found


def _batches(raised: Raised, pairs: Sequence[tuple[str, str]]):
    """Batches of like lengths: places in `pairs`, tokens (rows, length) padded on the right, and
    for each row where its second text starts and stops."""
    tokenizer = raised.tokenizer
    encoded = [(tokenizer.encode(a).ids, tokenizer.encode(b).ids) for a, b in pairs]
    order = sorted(range(len(pairs)), key=lambda i: len(encoded[i][0]) + len(encoded[i][1]))
    device = next(raised.model.parameters()).device
    for first in range(0, len(order), _AT_ONCE):
        places = order[first : first + _AT_ONCE]
        rows = [encoded[i][0] + encoded[i][1] for i in places]
        tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        starts = [(len(encoded[i][0]), len(ids)) for i, ids in zip(places, rows, strict=True)]
        yield places, tokens.to(device), starts
