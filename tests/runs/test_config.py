"""Presets and overrides: what they give, and what every mistake says."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from toys import AnyToy, Mixed, Narrow, Other, Toy, Wide
from unskew.errors import UserError
from unskew.runs.config import kind, load, parse_yaml, presets, resolve
from unskew.training.config import Adam, Muon, Training

SCHEMA: TypeAdapter[Toy | Other] = TypeAdapter(AnyToy)


@pytest.fixture
def preset(tmp_path: Path) -> str:
    path = tmp_path / "toy.yaml"
    path.write_text("kind: toy\nsteps: 20\n")
    return str(path)


@pytest.fixture
def explicit(tmp_path: Path) -> str:
    path = tmp_path / "explicit.yaml"
    path.write_text("kind: toy\nprior: {kind: mixed, alpha: 0.7, narrow: {n: 8}}\n")
    return str(path)


def test_a_preset_alone(preset: str) -> None:
    assert load(preset, [], SCHEMA) == Toy(steps=20)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("steps=7", Toy(steps=7)),
        ("steps=1e3", Toy(steps=1000)),
        ("clip=null", Toy(steps=20, clip=None)),
        ("clip=1e-3", Toy(steps=20, clip=1e-3)),
        ("clip=2", Toy(steps=20, clip=2.0)),
        ("gammas=[1, 0.5]", Toy(steps=20, gammas=(1.0, 0.5))),
        ("label=on", Toy(steps=20, label="on")),
        ("label=a=b", Toy(steps=20, label="a=b")),
        # Into a group the preset leaves out: the rest of its default stays (alpha 0.25).
        ("prior.narrow.n=3", Toy(steps=20, prior=Mixed(alpha=0.25, narrow=Narrow(n=3)))),
        ("prior.alpha=0", Toy(steps=20, prior=Mixed(alpha=0.0))),
        ("prior={kind: wide, tau: 2}", Toy(steps=20, prior=Wide(tau=2.0))),
        ("prior.kind=wide", Toy(steps=20, prior=Wide())),
    ],
)
def test_one_override(preset: str, override: str, expected: Toy) -> None:
    assert load(preset, [override], SCHEMA) == expected


def test_overrides_keep_what_the_preset_says(explicit: str) -> None:
    loaded = load(explicit, ["prior.narrow.tau=2"], SCHEMA)
    assert loaded == Toy(prior=Mixed(alpha=0.7, narrow=Narrow(n=8, tau=2.0)))


def test_another_kind_starts_from_its_own_defaults(explicit: str) -> None:
    # The order of writing does not matter: the kind is set first.
    for overrides in (["prior.kind=narrow", "prior.tau=3"], ["prior.tau=3", "prior.kind=narrow"]):
        assert load(explicit, overrides, SCHEMA) == Toy(prior=Narrow(tau=3.0))
    assert load(explicit, ["prior.kind=mixed"], SCHEMA) == load(explicit, [], SCHEMA)


def test_a_path_into_another_kind_starts_from_that_kinds_defaults() -> None:
    schema = TypeAdapter(Training)
    # Muon's own `other` is no Adam of Adam's defaults.
    changes = ["optimiser.kind=muon", "optimiser.other.lr=0.001"]
    expected = Muon(other=Adam(lr=0.001, beta2=0.99))
    assert resolve({"optimiser": {"kind": "adam"}}, changes, schema, "doc").optimiser == expected
    # The same where what is there is no configuration before the changes are made.
    broken = {"optimiser": {"kind": "adam"}, "steps": -1}
    assert resolve(broken, [*changes, "steps=3"], schema, "doc").optimiser == expected


def test_what_is_set_in_a_group_and_beside_it_is_advised_by_its_paths(preset: str) -> None:
    with pytest.raises(UserError) as caught:
        load(preset, ["prior={kind: wide, tau: 1}", "prior.tau=2"], SCHEMA)
    assert caught.value.hint == "name each key by its path: prior.kind=... prior.tau=..."
    with pytest.raises(UserError) as caught:
        load(preset, ["steps=1", "steps.x=2"], SCHEMA)
    assert caught.value.hint == "keep one of the two"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["stepz=3"], r"^stepz: unknown key; did you mean 'steps'\? \(allowed: clip, device, "),
        (["alpha=0.3"], r"^alpha: unknown key; did you mean prior\.alpha\?"),
        (["n=3"], r"^n: unknown key; did you mean prior\.narrow\.n\?"),
        (["tau=3"], r"^tau: unknown key; did you mean prior\.narrow\.tau or prior\.wide\.tau\?"),
        (["prior.narrow.m=3"], r"^prior\.narrow\.m: unknown key.*\(allowed: kind, n, tau\)"),
        (["prior.alpha=x"], r'^prior\.alpha: should be a valid number, got "x"'),
        (["prior.alpha=2"], r"^prior\.alpha: should be less than or equal to 1, got 2"),
        (["prior.alpha=.nan"], r"^prior\.alpha: should be a finite number"),
        (["prior.narrow.n=1.5"], r"^prior\.narrow\.n: should be a valid integer, got 1\.5"),
        (["steps=true"], r"^steps: should be a valid integer, got true"),
        (["steps='3'"], r'^steps: should be a valid integer, got "3"'),
        (["steps="], r"^steps: should be a valid integer, got null"),
        (["label=3"], r"^label: should be a valid string, got 3"),
        (["clip=wide"], r"^clip: should be a valid number"),
        (["gammas=[1, x]"], r"^gammas\[1\]: should be a valid number"),
        (["optimiser=moun"], r"^optimiser: \"moun\" is not allowed; did you mean 'muon'\? "),
        (["prior.kind=narow"], r"^prior: there is no kind 'narow'; did you mean 'narrow'\? "),
        (["prior={tau: 1}"], r"^prior: needs a kind: mixed, narrow, wide"),
        (["prior.kind=[mixed,wide]"], r"^prior"),
        (["prior.kind={a: 1}"], r"^prior"),
        (["kind=[toy]"], r"kind"),
        (["kind=tow"], r"^there is no kind 'tow'; did you mean 'toy'\? \(allowed: other, toy\)"),
        (["steps"], r"^steps: an override is written key=value\nas in: steps=VALUE"),
        (["=3"], r"^=3: an override is written key=value$"),
        (["prior=3"], r"^prior: should be a group of settings, got 3"),
        (["prior={kind: mixed, narrow: 3}"], r"^prior\.narrow: should be a group of settings"),
        (["gammas=1"], r"^gammas: should be a list, got 1"),
        (["prior..alpha=3"], r"an override is written key=value\nas in: prior.alpha=VALUE"),
        (["steps=1", "steps=2"], r"^steps: this key is set twice"),
        (["prior={kind: wide}", "prior.tau=2"], r"^prior and prior\.tau are both set"),
        (["prior.alpha.x=1"], r"^prior\.alpha: a value \(0\.25\), not a group.*'x'"),
        (["steps.x=1"], r"^steps: a value \(20\), not a group"),
        (["gammas.0=1"], r"^gammas: a list, not a group.*\ngive the whole list: gammas=\[1"),
        (["prior={"], r"the value is not valid YAML"),
        (["prior={kind: wide, tau: 1, tau: 2}"], r"not valid YAML:.*'tau' is given twice"),
        (["prior={1: 2}"], r"not valid YAML:.*the key 1 is not a word"),
        (["gammas=!!python/tuple [1]"], r"not valid YAML"),
        (["label=!!timestamp 2001-01-01"], r"^label=.*: the value is not valid YAML: .*tag"),
        (["label=!!binary aGk="], r"not valid YAML: .*tag"),
        (["prior=!!set {a}"], r"not valid YAML: .*tag"),
        (["gammas=!!omap [a: 1]"], r"not valid YAML: .*tag"),
        (["gammas=&a [*a]"], r"not valid YAML: .*Circular"),
        (["prior=&a {narrow: *a}"], r"not valid YAML: "),
        ([f"gammas={'[' * 300}{']' * 300}"], r"not valid YAML: .*recursion limit"),
        ([f"gammas={'[' * 3000}{']' * 3000}"], r"not valid YAML: it is nested too deeply"),
    ],
)
def test_every_mistake_names_its_place(preset: str, overrides: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        load(preset, overrides, SCHEMA)
    assert re.search(says, str(caught.value), re.DOTALL), str(caught.value)
    assert "validation error" not in str(caught.value)


def test_paths_inside_nested_unions_leave_the_tags_out(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("kind: other\n")
    with pytest.raises(
        UserError, match=r"^base\.prior\.narrow\.n: should be greater than 0, got 0"
    ):
        load(str(path), ["base.prior.narrow.n=0"], SCHEMA)


def test_several_mistakes_are_all_named(preset: str) -> None:
    with pytest.raises(UserError, match="2 mistakes") as caught:
        load(preset, ["prior.alpha=2", "stepz=1"], SCHEMA)
    assert "prior.alpha:" in str(caught.value)
    assert "stepz:" in str(caught.value)


def test_an_override_can_complete_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "half.yaml"
    path.write_text("kind: toy\nprior: {tau: 3}\n")
    assert load(str(path), ["prior.kind=wide"], SCHEMA) == Toy(prior=Wide())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps: [", "not valid YAML"),
        ("- 1\n- 2\n", "a preset is a group"),
        ("", "the file is empty"),
        ("kind: toy\nsteps: 1\nsteps: 2\n", "'steps' is given twice"),
        ("kind: toy\nlabel: !!timestamp 2001-01-01\n", "not valid YAML: .*tag"),
        ("kind: toy\ngammas: &a [*a]\n", "not valid YAML: .*Circular"),
        (f"kind: toy\ngammas: {'[' * 3000}{']' * 3000}\n", "nested too deeply"),
    ],
)
def test_a_broken_preset_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        load(str(path), [], SCHEMA)
    assert caught.value.where == str(path)


def test_unknown_presets(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no preset 'dmeo'"):
        load("dmeo", [], SCHEMA)
    with pytest.raises(UserError, match="there is no such file"):
        load(str(tmp_path / "absent.yaml"), [], SCHEMA)


def test_a_wrong_kind_of_path_is_told_for_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a.yaml", "folder"):
        Path(folder).mkdir()
    Path("file").touch()
    for name in ("a.yaml", "folder", "folder/", "."):
        with pytest.raises(UserError, match="this is a folder, and no preset"):
            load(name, [], SCHEMA)
    with pytest.raises(UserError, match=r"no name of a preset\n.*as in: \./file"):
        load("file", [], SCHEMA)


def test_a_command_offers_the_presets_that_it_takes() -> None:
    with pytest.raises(UserError, match="'demoo'; did you mean 'demo'") as caught:
        kind("demoo", ["demo", "small"])
    assert caught.value.hint == "presets: demo, small; or the path of a YAML file"


def test_the_name_of_a_preset_says_its_kind() -> None:
    """As the commands rely on, which offer those that they take."""
    for name in presets():
        family = next((k for k in ("nursery", "purple") if name.startswith(k)), "regression")
        assert kind(name).startswith(family)


def test_presets_are_listed_by_name() -> None:
    assert "demo" in presets()
    with pytest.raises(UserError, match="did you mean 'demo'") as caught:
        load("demoo", [], SCHEMA)
    for name in presets():
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("-2.5E+2", -250.0),
        ("1e3", 1000),
        ("1.0", 1.0),
        (".5", 0.5),
        ("007", 7),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("e5", "e5"),
        ("'1'", "1"),
    ],
)
def test_yaml_means_what_it_looks_like(text: str, value: object) -> None:
    parsed = parse_yaml(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_configurations_are_frozen_and_closed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Toy(), "steps", 3)  # noqa: B010
    with pytest.raises(ValidationError, match="extra"):
        Toy.model_validate({"stepz": 3})
