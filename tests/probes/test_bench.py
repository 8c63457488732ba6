"""From what three models answered to rows: what a probe must beat, and which layer is read."""

from typing import Any

import numpy as np
import pytest

from unskew.probes import bench
from unskew.probes.bench import Answered, rows
from unskew.probes.verdict import verdict

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
