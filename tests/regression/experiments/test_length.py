"""Experiment 7 on answers whose truth is known."""

import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from tests.regression.table_rows import only, rows

from unskew.regression.bayes import ridge
from unskew.regression.config import Length
from unskew.regression.experiments.length import length
from unskew.regression.fit import build
from unskew.regression.priors import Continuous
from unskew.regression.prompts import PromptStream

TRAINED, LONGEST, SIGMA = 3, 7, 0.5


def table() -> pd.DataFrame:
    prompts = PromptStream(Continuous(), 2, LONGEST, SIGMA, seed=0, stream="test").batch(0, 500)
    best = ridge(prompts.x.double(), prompts.y.double(), SIGMA, 1.0).prediction
    forgets = best.clone()
    forgets[:, TRAINED + 1 :] = 0.0
    return length({"learned": forgets, "rotary": best}, prompts, TRAINED, SIGMA, 1.0, seed=0)


def test_every_count_of_every_arm_and_notes_beyond_training() -> None:
    found = table()
    for arm in ("learned", "rotary", "ridge"):
        by_count = [row for row in rows(found, arm=arm) if row["k"] is not None]
        assert [row["k"] for row in by_count] == list(range(LONGEST + 1))
        noted = [row["k"] for row in by_count if row["note"] is not None]
        assert noted == ([] if arm == "ridge" else list(range(TRAINED + 1, LONGEST + 1)))
    assert "never trained" in only(found, arm="learned", k=LONGEST)["note"]


def test_ratio_tells_who_goes_on_and_who_stops() -> None:
    found = table()

    def ratio(arm: str, span: str):
        return only(found, metric="ratio_to_ridge", arm=arm, span=span)

    assert ratio("learned", "0..3")["estimate"] == pytest.approx(1)
    assert ratio("learned", "0..3")["note"] is None
    assert ratio("learned", "4..7")["low"] > 2
    assert ratio("learned", "4..7")["note"] is not None
    assert ratio("rotary", "4..7")["estimate"] == pytest.approx(1)


@pytest.mark.parametrize(("layout", "rows"), [("paired", 8), ("interleaved", 15)])
def test_every_model_reaches_the_longest_prompt(layout: str, rows: int) -> None:
    shape = {"layers": 1, "heads": 1, "width": 8, "layout": layout}
    config = Length.model_validate({"d": 2, "exemplars": 3, "longest": 7, "model": shape})
    arms = config.arms()
    assert list(arms) == ["learned", "learned-random-offset", "rotary"]
    for positions, run in arms.items():
        model = build(run)
        assert model.config.positions == positions
        assert model(torch.zeros(1, 8, 2), torch.zeros(1, 8)).shape == (1, 8)
        if model.positions is not None:
            assert model.positions.shape == (rows, 8)


@pytest.mark.parametrize(
    "wrong",
    [{"longest": 12}, {"model": {"positions": "rotary"}}, {"model": {"capacity": 50}}],
)
def test_settings_that_would_be_ignored_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="longest"):
        Length.model_validate({"exemplars": 12} | wrong)
