"""What a configuration of an audit may ask for."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from unskew.audit.config import Audit, AuditLogs, load
from unskew.errors import UserError
from unskew.runs.config import resolve

GIVEN: dict[str, Any] = {
    "base": {"kind": "hf", "path": "me/base"},
    "tuned": {"kind": "hf", "path": "me/tuned"},
    "tasks": ["t"],
}


def test_a_level_must_be_one_that_the_resamples_tell() -> None:
    for rules in ({}, {"level": 0.01}, {"resamples": 199}, {"level": 5e-4}):
        assert load({**GIVEN, "rules": rules}, ()).witnesses == 0
        assert load({**GIVEN, "rules": rules, "probes": {}}, ()).witnesses == 5
    # Of 5 witnesses each has a fifth of the level; of two bounds of a recovery each the half.
    for more, level in (({}, 2e-3), ({"probes": {}}, 5e-3)):
        kept = {**GIVEN, **more, "rules": {"resamples": 999}}
        assert load(kept, [f"rules.level={level}"]).rules.level == level
        with pytest.raises(UserError) as caught:
            load(kept, [f"rules.level={level / 2}"])
        told = str(caught.value)
        assert f"rules.level: {level / 2} is shared" in told
        assert f"rules.resamples=999 tell no level below {level} then" in told
        assert "or set rules.resamples=2000" in told
        again = [f"rules.level={level / 2}", "rules.resamples=2000"]
        assert load(kept, again).rules.resamples == 2000
    with pytest.raises(UserError, match=r"rules\.level: 0\.0005 is shared in two"):
        _logs(["rules.level=5e-4", "rules.resamples=999"])


def test_folds_are_few() -> None:
    assert load({**GIVEN}, ["rules.folds=10"]).rules.folds == 10
    for call in (lambda changes: load({**GIVEN}, changes), _logs):
        with pytest.raises(UserError, match=r"rules\.folds: at most 10, got 400"):
            call(["rules.folds=400"])


def _logs(changes: list[str]) -> Audit | AuditLogs:
    return resolve({}, changes, TypeAdapter(AuditLogs), "these logs")
