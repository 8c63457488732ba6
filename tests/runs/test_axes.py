"""Axes: what they mean, which cells they make, and what is refused before anything runs."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from toys import AnyToy, Toy
from unskew.errors import UserError
from unskew.runs.axes import MOST_CELLS, Cell, grid, parse

SCHEMA: TypeAdapter[Any] = TypeAdapter(AnyToy)


# --- what an axis means ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=0.2,0.5", (0.2, 0.5)),
        ("a=[0.2, 0.5]", (0.2, 0.5)),
        ("a=0.2", (0.2,)),
        ("a=1e-3, 3e-3", (0.001, 0.003)),
        ("a=0..4", (0, 1, 2, 3, 4)),
        ("a=-1..1", (-1, 0, 1)),
        ("a=7..7", (7,)),
        ("a=0..2,9", (0, 1, 2, 9)),
        ("a=[0..2]", (0, 1, 2)),
        ("a=adam,muon", ("adam", "muon")),
        ('a="x,y",z', ("x,y", "z")),
        ("a=null,1", (None, 1)),
        ("a=no,true", ("no", True)),
        ("a=[[1, 2]]", ([1, 2],)),
        ("a=[1, 2],[1, 3]", ([1, 2], [1, 3])),
        ("a=[[]]", ([],)),
        ("a={kind: wide},{kind: narrow, n: 3}", ({"kind": "wide"}, {"kind": "narrow", "n": 3})),
        ("a=b=c", ("b=c",)),
    ],
)
def test_values_of_an_axis(text: str, values: tuple[Any, ...]) -> None:
    axis = parse(text)
    assert axis == ("a", values)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "key=values"),
        ("=3", "key=values"),
        ("a=", "no value"),
        ("a=[]", "no value"),
        ("a=1,", "ends in a comma"),
        ("a=,1", "not valid YAML"),
        ("a=1,,2", "not valid YAML"),
        ("a=[1,2", "not valid YAML"),
        ("a={x: 1", "not valid YAML"),
        ("a=!!set {a}", "not valid YAML"),
        ("a=&a [*a]", "not valid YAML"),
        (f"a={'[' * 3000}{']' * 3000}", "nested too deeply"),
        ("a=1,1", "the value 1 is given twice"),
        ("a=0..3,2", "the value 2 is given twice"),
        ("a=4..1", "write 1..4"),
        ("a=0.1..0.5", "two whole numbers"),
        ("a=0..99999999999999", "more than"),
    ],
)
def test_an_axis_that_is_none(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert said in str(caught.value)


# --- which cells there are ------------------------------------------------------------------------


def test_every_combination_the_last_axis_turns_fastest(preset: str) -> None:
    cells = grid(preset, ["steps=1..3", "prior.alpha=0,0.5"], SCHEMA).cells
    assert [cell.number for cell in cells] == [1, 2, 3, 4, 5, 6]
    assert [(c.config.steps, c.config.prior.alpha) for c in cells] == [  # type: ignore[attr-defined]
        (1, 0.0), (1, 0.5), (2, 0.0), (2, 0.5), (3, 0.0), (3, 0.5)
    ]  # fmt: skip
    assert cells[3].label == "steps=2 prior.alpha=0.5"


def test_values_reach_the_configuration_as_they_were_meant(preset: str) -> None:
    texts = ["gammas=[1, 2],[[1.5]]", "label=no,'a: \"b\" # é'"]
    with pytest.raises(UserError, match=r"cell 3 of 4 .*gammas\[0\]"):
        grid(preset, texts, SCHEMA)
    cells = grid(preset, ["gammas=[1, 2],[1.5]", texts[1], "clip=null,1e-3"], SCHEMA).cells
    configs = [cell.config for cell in cells]
    assert {c.gammas for c in configs} == {(1, 2), (1.5,)}  # type: ignore[attr-defined]
    assert {c.label for c in configs} == {"no", 'a: "b" # é'}  # type: ignore[attr-defined]
    assert {c.clip for c in configs} == {None, 0.001}  # type: ignore[attr-defined]


def test_no_axis_is_one_cell_and_what_is_fixed_is_no_axis(preset: str) -> None:
    (cell,) = grid(preset, [], SCHEMA, ["steps=7"]).cells
    assert cell == Cell(1, {}, Toy(steps=7))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["steps=1,x"], "cell 2 of 2 (steps=x): steps: should be a valid integer"),
        (["stepz=1,2"], "cell 1 of 2 (stepz=1): stepz: unknown key; did you mean 'steps'?"),
        (["prior.alpha=0..2"], "cell 3 of 3 (prior.alpha=2): prior.alpha: should be less than"),
        (["gammas=1,2"], "a second pair of brackets, as in: gammas=[[1, 2]]"),
        (["steps=1", "steps=2"], "steps: this key is swept twice"),
        (["prior={kind: wide}", "prior.tau=1,2"], "one in the other"),
        (["steps=1,2", "device=cpu,cuda"], "cells 1 (steps=1 device=cpu) and 2"),
        (
            ["steps=1..200", "prior.narrow.n=1..200"],
            f"40,000 cells are more than the {MOST_CELLS:,}",
        ),
    ],
)
def test_a_grid_that_is_refused_names_the_cell(preset: str, texts: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        grid(preset, texts, SCHEMA)
    assert said in str(caught.value)


def test_what_is_wrong_with_the_preset_is_no_cells_fault(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("kind: toy\nstepz: 3\n")
    for name, said in (("demoo", "no preset 'demoo'"), (str(path), "stepz: unknown key")):
        with pytest.raises(UserError) as caught:
            grid(name, ["steps=1,2"], SCHEMA)
        assert said in str(caught.value)
        assert "cell" not in str(caught.value)


def test_a_cell_without_axes_is_told_without_brackets() -> None:
    assert Cell(1, {}, Toy()).told == ""
    assert Cell(2, {"steps": 3}, Toy()).told == " (steps=3)"
