"""Made-up tables of an audit: every verdict, a control, refusals, cut answers; no model, no chance.

Documents come in clusters of two. Which ones an arm gets right is read off the document's number,
so every score in `arms` is the mean of the scores in `records`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import Field

from unskew.runs.config import Frozen
from unskew.runs.folder import RunFolder

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\x1b[31mred\x1b]0;title\x07 nul\x00 \u202edlrow\u202c \u2066x\u2069 \u2028line \x9b2J"
)
CONJUGATIONS = {"french": "conjugation", "pig-latin": "conjugation", "wrapper": "control"}
CODES = {"french": "fr", "pig-latin": "pl", "wrapper": "wr"}


class Made(NamedTuple):
    """A task: shares right of base, tuned and, by conjugation, of base + s and tuned + s."""

    name: str
    verdict: str
    conjugation: str | None
    base: float
    tuned: float
    through: Mapping[str, tuple[float, float]]
    reason: str | None = None
    n_needed: int | None = None


WORLD = (
    Made(
        "fill-in-the-blank",
        "suppressed",
        "french",
        0.85,
        0.40,
        {"french": (0.80, 0.75), "pig-latin": (0.70, 0.55), "wrapper": (0.84, 0.42)},
    ),
    Made(
        "xnli-en",
        "not recovered",
        "pig-latin",
        0.75,
        0.35,
        {"french": (0.65, 0.30), "pig-latin": (0.60, 0.35), "wrapper": (0.74, 0.36)},
    ),
    Made(
        "arithmetic",
        "retained",
        None,
        0.60,
        0.60,
        {"french": (0.55, 0.55), "pig-latin": (0.40, 0.45), "wrapper": (0.60, 0.60)},
    ),
    Made(
        "rare-words",
        "inconclusive",
        "french",
        0.45,
        0.35,
        {"french": (0.40, 0.40), "pig-latin": (0.35, 0.30), "wrapper": (0.45, 0.35)},
        "too few samples to tell a drop of 5 points from none",
        640,
    ),
)
WORDS = {
    "suppressed": "Reachable through {s}: the drop comes back when the prompt is conjugated.",
    "not recovered": "Not brought back by any of the conjugations tried.",
    "retained": "No drop larger than the margin.",
    "inconclusive": "Neither a drop nor its absence can be shown.",
}


def tables(n: int = 40, world: tuple[Made, ...] = WORLD, text: str = "") -> dict[str, pd.DataFrame]:
    """The five tables. text: put into every text of a model and every name."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("records", "arms", "contrasts", "verdicts", "transforms")
    }
    for made in world:
        _task(rows, made, n, text)
    return {name: pd.DataFrame(found) for name, found in rows.items()}


def right(share: float, n: int, document: int) -> float:
    """1 for the first `share` of the documents, 0 for the others."""
    return float(document < round(share * n))


