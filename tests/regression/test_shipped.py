"""What the demo starts from comes with the package, whole and small."""

import pytest
from pydantic import TypeAdapter

from unskew.errors import UserError
from unskew.regression import shipped_model
from unskew.regression.config import Study
from unskew.regression.study import identify, needs
from unskew.runs.config import load
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.store import Store, shipped_root


def demo() -> Study:
    return load("demo", [], TypeAdapter(Study))


def test_the_demo_trains_no_base_model(tmp_path):
    study, store = demo(), Store(tmp_path)
    assert set(needs(study)) == {"base-0", "base-0.2", "base-0.5", "base-0.8", "base-1"}
    id, missing = identify(study, store)
    assert not missing
    assert id is not None
    comparisons, missing = identify(study.comparisons(), store)
    assert not missing
    assert comparisons is not None
    assert store.find(comparisons) is not None


def test_shipped_runs_are_whole_and_small():
    folders = list(shipped_root().glob("regression-*"))
    assert len(folders) == 6
    for path in folders:
        RunFolder.read(path)  # checks every hash
        assert not list(path.rglob("*.pkl"))
    size = sum(p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file())
    assert size < 8e6


def test_a_study_needs_only_what_it_asks():
    study = demo()
    for experiments, count in (("observer",), 0), (("where-it-hurts",), 1), (("converge",), 5):
        assert len(needs(study.model_copy(update={"experiments": experiments}))) == count


def test_shipped_model_answers_and_names_what_there_is():
    assert shipped_model(0.5).dim == 3
    with pytest.raises(UserError, match=r"no model of alpha 0\.3"):
        shipped_model(0.3)


def test_the_ids_of_base_and_demo_agree():
    from unskew.regression.config import Pretrain

    base = load("base", [], TypeAdapter(Pretrain))
    assert run_id(base) == run_id(demo().pretrain(0.5))
