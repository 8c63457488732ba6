"""The two models that ship: what they are, and that an audit of them says what it always said."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from unskew.cli_lm import PAIR_TASKS, audit_of_the_pair
from unskew.nursery import measure, raising
from unskew.nursery.cards import card, configuration
from unskew.nursery.config import Pretrain, Tune
from unskew.nursery.world import world
from unskew.runs.progress import Progress
from unskew.runs.store import Store, shipped_root

SHIPPED = shipped_root() / "nursery"
REFERENCE = Path(__file__).parents[2] / "results" / "nursery-pair" / "tables"
PROVENANCE: dict[str, Any] = json.loads((SHIPPED / "provenance.json").read_text(encoding="utf-8"))


def test_they_are_small_and_say_where_they_come_from() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) <= 12_000_000
    assert PROVENANCE["command"].startswith("python tools/nursery.py --ship")
    assert PROVENANCE["config"]["kind"] == "nursery"
    assert {"cpu", "commit", "packages", "time"} <= set(PROVENANCE["environment"])
    for name in ("base", "instruct"):
        assert "unskew nursery raise" in (SHIPPED / name / "README.md").read_text(encoding="utf-8")
        config = json.loads((SHIPPED / name / "config.json").read_text(encoding="utf-8"))
        assert config["dtype"] == "float16"
        # Weights are safe tensors, and there is no code.
        assert {p.suffix for p in (SHIPPED / name).iterdir()} <= {".json", ".md", ".safetensors"}


def test_they_are_of_one_world_and_one_is_the_tuned_other() -> None:
    of = PROVENANCE["config"]["base"]["world"]
    documents = measure.asked(
        world(of["seed"], of["facts"], of["held"]), "repeat_conflict", "en", 20
    )
    right = {
        name: measure.correct(raising.load(SHIPPED / name), documents).mean()
        for name in ("base", "instruct")
    }
    assert right["base"] > right["instruct"] + 0.4
    rows = (SHIPPED / "probes" / "repeat_conflict.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(rows[0])["en"]["text"] == documents[0].prompt


@pytest.mark.parametrize("name", ["base", "instruct"])
def test_their_cards_are_what_is_written_of_them_today(name: str) -> None:
    file = SHIPPED / name / "README.md"
    told: Any = configuration(file)
    config = TypeAdapter(Pretrain | Tune).validate_python(told)
    (run,) = re.findall(r"It is run `([\w-]+)`", file.read_text(encoding="utf-8"))
    root = config if isinstance(config, Pretrain) else config.root
    assert file.read_text(encoding="utf-8") == card(config, raising.world_of(root), run)
    command = f"unskew nursery raise nursery-ship 'models=[{name}]'"
    assert f"## Remake\n\n```\n{command}\n```\n" in file.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_verdicts_are_reproduced_exactly(tmp_path: Path) -> None:
    from unskew.audit.run import execute

    with Progress("quiet") as progress:
        folder = execute(audit_of_the_pair(1), Store(tmp_path), progress)
    verdicts = folder.read_table("verdicts")
    known = pd.read_parquet(REFERENCE / "verdicts.parquet")
    assert list(verdicts["task"]) == list(PAIR_TASKS)
    decided = ["task", "verdict", "conjugation", "reason", "n", "clusters", "words"]
    pd.testing.assert_frame_equal(verdicts[decided], known[decided], check_dtype=False)
    arms, said = folder.read_table("arms"), pd.read_parquet(REFERENCE / "arms.parquet")
    pd.testing.assert_frame_equal(arms, said, check_dtype=False)
