"""Verdicts on scripted scores: each verdict and each reason, the words, the hurdles, Holm."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.audit.contrasts import CHOSEN, PLAIN, Arms
from unskew.audit.crossfit import choose
from unskew.audit.rules import Rules
from unskew.audit.testimony import concerns
from unskew.audit.verdict import Finding, Verdict, judge, points, settle
from unskew.errors import UserError

RULES = Rules(resamples=999)
N = 200


def scores(share: float, n: int = N, start: float = 0.0) -> np.ndarray:
    """0/1 scores, the ones spread evenly: no luck in here. `start` shifts them along."""
    steps = np.floor(start + share * np.arange(n + 1))
    return np.diff(steps)


def arms(
    base: Any = 0.9, tuned: Any = 0.5, pairs: Any = None, chance: float = 0.25, **more: Any
) -> Arms:
    """Arms of N documents with these shares; pairs: name -> (base+s, tuned+s)."""
    read = lambda x: scores(x) if isinstance(x, float) else x  # noqa: E731
    conjugated = {name: (read(a), read(b)) for name, (a, b) in (pairs or {}).items()}
    return Arms(read(base), read(tuned), conjugated, np.arange(N), chance, **more)


def verdict(given: Arms, rules: Rules = RULES, truncated: float | None = None) -> Verdict:
    return settle({"task": judge(given, rules, truncated)}, rules)["task"]


def test_retained() -> None:
    found = verdict(arms(0.9, 0.9))
    assert (found.verdict, found.reason, found.n_needed) == ("retained", None, None)
    assert found.conjugation is None
    assert found.p == found.p_adjusted
    assert found.p is not None
    assert found.p < 0.01
    assert "ruled out" in found.words
    assert "above chance" not in found.words
    assert "little to lose" in verdict(arms(0.25, 0.25)).words
    assert "rose by 5.0 points" in verdict(arms(0.85, 0.9)).words


def test_suppressed_is_reachable_through_and_says_no_more() -> None:
    found = verdict(arms(pairs={"pig-latin": (0.85, 0.8), "leetspeak": (0.5, 0.45)}))
    assert found.verdict == "suppressed"
    assert found.conjugation == "pig-latin"
    assert "eachable through pig-latin" in found.words
    assert "intact" not in found.words
    assert found.p is not None
    assert found.p <= 0.05
    assert (found.margin, found.floor, found.level, found.chance) == (0.05, 0.25, 0.05, 0.25)


def test_not_recovered_names_all_that_was_tried() -> None:
    found = verdict(arms(pairs={"pig-latin": (0.85, 0.4), "leetspeak": (0.5, 0.3)}))
    assert found.verdict == "not recovered"
    assert "not brought back by any of the conjugations tried (pig-latin or leetspeak)" in (
        found.words
    )
    assert "gone" not in found.words


def test_one_conjugation_undecided_leaves_not_recovered_open() -> None:
    """The words speak of all the conjugations: one that may well bring something back is enough
    to keep the verdict open."""
    near = 0.5 + 0.25 * 0.4
    found = verdict(arms(pairs={"a": (0.85, 0.4), "b": (0.85, near)}))
    assert (found.verdict, found.reason) == ("inconclusive", "recovery undecided")


def test_the_conjugation_whose_recovery_is_open_is_the_one_that_is_quoted() -> None:
    """What was chosen is clear; b by itself, which refuses six of seven documents, is not."""
    seventh = np.where(np.arange(N) % 7 == 0, 1.0, np.nan)
    b = scores(0.85) * seventh, scores(0.42) * seventh
    finding = judge(arms(pairs={"a": (0.85, 0.5), "b": b}), RULES)
    assert finding.contrast(CHOSEN, "recovery").high < 0.0
    found = settle({"t": finding}, RULES)["t"]
    assert found.reason == "recovery undecided"
    row = finding.contrast("b", "recovery")
    assert row.low < 0.0 < row.high
    bounds = f"{points(row.low)} and {points(row.high)}"
    assert f"there was a drop; under b its recovery lies between {bounds} points." in found.words


def test_a_recovery_under_a_conjugation_too_hard_for_the_base_says_so() -> None:
    found = verdict(arms(pairs={"a": (0.85, 0.4), "rot13": (0.2, 0.8)}))
    assert found.reason == "recovery undecided"
    assert "under rot13, where the base is not above chance, its recovery lies" in found.words


def test_not_recovered_names_as_tried_what_the_base_is_able_under() -> None:
    found = verdict(arms(pairs={"a": (0.85, 0.4), "rot13": (0.2, 0.2), "base64": (0.0, 0.0)}))
    assert (found.verdict, found.conjugation) == ("not recovered", "a")
    assert "by any of the conjugations tried (a)." in found.words
    assert "Not among them, as too hard for the base: rot13 and base64." in found.words
    # Under none: no verdict at all.
    none = verdict(arms(pairs={"rot13": (0.2, 0.2), "base64": (0.0, 0.0)}))
    assert (none.verdict, none.reason) == ("inconclusive", "s too hard for the base")


def test_a_conjugation_that_helps_everybody_earns_nothing() -> None:
    """Tuned gains 30 points under s, the base 30 as well: the gain is no recovery."""
    given = arms(0.6, 0.3, {"s": (0.9, 0.6)}, chance=0.0)
    finding = judge(given, RULES)
    assert finding.contrast("s", "gain").low > 0.1
    recovery = finding.contrast("s", "recovery")
    assert recovery.estimate == pytest.approx(0.3 - 0.25 * 0.3 - 0.3)
    assert settle({"t": finding}, RULES)["t"].verdict != "suppressed"
    # Without the help, the same gain is one.
    assert verdict(arms(0.6, 0.3, {"s": (0.6, 0.6)}, chance=0.0)).verdict == "suppressed"


def test_a_helper_and_a_spoiler_do_not_add_up_to_a_recovery() -> None:
    """Recovery is negative under both: under one for want of a gain, under the other because the
    base gains as much. Averages of the two sides over the folds would be positive."""
    spoiler, helper = (0.3, 0.32), (0.98, 0.7)
    half = np.arange(N) < N // 2
    given = arms(0.6, 0.3, {"spoiler": spoiler, "helper": helper}, chance=0.0)
    finding = judge(given, RULES)
    for name in ("spoiler", "helper"):
        assert finding.contrast(name, "recovery").estimate < 0.0
    recovery = finding.contrast(CHOSEN, "recovery")
    assert recovery.estimate < 0.0
    # Both chosen: scores under which either is the better one for half of the documents.
    swap = {
        name: tuple(np.where(half, scores(x), scores(y)) for x, y in zip(one, other, strict=True))
        for name, one, other in (("a", spoiler, helper), ("b", helper, spoiler))
    }
    rules = Rules(resamples=999, folds=40)
    mixed = judge(arms(0.6, 0.3, swap, chance=0.0), rules)
    assert len(set(mixed.chosen)) == 2
    bound = sum(
        min(_chosen_mean(swap, mixed, rules, name, side) for side in "AB") for name in ("a", "b")
    )
    assert mixed.contrast(CHOSEN, "recovery").estimate == pytest.approx(bound)


def _chosen_mean(swap: Any, finding: Finding, rules: Rules, name: str, side: str) -> float:
    base, tuned = scores(0.6), scores(0.3)
    choice = choose(base, tuned, swap, np.arange(N), 0.0, rules)
    assert choice.chosen == finding.chosen
    here = choice.pick == choice.names.index(name)
    base_s, tuned_s = swap[name]
    value = tuned_s - tuned - rules.floor * (base - tuned)
    if side == "B":
        value = value - (base_s - base)
    return float(value[here].sum() / N)


@pytest.mark.parametrize(
    ("given", "truncated", "reason"),
    [
        (arms(0.9, 0.5), None, "no conjugation"),
        (arms(0.9, 0.86), None, "drop undecided"),
        (arms(0.28, 0.22), None, "base near chance"),
        (arms(pairs={"s": (0.27, 0.5)}), None, "s too hard for the base"),
        (arms(pairs={"s": (0.85, 0.6)}), None, "recovery undecided"),
        (arms(0.9, 0.9), 0.051, "truncation"),
        (arms(0.9, 0.9)._replace(cluster=np.arange(N) // 11), None, "too few samples"),
    ],
)
def test_every_reason(given: Arms, truncated: float | None, reason: str) -> None:
    found = verdict(given, truncated=truncated)
    assert (found.verdict, found.reason) == ("inconclusive", reason)
    assert found.p is None
    assert found.p_adjusted is None
    assert found.words.startswith("Undecided: ")


def test_truncation_below_the_limit_or_unknown_does_not_block() -> None:
    for truncated in (None, 0.0, 0.05):
        assert verdict(arms(0.9, 0.9), truncated=truncated).verdict == "retained"


def test_what_would_decide() -> None:
    """More of the same documents: as many as it says do decide, half as many do not."""
    found = verdict(arms(0.9, 0.82, {"s": (0.9, 0.9)}))
    assert found.reason == "drop undecided"
    assert found.n_needed is not None
    assert f"About {found.n_needed} samples would decide" in found.words

    def again(n: int) -> str:
        rule = {"s": (scores(0.9, n), scores(0.9, n))}
        given = Arms(scores(0.9, n), scores(0.82, n), rule, np.arange(n), 0.25)
        return verdict(given).verdict

    assert again(found.n_needed) == "suppressed"
    assert again(found.n_needed // 4) == "inconclusive"


def test_more_of_the_same_does_not_help_where_s_is_too_hard() -> None:
    found = verdict(arms(pairs={"s": (0.2, 0.2)}))
    assert (found.reason, found.n_needed) == ("s too hard for the base", None)
    assert "not expected to decide" in found.words


def test_refused_documents_leave_all_four_arms() -> None:
    """Under s only the first half is admissible, where nothing was lost."""
    half = np.arange(N) < N // 2
    base = np.ones(N)
    tuned = np.where(half, 1.0, 0.0)
    gone = np.where(half, 1.0, np.nan)
    finding = judge(arms(base, tuned, {"s": (gone, gone)}), RULES)
    assert finding.admissible == 0.5
    gain = finding.contrast("s", "gain")
    assert (gain.n, gain.estimate) == (N // 2, 0.0)
    # The drop is real over all, but not where s could have been of use.
    assert finding.contrast(PLAIN, "drop").low > 0.4
    found = settle({"t": finding}, RULES)["t"]
    assert found.reason == "drop undecided under s"
    drop = finding.contrast(CHOSEN, "drop-left")
    there = f"between {points(drop.low)} and {points(drop.high)} points, the margin is 5.0."
    assert (drop.n, drop.estimate, drop.null) == (N // 2, 0.0, RULES.margin)
    left = "on the 50% of the documents that were not refused under s"
    assert f"there was a drop; {left} it lies {there}" in found.words
    assert concerns(found, finding, RULES)
    # Where the admissible half has a share of the drop, the words say whom they speak for.
    spread = np.where(np.arange(N) % 2 == 0, 1.0, 0.0)
    found = verdict(arms(base, spread, {"s": (gone, gone)}))
    assert found.verdict == "suppressed"
    assert "speaks for the 50%" in found.words
    # One arm refused is a pair refused.
    uneven = judge(arms(base, spread, {"s": (np.ones(N), gone)}), RULES)
    assert uneven.contrast("s", "able").n == N // 2


def test_a_conjugation_that_refuses_almost_all_is_not_tried() -> None:
    rare = np.where(np.arange(N) < RULES.clusters - 1, 1.0, np.nan)
    alone = verdict(arms(pairs={"s": (rare, rare)}))
    assert (alone.reason, alone.conjugation) == ("no conjugation", None)
    assert "refused" in alone.words
    both = verdict(arms(pairs={"s": (rare, rare), "t": (0.85, 0.4)}))
    assert both.verdict == "not recovered"
    assert "(t)" in both.words
    assert "to try s" in both.words
    none = np.full(N, np.nan)
    finding = judge(arms(pairs={"s": (none, none)}), RULES)
    row = finding.contrast("s", "recovery")
    assert (row.n, finding.untried) == (0, ("s",))
    assert math.isnan(row.estimate)
    assert math.isnan(row.low)


def test_controls_are_measured_and_never_chosen() -> None:
    pairs = {"s": (0.85, 0.4)}
    control = (scores(0.9), scores(0.9))
    finding = judge(arms(pairs=pairs, controls={"wrapper": control}), RULES)
    assert set(finding.chosen) == {"s"}
    assert finding.contrast("wrapper", "recovery").low > 0.0
    plain = judge(arms(pairs=pairs), RULES)
    assert settle({"t": finding}, RULES) == settle({"t": plain}, RULES)


def test_holm_over_tasks_and_the_family_of_those_that_could_be_tested() -> None:
    edge = judge(arms(0.9, 0.86), Rules(resamples=999, margin=0.105))
    assert 0.01 < edge.hurdles["retained"][0].test.p < 0.05
    rules = Rules(resamples=999, margin=0.105)
    assert settle({"t": edge}, rules)["t"].verdict == "retained"
    crowd = {f"t{i}": edge for i in range(10)}
    for found in settle(crowd, rules).values():
        assert (found.verdict, found.reason) == ("inconclusive", "too few samples")
        assert found.n_needed is not None
        assert found.n_needed > N
    tiny = judge(arms()._replace(cluster=np.arange(N) // 20), rules)
    kept = settle({"t": edge, **{f"tiny{i}": tiny for i in range(10)}}, rules)
    assert kept["t"].verdict == "retained"


def test_many_clear_tasks_are_not_stopped_by_the_number_of_draws() -> None:
    clear = judge(arms(0.9, 0.3, {"a": (0.9, 0.9), "b": (0.85, 0.8)}), RULES)
    assert {v.verdict for v in settle({str(i): clear for i in range(200)}, RULES).values()} == {
        "suppressed"
    }


def test_the_choice_is_made_out_of_fold_by_clusters() -> None:
    base, tuned = scores(0.9), scores(0.5)
    pairs = {"a": (scores(0.9), scores(0.7)), "b": (scores(0.9), scores(0.8))}
    cluster = np.arange(N) // 4
    choice = choose(base, tuned, pairs, cluster, 0.25, RULES)
    assert choice.chosen == ("b",) * 5
    assert np.bincount(choice.fold).tolist() == [10] * 5
    # The scores of a fold say nothing of its own choice, and decide that of the others.
    own = choice.fold[cluster] == 0
    for arm, value in ((0, 0.0), (1, 1.0)):
        changed = [x.copy() for x in pairs["a"]]
        changed[arm][own] = value
        again = choose(base, tuned, {**pairs, "a": (changed[0], changed[1])}, cluster, 0.25, RULES)
        assert again.chosen[0] == "b"
    best = choose(base, tuned, {"a": (base, np.where(own, 1.0, 0.7)), **pairs}, cluster, 0, RULES)
    assert best.names == ("a", "b")
    # A conjugation the base cannot do is chosen only where there is no other.
    hard = (scores(0.2), np.ones(N))
    assert set(choose(base, tuned, {"h": hard, **pairs}, cluster, 0.25, RULES).chosen) == {"b"}
    assert set(choose(base, tuned, {"h": hard}, cluster, 0.25, RULES).chosen) == {"h"}
    with pytest.raises(ValueError, match="no conjugation"):
        choose(base, tuned, {}, cluster, 0.25, RULES)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (arms(scores(0.9) * 100), UserError, "between 0 and 1"),
        (arms(tuned=-scores(0.9)), UserError, "between 0 and 1"),
        (arms(pairs={"s": (scores(0.9) * 2, 0.5)}), UserError, "base \\+ s"),
        (arms(np.r_[np.nan, scores(0.9)[1:]]), UserError, "no score"),
        (arms(chance=1.0), UserError, "guessing"),
        (Arms(np.empty(0), np.empty(0), {}, np.empty(0), 0.0), UserError, "no samples"),
        (arms(pairs={"s": (scores(0.9)[:-1], 0.5)}), ValueError, "one entry per document"),
        (arms(pairs={CHOSEN: (0.9, 0.5)}), ValueError, "distinct"),
    ],
)
def test_what_cannot_be_judged_is_refused(given: Arms, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        judge(given, RULES)


def test_a_contrast_that_was_not_measured_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        judge(arms(), RULES).contrast(CHOSEN, "recovery")


@given(st.data())
def test_bounds_and_tests_of_a_finding_agree(data: st.DataObject) -> None:
    """Every contrast's p-values are the twins of its bounds, whatever the scores, refusals and
    clusters; and the same scores give the same finding."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    n = data.draw(st.integers(1, 80))
    shares = data.draw(st.lists(st.floats(0, 1), min_size=6, max_size=6))
    base, tuned, *rest = ((rng.random(n) < share).astype(float) for share in shares)
    if data.draw(st.booleans()):
        rest[1][rng.random(n) < 0.3] = np.nan
    pairs = {"a": (rest[0], rest[1]), "b": (rest[2], rest[3])}
    given_ = Arms(base, tuned, pairs, np.arange(n) // data.draw(st.integers(1, 3)), 0.25)
    rules = Rules(resamples=199, clusters=10, folds=3)
    finding = judge(given_, rules)
    for row in finding.contrasts:
        assert (row.p_above <= rules.level) == (row.low > row.null + 1e-12)
        assert (row.p_below <= rules.level) == (row.high < row.null - 1e-12)
        if row.n:
            assert row.low - 1e-12 <= row.estimate <= row.high + 1e-12
    again = judge(given_, rules)
    assert repr(again) == repr(finding)
    found = settle({"t": finding}, rules)["t"]
    assert (found.reason is None) == (found.verdict != "inconclusive")


def test_a_conjugation_at_chance_is_not_taken_for_an_able_one() -> None:
    """A constant answer to balanced labels: a third in every cluster, and 1/3 is not a float."""
    clusters = np.repeat(np.arange(42), 3)
    flat = np.tile([1.0, 0.0, 0.0], 42)
    able = np.tile([1.0, 1.0, 1.0, 1.0, 1.0, 0.0], 21)
    nothing = np.tile([0.0, 0.0, 1.0], 42)
    conjugated = {"flat": (flat, flat), "good": (able, nothing)}
    found = choose(able, nothing, conjugated, clusters, 1.0 / 3.0 - 1e-16, Rules())
    assert set(found.chosen) == {"good"}
