"""The benchmark of GCG, with a stand-in for the peer: what is counted, and how it is told."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch

from purple.gcg_toys import byte_tokenizer, llama
from unskew.errors import UserError


@pytest.fixture
def gcg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    from benchmarks import gcg

    def peer(model: Any, tokenizer: Any, steps: int, seed: int) -> Any:
        return gcg.Outcome(" x" * 10, 16 * steps)

    monkeypatch.setattr(gcg, "CANDIDATES", 16)
    monkeypatch.setattr(gcg, "LENGTH", 6)
    monkeypatch.setattr(gcg, "CONTENDERS", {gcg.OURS: gcg.ours, gcg.NANO: peer})
    monkeypatch.setattr(gcg, "install", lambda cache: cache)
    monkeypatch.setattr(gcg, "model_and_tokenizer", lambda: (llama(257), byte_tokenizer()))
    return gcg


def test_rows(gcg: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, threads = tmp_path / "kept" / "gcg.parquet", torch.get_num_threads()
    gcg.main(["--steps", "2", "--seeds", "2", "--cache", str(tmp_path), "--out", str(out)])
    assert torch.get_num_threads() == threads
    table = pd.read_parquet(out)
    assert list(table["contender"]) == [gcg.OURS, gcg.NANO] * 2
    assert list(table["seed"]) == [0, 0, 1, 1]
    assert set(table["candidates"]) == {32}
    ours = table[table["contender"] == gcg.OURS]
    assert (ours["ratio"] == 1).all()
    assert (ours["loss"] < ours["first_loss"]).all()
    printed = capsys.readouterr().out
    assert gcg.OURS in printed
    assert gcg.NANO in printed


def test_the_loss_is_that_of_the_string(gcg: ModuleType) -> None:
    model, tokenizer = llama(257), byte_tokenizer()
    text = gcg.PROMPT.before + " !?" + gcg.PROMPT.after + gcg.PROMPT.target
    ids = torch.tensor(tokenizer.encode(text, add_special_tokens=False))
    size = len(gcg.PROMPT.target)
    with torch.no_grad():
        told = model(input_ids=ids[None]).logits[0].double().log_softmax(-1)
    expected = -sum(told[i - 1, ids[i]] for i in range(len(ids) - size, len(ids))) / size
    assert gcg.loss(model, tokenizer, " !?") == pytest.approx(float(expected), rel=1e-5)


def test_a_peer_that_cannot_be_installed_is_told(
    gcg: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(gcg, "PIN", "./no-such-folder-of-nanogcg==0")
    with pytest.raises(UserError, match="pip cannot install it"):
        gcg.install(tmp_path)


def test_the_global_generator_and_switch_are_put_back(gcg: ModuleType) -> None:
    state = torch.random.get_rng_state()
    with gcg.quiet_and_alone():
        torch.manual_seed(5)
        torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()
