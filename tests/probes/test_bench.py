"""From what three models answered to rows: what a probe must beat, and which layer is read."""

from typing import Any

import numpy as np
import pytest

from probes import facts
from unskew.probes import bench
from unskew.probes.bench import Answered, rows
from unskew.probes.verdict import verdict
from unskew.training import Adam, Training

N = 60
NAMES = [f"c{i}" for i in range(N)]
ALPHA = 0.05 / 3
HALF = np.repeat([1.0, 0.0], N // 2)
NOTHING, ALL = np.zeros(N), np.ones(N)


def direct(model: np.ndarray) -> list[Any]:
    mine, theirs, oracle = ({0: Answered(scores)} for scores in (model, ALL, NOTHING))
    return rows(bench.Direct(), mine, theirs, oracle, model, NAMES, ALPHA)


def relearnt(area: np.ndarray, plain: np.ndarray, oracle: bool = True) -> list[Any]:
    learnt = np.ones(1)
    mine = {0: Answered(area, control=NOTHING, learnt=learnt)}
    theirs = {0: Answered(ALL, learnt=learnt)}
    none = {0: Answered(NOTHING, learnt=learnt)} if oracle else None
    return rows(bench.Relearnt("forget"), mine, theirs, none, plain, NAMES, ALPHA)


@pytest.mark.parametrize("oracle", [True, False])
def test_relearning_that_adds_nothing_to_the_plain_question_is_no_witness(oracle: bool) -> None:
    # Half is answered anyway: the curve is flat, and yet far above an oracle's.
    (flat,) = relearnt(HALF, HALF, oracle)
    assert flat.low > 0.2
    assert flat.beats <= 0
    assert verdict([*direct(HALF), flat], 0.2, oracle).verdict == "inconclusive"
    (steep,) = relearnt(np.maximum(HALF, 0.9), HALF, oracle)
    assert steep.beats > 0
    found = verdict([*direct(HALF), steep], 0.2, oracle)
    assert (found.verdict, found.witness) == ("suppressed", "relearning forget")
    other = "the oracle's relearning" if oracle else "a novel task"
    assert steep.control == f"{other} and the plain question"
    assert steep.chance == steep.reference == 0.0


@pytest.mark.parametrize("oracle", [True, False])
def test_relearning_counts_only_where_the_control_learnt_what_it_was_shown(oracle: bool) -> None:
    def tried(mine: float, control: float | None) -> Any:
        told = None if control is None else np.array([control])
        model = Answered(ALL, control=NOTHING, learnt=np.array([mine]))
        none = {0: Answered(NOTHING, learnt=told)} if oracle else None
        mine_ = {0: model if oracle else model._replace(novel_learnt=told)}
        theirs = {0: Answered(ALL, learnt=np.ones(1))}
        (found,) = rows(bench.Relearnt("forget"), mine_, theirs, none, NOTHING, NAMES, ALPHA)
        return found

    assert tried(1.0, 0.5).low > 0.2
    assert tried(1.0, None).low > 0.2  # kept before it was asked
    for found, who in ((tried(1.0, 0.4), "the control did not"), (tried(0.4, 0.4), "not even")):
        assert (found.estimate, found.beats) == (None, None)
        assert found.note.startswith(who)
        assert verdict([*direct(NOTHING), found], 0.2, oracle).verdict == "inconclusive"
    unrelated = {0: Answered(ALL, control=NOTHING)}
    none = {0: Answered(NOTHING)} if oracle else None
    (benign,) = rows(bench.Relearnt("benign"), unrelated, unrelated, none, NOTHING, NAMES, ALPHA)
    assert benign.note == ""


def test_what_the_novel_task_learnt_is_kept() -> None:
    documents = facts.colours()
    short = Training(steps=1, batch=4, decay=0.0, optimiser=Adam(lr=1e-4))
    asking = bench.Asking(
        documents[:8], documents[8:12], {}, {"disjoint": facts.shapes()[:6], "benign": []},
        short, "exact", novel=True,
    )  # fmt: skip
    model = facts.family()["original"]
    found = bench.answered(bench.Relearnt("forget"), model, asking, 0)
    told = found.learnt, found.novel_learnt, found.curve, found.novel
    assert [None if one is None else one.shape for one in told] == [(1,), (1,), (2, 4), (2, 4)]
    # It knows the colours; others it does not learn in a step.
    assert found.learnt == 1.0
    assert found.novel_learnt == 0.0
    other = bench.answered(bench.Relearnt("disjoint"), model, asking, 0)
    assert other.learnt == other.novel_learnt == 1.0  # what was shown is the same to both
    plain = bench.answered(bench.Relearnt("forget"), model, asking._replace(novel=False), 0)
    assert plain.novel is plain.novel_learnt is None
    np.testing.assert_array_equal(plain.curve, found.curve)


def test_where_the_original_is_not_above_the_oracle_the_model_is_compared_with_it_alone() -> None:
    few = [f"c{i % 15}" for i in range(N)]
    none = {0: Answered(NOTHING)}
    for model, above in ((NOTHING, False), (HALF, True)):
        for names in (NAMES, few):  # blind; too few clusters to be asked
            mine = {0: Answered(model)}
            (found,) = rows(bench.Rounded(4), mine, none, none, NOTHING, names, ALPHA)
            assert found.estimate is None
            assert found.note
            assert found.over is not None
            assert (found.over > 0) == above
    (found,) = rows(bench.Rounded(4), {0: Answered(HALF)}, none, None, NOTHING, NAMES, ALPHA)
    assert found.over is None
    seen = direct(HALF)[0]
    assert (seen.estimate, seen.over) == (0.5, None)


def test_a_suffix_must_beat_the_plain_question_too() -> None:
    mine = {0: Answered(HALF, control=NOTHING)}
    theirs, none = {0: Answered(ALL)}, {0: Answered(NOTHING)}
    (found,) = rows(bench.Suffix(), mine, theirs, none, HALF, NAMES, ALPHA)
    assert found.beats is not None
    assert found.beats <= 0
    assert found.control == "a suffix for random answers and the plain question"


def test_the_layer_is_the_one_that_the_original_shows_most_at_on_documents_not_asked() -> None:
    layers = np.stack([NOTHING, HALF, ALL])
    chance = np.full((3, N), 0.1)
    mine = {0: Answered(layers=layers[::-1], chance=chance, choice=np.array([0.9, 0.0, 0.0]))}
    theirs = {0: Answered(layers=layers, chance=chance, choice=np.array([0.0, 0.2, 0.8]))}
    none = {0: Answered(layers=layers * 0, chance=chance, choice=np.zeros(3))}
    (found,) = rows(bench.Linear(), mine, theirs, none, NOTHING, NAMES, ALPHA)
    assert (found.model, found.original, found.chance) == (0.0, 1.0, pytest.approx(0.1))
    assert found.control == "shuffled labels"