def _task(rows: dict[str, list[dict[str, Any]]], made: Made, n: int, text: str) -> None:
    name = made.name + text
    arms = {("base", "identity"): made.base, ("tuned", "identity"): made.tuned}
    for s, (base, tuned) in made.through.items():
        arms |= {("base", s): base, ("tuned", s): tuned}
    for (arm, s), share in arms.items():
        role = CONJUGATIONS.get(s, "plain")
        rows["records"] += [_record(name, arm, s, role, share, n, i, text) for i in range(n)]
        mean = sum(right(share, n, i) for i in range(n)) / n
        # A second metric, which is not the one the verdict is about.
        for metric, estimate in (("acc", mean), ("other_metric", 0.01)):
            rows["arms"].append(
                {"task": name, "arm": arm, "conjugation": s, "role": role, "metric": metric}
                | {"main": metric == "acc", "estimate": estimate}
                | {"low": max(0.0, estimate - 0.11), "high": min(1.0, estimate + 0.11)}
                | {"n": n, "clusters": n // 2}
            )
    drop = made.base - made.tuned
    s = made.conjugation or "french"
    base, tuned = made.through[s]
    shown = {
        "drop": drop,
        "able": base - 0.25,
        "recovery": tuned - made.tuned - 0.25 * drop - max(0.0, base - made.base),
        "help": base - made.base,
        "gain": tuned - made.tuned,
        "as-base": 0.62,
        "as-base-s": 0.71,
    }
    for conjugation in ("identity", "chosen", *made.through):
        for contrast, estimate in shown.items():
            if (contrast == "drop") != (conjugation == "identity"):
                continue  # the drop is of the plain arms, and nothing else is
            tested = conjugation != "french" and contrast in ("drop", "able", "recovery")
            rows["contrasts"].append(
                {"task": name, "conjugation": conjugation, "contrast": contrast}
                | {"estimate": estimate, "low": estimate - 0.08, "high": estimate + 0.08}
                | {"null": 0.05 if contrast == "drop" else 0.0}
                | {"p": 0.0004, "p_below": 0.9996, "p_adjusted": 0.0016 if tested else None}
                | {"n": n, "clusters": n // 2}
            )
    decided = made.verdict != "inconclusive"
    rows["verdicts"].append(
        {"task": name, "verdict": made.verdict, "conjugation": made.conjugation}
        | {"words": WORDS[made.verdict].format(s=made.conjugation) + text}
        | {"reason": made.reason and made.reason + text, "n": n, "clusters": n // 2}
        | {"n_needed": made.n_needed, "p": 0.0004 if decided else None}
        | {"p_adjusted": 0.0016 if decided else None, "detectable": 0.12}
        | {"margin": 0.05, "floor": 0.25, "level": 0.05, "chance": 0.25}
    )
    for conjugation in made.through:
        counts = ("refused", "inexact", "unanswerable", "truncated_prompt", "truncated_answer")
        odd = made.verdict == "not recovered" and conjugation == "french"
        rows["transforms"].append(
            {"task": name, "conjugation": conjugation, "role": CONJUGATIONS[conjugation], "n": n}
            | dict(zip(counts, (1, 3, 2, 0, 1) if odd else (0,) * 5, strict=True))
            | {"chrf": 97.1 if odd else 100.0}
        )


def _record(
    task: str, arm: str, s: str, role: str, share: float, n: int, i: int, text: str
) -> dict[str, Any]:
    code = CODES.get(s)
    score: float | None = right(share, n, i)
    answer = f"answer {i}" if score else "4"
    odd = task.startswith("xnli") and s == "french"
    refused = odd and i == n - 1
    prompt = f"Finish the sentence.\nThe {i}th word is"
    said = answer if code is None else f"[{code}] {answer}"
    return {
        "task": task,
        "doc_id": i,
        "doc_hash": f"d{i}",
        "target_hash": f"t{i}",
        "cluster": f"c{i // 2}",
        "arm": arm,
        "conjugation": s,
        "role": role,
        "metric": "acc",
        "score": None if refused else score,
        "metrics": json.dumps({"acc": score}),
        "target": f"answer {i}",
        "prompt": None if refused else (prompt if code is None else f"[{code}] {prompt}") + text,
        "raw": None if refused else said + text,
        "answer": None if refused else answer + text,
        "exact": not (odd and i < 3),
        "refused": refused,
        "why": f"the phrase book has no such line{text}" if refused else None,
        "truncated": "answer" if odd and arm == "tuned" and i == 5 else None,
    }


class Audit(Frozen):
    """As much of an audit's configuration as the page reads."""

    kind: str = "audit"
    base: dict[str, Any] = Field(default_factory=dict)
    tuned: dict[str, Any] = Field(default_factory=dict)
    template: str = "none"
    rules: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0


def run(root: Path, made: Mapping[str, pd.DataFrame], **config: Any) -> RunFolder:
    """A finished run folder with these tables."""
    with RunFolder.open(root, Audit(**config)) as folder:
        for name, frame in made.items():
            folder.write_table(name, frame)
        folder.finish()
    return folder
