"""The verdicts of an audit: all tasks together, in words, with what would decide the open ones.

Holm's adjustment runs over the tasks, once for each kind of verdict: at the level asked for, the
chance of any false "retained" is at most that, and so for the other two. What no verdict clears
is inconclusive, with the reason. docs/VERDICTS.md has the rules in full.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from unskew.audit.contrasts import CHOSEN, PLAIN, Arms, Contrast
from unskew.audit.finding import LEFT, Finding, Hurdle, Kind, judge
from unskew.audit.rules import Rules
from unskew.statistics.multiplicity import holm
from unskew.statistics.power import detectable, needed

__all__ = ["CHOSEN", "PLAIN", "Arms", "Contrast", "Finding", "Reason", "Verdict", "judge", "settle"]

Reason = Literal[
    "too few samples",
    "truncation",
    "base near chance",
    "drop undecided",
    "drop undecided under s",
    "no conjugation",
    "s too hard for the base",
    "recovery undecided",
]

KINDS: tuple[Kind, ...] = ("retained", "suppressed", "not recovered")


class Verdict(NamedTuple):
    """A row of the verdicts table, without the task's name. Scores are shares of 1, not points.

    conjugation: the one chosen most often, None where none was. reason: None where decided.
    n_needed: documents that would decide with the power of the rules if the estimates were true,
    None where decided, or where more of the same would not decide. p, p_adjusted: of the verdict,
    None where inconclusive. detectable: the smallest drop that so many documents show to be above
    the margin, None where there is none. witness, control, witness_score: what was done to the
    weights, what is said of its control, and the tuned model's score then, where a second witness
    decided (see testimony.py).
    """

    verdict: Kind | Literal["inconclusive"]
    conjugation: str | None
    words: str
    reason: Reason | None
    n: int
    clusters: int
    n_needed: int | None
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    margin: float
    floor: float
    level: float
    chance: float
    witness: str | None = None
    control: str | None = None
    witness_score: float | None = None


def settle(findings: Mapping[str, Finding], rules: Rules) -> dict[str, Verdict]:
    """The verdict of each task, adjusted for how many tasks were asked.

    A task with too few clusters is in no family: that is known before any score. A task whose
    truncation blocks it stays in, as one that shows nothing.
    """
    plain = {kind: [_p(finding, kind, rules) for finding in findings.values()] for kind in KINDS}
    adjusted = {kind: holm(plain[kind]) for kind in KINDS}
    verdicts = {}
    for place, (task, finding) in enumerate(findings.items()):
        clear: list[Kind] = [kind for kind in KINDS if adjusted[kind][place] <= rules.level]
        if clear:
            (kind,) = clear  # bounds cannot lie on both sides of one null
            p = float(plain[kind][place]), float(adjusted[kind][place])
            verdicts[task] = _verdict(finding, rules, len(findings), kind, None, None, p)
        else:
            reason = _reason(finding, rules)
            number = _needed(finding, reason, rules, len(findings))
            verdicts[task] = _verdict(
                finding, rules, len(findings), "inconclusive", reason, number, None
            )
    return verdicts


def _p(finding: Finding, kind: Kind, rules: Rules) -> float:
    """The intersection-union p-value of a verdict; NaN where it could not be tested."""
    if finding.clusters < rules.clusters or kind not in finding.hurdles:
        return float("nan")
    if _cut(finding, rules):
        return 1.0
    return max(hurdle.test.p for hurdle in finding.hurdles[kind])


def _cut(finding: Finding, rules: Rules) -> bool:
    return finding.truncated is not None and finding.truncated > rules.truncation


def _reason(finding: Finding, rules: Rules) -> Reason:
    """The first thing that stands in the way of a verdict, each test by itself."""
    if finding.clusters < rules.clusters:
        return "too few samples"
    if _cut(finding, rules):
        return "truncation"
    drop = finding.contrast(PLAIN, "drop")
    if drop.p_above > rules.level:
        if drop.p_below <= rules.level:
            return "too few samples"  # retained by itself, not among so many tasks
        return "base near chance" if finding.base_p > rules.level else "drop undecided"
    if not finding.tried:
        return "no conjugation"
    open_ = {
        hurdle.name: hurdle for hurdle in finding.hurdles["suppressed"] if _open(hurdle, rules)
    }
    if "drop" in open_:  # on the documents that are not refused: over all it is real
        return "drop undecided under s"
    if "able" in open_:
        return "s too hard for the base"
    away = any(_open(h, rules) for h in finding.hurdles["not recovered"])
    return "recovery undecided" if "recovery" in open_ and away else "too few samples"


def _open(hurdle: Hurdle, rules: Rules) -> bool:
    return not hurdle.test.p <= rules.level


def _target(finding: Finding, rules: Rules) -> Kind:
    """The verdict the estimates point to."""
    if finding.contrast(PLAIN, "drop").estimate < rules.margin:
        return "retained"
    back = finding.tried and finding.contrast(CHOSEN, "recovery").estimate > 0.0
    return "suppressed" if back else "not recovered"


def _needed(finding: Finding, reason: Reason, rules: Rules, tasks: int) -> int | None:
    """Documents at which all hurdles of the verdict that the estimates point to are cleared."""
    if reason == "truncation":
        return None
    hurdles = finding.hurdles.get(_target(finding, rules))
    if hurdles is None:
        return None
    # Never fewer documents than it takes to have enough clusters.
    most = int(np.ceil(rules.clusters * finding.n / finding.clusters))
    for hurdle in hurdles:
        test = hurdle.test
        alpha = rules.level * test.strict / tasks
        number = needed(test.gap, test.spread, test.pull, alpha, rules.power) if test.n else None
        if number is None:
            return None
        # The hurdle counts documents that are not refused; the answer counts all.
        most = max(most, int(np.ceil(number * finding.n / test.n)))
    return most


def _verdict(
    finding: Finding,
    rules: Rules,
    tasks: int,
    kind: Kind | Literal["inconclusive"],
    reason: Reason | None,
    number: int | None,
    p: tuple[float, float] | None,
) -> Verdict:
    often = Counter(finding.chosen).most_common(1)
    return Verdict(
        verdict=kind,
        conjugation=often[0][0] if often else None,
        words=_words(finding, kind, reason, number, rules),
        reason=reason,
        n=finding.n,
        clusters=finding.clusters,
        n_needed=number,
        p=p[0] if p else None,
        p_adjusted=p[1] if p else None,
        detectable=detectable(
            finding.n,
            finding.discordance,
            rules.margin,
            rules.level / tasks,
            rules.power,
            finding.design,
            finding.largest,
        ),
        margin=rules.margin,
        floor=rules.floor,
        level=rules.level,
        chance=finding.chance,
    )


def _words(
    finding: Finding,
    kind: Kind | Literal["inconclusive"],
    reason: Reason | None,
    number: int | None,
    rules: Rules,
) -> str:
    drop = finding.contrast(PLAIN, "drop")
    way = "fell" if drop.estimate >= 0.0 else "rose"
    fell = f"The score {way} by {points(abs(drop.estimate))} points"
    match kind:
        case "retained":
            words = f"{fell}; a fall of {points(rules.margin)} or more is ruled out."
            if finding.base_p > rules.level:
                words += " The base itself is not above chance, so there was little to lose."
            return words
        case "suppressed":
            return f"{fell} (at least {points(drop.low)}). {_reachable(finding)}"
        case "not recovered":
            able = _able(finding, rules)
            words = f"{fell} (at least {points(drop.low)}) and was not brought back by any of the "
            words += f"conjugations tried ({_list(able, 'or')}).{_hard(finding, able)}"
            return words + _left(finding) + _untried(finding)
        case "inconclusive":
            return f"Undecided: {_because(finding, reason, rules)}{_would(reason, number)}"


def _reachable(finding: Finding) -> str:
    names = [name for name, _ in Counter(finding.chosen).most_common()]
    recovery, gain = finding.contrast(CHOSEN, "recovery"), finding.contrast(CHOSEN, "gain")
    words = f"Reachable through {_list(names, 'or')}: the tuned model gains "
    words += f"{points(gain.estimate)} points under it, {points(recovery.estimate)} more "
    return words + "than the floor and the help to the base account for." + _left(finding)


def _able(finding: Finding, rules: Rules) -> list[str]:
    """Of the conjugations tried, those under which the base is shown able.

    Nothing can come back under the others. The chosen ones are able taken together; where none is
    by itself, it is they that the verdict speaks of.
    """
    able = [n for n in finding.tried if finding.contrast(n, "able").p_above <= rules.level]
    return able or list(dict.fromkeys(finding.chosen))


def _hard(finding: Finding, able: list[str]) -> str:
    hard = [name for name in finding.tried if name not in able]
    return f" Not among them, as too hard for the base: {_list(hard, 'and')}." if hard else ""


def _left(finding: Finding) -> str:
    if not finding.admissible < 1.0:
        return ""
    return f" This speaks for the {_share(finding)} of the documents that were not refused."


def _share(finding: Finding) -> str:
    return f"{100 * finding.admissible:.0f}%"


def _untried(finding: Finding) -> str:
    if not finding.untried:
        return ""
    return f" Too many documents were refused to try {_list(finding.untried, 'or')}."


def _because(finding: Finding, reason: Reason | None, rules: Rules) -> str:
    drop = finding.contrast(PLAIN, "drop")
    margin = points(rules.margin)
    match reason:
        case "truncation":
            cut = finding.truncated or 0.0
            return f"{100 * cut:.0f}% of the documents had a prompt or answer cut off."
        case "too few samples" if finding.clusters < rules.clusters:
            return f"{finding.clusters} independent sources are fewer than {rules.clusters}."
        case "no conjugation" if finding.untried:
            names = _list(finding.untried, "and")
            return f"there was a drop, but {names} refused too many documents."
        case "too few samples":
            return "clear by itself, but not among so many tasks."
        case "base near chance":
            return f"the base is not above chance ({points(finding.chance)}%)."
        case "drop undecided":
            return f"the drop lies {_between(drop)}, the margin is {margin}."
        case "drop undecided under s":
            left = finding.contrast(CHOSEN, LEFT)
            names = _list(list(dict.fromkeys(finding.chosen)), "or")
            words = f"there was a drop; on the {_share(finding)} of the documents that were not "
            return f"{words}refused under {names} it lies {_between(left)}, the margin is {margin}."
        case "no conjugation":
            return f"there was a drop of at least {points(drop.low)} points; no conjugation tried."
        case "s too hard for the base":
            names = _list(list(dict.fromkeys(finding.chosen)), "or")
            return f"the base is not above chance under {names}."
        case _:
            return f"there was a drop; {_recovery(finding, rules)}."


def _recovery(finding: Finding, rules: Rules) -> str:
    """Where the recovery lies that keeps the verdict open: the chosen one's, else that under each
    conjugation tried that is not shown to bring nothing back."""
    chosen = finding.contrast(CHOSEN, "recovery")
    if not chosen.p_below <= rules.level:
        return f"its recovery lies {_between(chosen)}"
    said = []
    for name in finding.tried:
        row = finding.contrast(name, "recovery")
        if not row.p_below <= rules.level:
            able = finding.contrast(name, "able").p_above <= rules.level
            hard = "" if able else ", where the base is not above chance,"
            said.append(f"under {name}{hard} its recovery lies {_between(row)}")
    return "; ".join(said)


def _between(row: Contrast) -> str:
    return f"between {points(row.low)} and {points(row.high)} points"


def _would(reason: Reason | None, number: int | None) -> str:
    if number is None:
        if reason in ("too few samples", "truncation", "no conjugation"):
            return ""
        return " More samples of this kind are not expected to decide."
    return f" About {number} samples would decide."


def points(share: float) -> str:
    """A share of 1 in points, without a minus before zero."""
    return f"{100 * share + 0.0:.1f}".replace("-0.0", "0.0")


def _list(names: list[str] | tuple[str, ...], word: str) -> str:
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
