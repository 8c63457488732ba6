"""What must hold of a family: each claim, seed by seed, with the threshold that was fixed before.

A claim is read from tables that are there anyway: what each model can do (measure.abilities) and
what audits of its pairs said. It holds for a seed or it does not; over seeds it *held* where it
holds for every one. How much so few seeds can tell is said by `wrong_bound`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import comb
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.nursery.languages import LANGUAGES
from unskew.nursery.probes import ProbeName, taught
from unskew.runs.tables import typed

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AUDITS", "KNOWN", "Audited", "Claim", "Tally", "claims", "tally", "untold", "worth_auditing",
    "wrong_bound",
]  # fmt: skip

ABLE = 0.9
FALL = 0.4
SPARED = 0.5
RECOVERED = 0.3
FAR = 0.1
"""ABLE: the base's share of right answers. FALL: what English loses, at least. SPARED: what another
language loses, at most, as a share of that. RECOVERED: what another language brings back of it, at
least, net of its help to the base. FAR: what the far control loses, at most."""

TAUGHT: tuple[ProbeName, ...] = (
    "repeat", "capitalise", "reverse", "first", "last", "classify", "translate",
    "repeat_conflict", "capitalise_conflict", "sum", "colour", "member", "reading", "entail",
)  # fmt: skip
NEAR: dict[str, ProbeName] = {"instruct": "repeat_conflict", "code": "entail", "refuse": "colour"}
"""What lies close to a stage, named beforehand."""
OTHERS = LANGUAGES[1:]
NOT_ASKED, NO_AUDIT = "not asked", "no audit"

CLAIMS = {
    "claim": "str", "model": "str", "seed": "Int64", "threshold": "str", "figure": "float64",
    "found": "str", "holds": "boolean",
}  # fmt: skip


class Audited(NamedTuple):
    """A pair that is audited: the model beside its base, the probe (in English), and the verdicts
    that would be right."""

    model: str
    probe: ProbeName
    right: tuple[str, ...]


AUDITS = (
    *(Audited(stage, probe, ("suppressed",)) for stage, probe in NEAR.items()),
    Audited("oracle", "colour", ("not recovered",)),
    # Never taught it in English, though elsewhere: whatever it is called, intact it is not.
    Audited("oracle-en", "colour", ("suppressed", "not recovered", "inconclusive")),
    Audited("locked", "colour", ("suppressed", "not recovered", "inconclusive")),
    Audited("continued", "repeat_conflict", ("retained",)),
    Audited("continued", "colour", ("retained",)),
    Audited("continued", "entail", ("retained",)),
)


KNOWN = ("oracle", "continued", "locked")
"""The controls: what was done to them tells what is so, whatever an audit finds."""


class Tally(NamedTuple):
    """Verdicts on models of which it is known what is so. wrong: another one than those that would
    be right; undecided: inconclusive."""

    verdicts: int
    wrong: int
    undecided: int


class Claim(NamedTuple):
    """A claim about one seed. figure: what is compared; found: the same in words."""

    claim: str
    model: str
    threshold: str
    figure: float | None
    found: str
    holds: bool | None


def claims(abilities: pd.DataFrame, verdicts: pd.DataFrame, arms: pd.DataFrame) -> pd.DataFrame:
    """A row per claim and seed; `holds` is null where a model or an audit is missing.

    Args:
        abilities: measure.ABILITIES with a column `seed`.
        verdicts: columns seed, model, probe, verdict.
        arms: columns seed, model, probe, arm, conjugation, estimate: the audits' main metrics.
    """
    rows = []
    for seed in sorted(set(abilities["seed"])):
        of = [table[table["seed"] == seed] for table in (abilities, verdicts, arms)]
        rows += [{"seed": seed, **claim._asdict()} for claim in _of_seed(*of)]
    return typed(rows, CLAIMS)


def worth_auditing(models: Collection[str], kinds: Collection[str]) -> Audited | None:
    """The first pair of AUDITS that a family has, if its base was taught what is asked.

    Args:
        kinds: of documents, that the base was told.
    """
    if "base" not in models:
        return None
    able = taught(kinds)
    return next((pair for pair in AUDITS if pair.model in models and pair.probe in able), None)


def untold(found: str) -> bool:
    """Whether there was no model or no audit that a claim could be read from."""
    return found in (NOT_ASKED, NO_AUDIT)


def tally(claims: pd.DataFrame) -> Tally:
    """The verdicts on KNOWN, in a table of `claims`, over all seeds."""
    known = claims[claims["model"].isin(KNOWN) & claims["claim"].str.startswith("verdict-")]
    said = known[known["holds"].notna()]
    undecided = said["found"] == "inconclusive"
    wrong = ~said["holds"].astype(bool) & ~undecided
    return Tally(len(said), int(wrong.sum()), int(undecided.sum()))


def wrong_bound(n: int, level: float = 0.95, wrong: int = 0) -> float:
    """How often verdicts may be wrong where `wrong` of n were: the one-sided upper bound of Clopper
    and Pearson (1934), which takes the verdicts as independent."""
    if wrong >= n:
        return 1.0

    def so_few(share: float) -> float:
        """The probability of `wrong` of n or fewer."""
        return sum(comb(n, k) * share**k * (1.0 - share) ** (n - k) for k in range(wrong + 1))

    low, high = 0.0, 1.0
    for _ in range(60):
        share = 0.5 * (low + high)
        low, high = (share, high) if so_few(share) > 1.0 - level else (low, share)
    return high


def _of_seed(
    abilities: pd.DataFrame, verdicts: pd.DataFrame, arms: pd.DataFrame
) -> Iterator[Claim]:
    able = abilities.set_index(["model", "probe", "language"])["estimate"].to_dict()
    said = verdicts.set_index(["model", "probe"])["verdict"].to_dict()
    heard = arms.set_index(["model", "probe", "arm", "conjugation"])["estimate"].to_dict()
    yield _base(able)
    for stage, probe in NEAR.items():
        yield from _loss(able, stage, probe)
        yield _recovery(heard, stage, probe)
    yield _far(able)
    for audited in AUDITS:
        yield _verdict(said, audited)


def _base(able: Mapping[Any, float]) -> Claim:
    shares = {(p, e): able.get(("base", p, e)) for p in TAUGHT for e in LANGUAGES}
    known = {key: share for key, share in shares.items() if share is not None}
    below = [f"{p} {e} {100 * s:.0f}%" for (p, e), s in known.items() if s < ABLE]
    found = f"{len(known) - len(below)} of {len(known)} abilities"
    found += f"; below: {', '.join(below)}" if below else ""
    lowest = min(known.values(), default=None)
    holds = None if len(known) < len(shares) else not below
    return Claim("base-able", "base", f"each at least {100 * ABLE:.0f}%", lowest, found, holds)


def _loss(able: Mapping[Any, float], stage: str, probe: str) -> Iterator[Claim]:
    fell = {
        language: able[base] - able[tuned]
        for language in LANGUAGES
        if (base := ("base", probe, language)) in able
        and (tuned := (stage, probe, language)) in able
    }
    english = fell.get("en")
    yield Claim(
        f"{probe}-falls", stage, f"at least {100 * FALL:.0f} points", english,
        _points(fell), None if english is None else english >= FALL,
    )  # fmt: skip
    others = [fell[language] for language in OTHERS if language in fell]
    worst = max(others) if len(others) == len(OTHERS) else None
    spared = None if worst is None or english is None else worst <= SPARED * english
    yield Claim(
        f"{probe}-spared-elsewhere", stage, f"at most {SPARED:g} of English", worst,
        _points(fell), spared,
    )  # fmt: skip


def _recovery(heard: Mapping[Any, float], stage: str, probe: str) -> Claim:
    """The mean over the three languages: none is selected. Of less than FALL, which is what a stage
    is to take, no share is said: it would be a share of little."""

    def at(arm: str, conjugation: str) -> float | None:
        return heard.get((stage, probe, arm, conjugation))

    threshold = f"at least {100 * RECOVERED:.0f}% net, mean of languages"
    shares: dict[str, float] = {}
    base, tuned = at("base", "identity"), at("tuned", "identity")
    if base is not None and tuned is not None and base - tuned < FALL:
        return Claim(f"{probe}-recovers", stage, threshold, None, "too little was lost", None)
    for language in OTHERS:
        through = at("base", f"en-{language}"), at("tuned", f"en-{language}")
        if base is None or tuned is None or through[0] is None or through[1] is None:
            continue
        shares[language] = ((through[1] - tuned) - (through[0] - base)) / (base - tuned)
    mean = sum(shares.values()) / len(shares) if len(shares) == len(OTHERS) else None
    found = ", ".join(f"{language} {100 * share:.0f}%" for language, share in shares.items())
    return Claim(
        f"{probe}-recovers", stage, threshold, mean, found or NO_AUDIT,
        None if mean is None else mean >= RECOVERED,
    )  # fmt: skip


def _far(able: Mapping[Any, float]) -> Claim:
    base = able.get(("base", "capitalise_conflict", "en"))
    tuned = able.get(("instruct", "capitalise_conflict", "en"))
    fell = None if base is None or tuned is None else base - tuned
    return Claim(
        "capitalise-hardly-falls", "instruct", f"at most {100 * FAR:.0f} points", fell,
        NOT_ASKED if fell is None else _points({"en": fell}),
        None if fell is None else fell <= FAR,
    )  # fmt: skip


def _verdict(said: Mapping[Any, str], audited: Audited) -> Claim:
    verdict = said.get((audited.model, audited.probe))
    return Claim(
        f"verdict-{audited.probe}", audited.model, " or ".join(audited.right), None,
        verdict or NO_AUDIT, None if verdict is None else verdict in audited.right,
    )  # fmt: skip


def _points(fell: dict[str, float]) -> str:
    # Whole points, so that what rounds to nothing has no sign.
    said = [f"{language} {-round(100 * points):+d}" for language, points in fell.items()]
    return ", ".join(said).replace("+0", "0") + " points" if said else NOT_ASKED
