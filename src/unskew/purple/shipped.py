"""Suffixes that come with the package: what a grid's searches found, with where it is from.

A line of texts/suffixes.jsonl is what `Given` reads, and beside it the provenance:

    suffix, adapts_to           the text, and what of a defence was in the objective
    subject, attack, defence    whose gradients found it, and in which cell, by the run's names
    weights                     SHA-256 of that subject's folder, as the run recorded it
    base, enforcement           what the subject is: a model that ships, taught anew by each run
    seed, run                   of the search, and the run's id

A taught subject is a function of its configuration: on a machine like the run's its weights are the
very same, elsewhere they may differ in the last digits. Nothing is claimed of a suffix but that it
was found; a grid that sends it asks anew what it does. How a folder is hashed has changed since
these were written: the same weights have another hash today.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unskew.errors import UserError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from unskew.purple.defences import AnyDefence
    from unskew.purple.grid_config import AnySubject
    from unskew.runs.folder import RunFolder

__all__ = ["SHIPPED", "file_of", "found_by", "write"]

SHIPPED = "shipped"
"""What `Given.suffixes` says for the file that comes with the package."""


def file_of(name: str) -> Path | Traversable:
    """The file of suffixes of that name."""
    if name == SHIPPED:
        return files("unskew.purple").joinpath("texts", "suffixes.jsonl")
    return Path(name).expanduser()


def found_by(run: RunFolder) -> list[dict[str, Any]]:
    """The suffixes that a finished grid's own searches found, each once for what it adapts to.

    Raises: UserError where the run is no finished grid.
    """
    from pydantic import TypeAdapter

    from unskew.purple.attacks import Adaptive, Suffix
    from unskew.purple.grid_config import Purple, labels

    if not run.finished or run.config.get("kind") != "purple":
        raise UserError("no finished grid of attacks and defences", str(run.path))
    config = TypeAdapter(Purple).validate_python(run.config)
    attacks = dict(zip(labels(config.all_attacks()), config.all_attacks(), strict=True))
    defences = dict(zip(labels(config.all_defences()), config.all_defences(), strict=True))
    subjects = {subject.name: subject for subject in config.subjects}
    cells = run.read_table("cells").set_index(["subject", "attack", "defence"])
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in run.read_table("suffixes").itertuples(index=False):
        key = (row.subject, row.attack, row.defence)
        attack = attacks[str(row.attack)]
        if not isinstance(attack, Suffix | Adaptive):
            continue
        adaptive = bool(cells.at[key, "adaptive"])
        parts = _known(defences[str(row.defence)]) if adaptive else []
        line = {
            "suffix": row.suffix, "adapts_to": parts, "subject": row.subject,
            "attack": row.attack, "defence": row.defence if adaptive else "none",
            "weights": run.parents[f"subject {row.subject}"],
            **_of_subject(subjects[str(row.subject)]), "seed": attack.gcg.seed, "run": run.id,
        }  # fmt: skip
        found.setdefault((row.subject, row.suffix, tuple(parts)), line)
    return list(found.values())


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One object a line, in ASCII: a suffix may be made of anything."""
    path.write_text("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows), "utf-8")


def _known(defence: AnyDefence) -> list[str]:
    """What of a defence an adaptive search knows (`grid_attacks.PARTS`)."""
    from unskew.purple.defences import Paraphrase, Perplexity, Refusals, Smoothing
    from unskew.purple.defences.paraphrase import Synonyms

    match defence:
        case Perplexity():
            return ["nll"]
        case Refusals():
            return ["context"]
        case Paraphrase(by=Synonyms()):
            return ["rewrite"]
        case Paraphrase():
            return ["paraphrased"]
        case Smoothing():
            return ["drops"]
        case _:
            return []


def _of_subject(subject: AnySubject) -> dict[str, str]:
    base = getattr(subject, "base", None) or getattr(subject, "model", "")
    return {"base": base, "enforcement": subject.enforcement}
