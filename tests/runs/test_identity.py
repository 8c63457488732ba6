"""Whatever changes a run's numbers changes its name, and nothing else does."""

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from toys import Mixed, Narrow, Other, Toy, Wide
from unskew.runs import identity
from unskew.runs.identity import canonical, kind_of, run_id, semantic

CHANGED = [
    Toy(prior=Mixed(alpha=0.3)),
    Toy(prior=Mixed(alpha=0.25, narrow=Narrow(n=65))),
    Toy(prior=Mixed(alpha=0.25, wide=Wide(tau=1.1))),
    Toy(prior=Wide()),
    Toy(optimiser="adam"),
    Toy(steps=11),
    Toy(clip=None),
    Toy(clip=1.0 + 1e-15),
    Toy(gammas=(2.0, 1.0)),
    Toy(gammas=(1.0, 2.0, 3.0)),
    Toy(label="Plain"),
]


def test_the_form_of_the_name() -> None:
    kind, _, digest = run_id(Toy()).rpartition("-")
    assert kind == "toy"
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")


def test_every_field_counts() -> None:
    names = {run_id(config) for config in [Toy(), *CHANGED]}
    assert len(names) == 1 + len(CHANGED)


def test_execution_fields_do_not_count_at_any_depth() -> None:
    assert run_id(Toy(device="cuda")) == run_id(Toy())
    assert run_id(Other(base=Toy(device="cuda"))) == run_id(Other())
    assert run_id(Other(base=Toy(steps=11))) != run_id(Other())


def test_a_changed_default_changes_the_name() -> None:
    before = create_model("Made", kind=(Literal["made"], "made"), steps=(int, 10))
    after = create_model("Made", kind=(Literal["made"], "made"), steps=(int, 20))
    assert run_id(before()) != run_id(after())
    assert run_id(before(steps=20)) == run_id(after())


def test_parents_count() -> None:
    alone, one, two = run_id(Toy()), run_id(Toy(), {"base": "a1"}), run_id(Toy(), {"base": "a2"})
    assert len({alone, one, two, run_id(Toy(), {"other": "a1"})}) == 4
    assert run_id(Toy(), {"a": "1", "b": "2"}) == run_id(Toy(), {"b": "2", "a": "1"})


def test_the_semantics_version_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = run_id(Toy())
    monkeypatch.setattr(identity, "SEMANTICS_VERSION", identity.SEMANTICS_VERSION + 1)
    assert run_id(Toy()) != before


def test_the_name_is_the_same_on_every_machine() -> None:
    # Computed once by hand from the canonical text; a change here orphans every finished run.
    assert canonical(semantic(Wide(tau=0.1))) == '{"kind":"wide","tau":0.1}'
    assert run_id(Wide(tau=0.1)) == "wide-d1ad32e074d3"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_canonical_text_is_json_and_loses_nothing(doc: object) -> None:
    text = canonical(doc)
    assert json.loads(text) == doc
    assert canonical(json.loads(text)) == text
    assert text.isascii()


def test_what_has_no_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical(float("nan"))
    with pytest.raises(TypeError, match="no identity for a set"):
        semantic({"a": {1, 2}})
    with pytest.raises(ValueError, match="lower-case"):
        kind_of(create_model("Bad", kind=(str, "a/b"))())
