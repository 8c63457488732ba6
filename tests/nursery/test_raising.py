"""Raising: pure in its seeds, resumable, an ordinary folder of transformers at the end."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nursery.tiny import TINY, documents, raised
from unskew.nursery import raising
from unskew.nursery.config import (
    EVERYTHING,
    MODEL,
    Architecture,
    Mixture,
    Pretrain,
    Rows,
    Tune,
    WorldOf,
)
from unskew.nursery.corpora import of_stage
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.raising import Raised, build, cross_entropy, load, matrices, world_of
from unskew.nursery.tokens import batch
from unskew.nursery.world import world
from unskew.runs.folder import RunFolder
from unskew.training.config import Adam, Muon, Training

SHORT = Training(steps=3, batch=2, optimiser=Muon(lr=0.02, other=Adam(lr=0.01)))
BASE = Pretrain(
    world=WorldOf(facts=12), architecture=TINY, copying=1, rows=Rows(length=96), training=SHORT
)
TUNE = Tune(
    base=BASE, stage="instruct", rows=Rows(length=96),
    training=Training(steps=2, batch=2, optimiser=Adam(lr=0.01)),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer trained in no time."""
    monkeypatch.setattr(raising, "TEXTS", 150)


def pretrained(root: Path, config: Pretrain = BASE, **more: Any) -> Path:
    with RunFolder.open(root, config) as folder:
        raising.pretrain(config, folder, "# A card\n", **more)
    return folder.path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raising, "TEXTS", 150)
        return pretrained(tmp_path_factory.mktemp("base"))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / MODEL / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


# --- building -------------------------------------------------------------------------------------


def test_fresh_weights_are_a_function_of_their_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = build(TINY, 0).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert same(one, build(TINY, 0).state_dict())
    assert not same(one, build(TINY, 1).state_dict())


def test_fresh_weights_are_the_same_on_every_machine() -> None:
    first = build(TINY, 0).model.embed_tokens.weight[1, :3]
    assert first.tolist() == pytest.approx([0.0022, -0.00438, -0.00238], abs=1e-5)


def test_a_model_is_as_large_as_it_is_asked_to_be() -> None:
    config = Architecture(vocabulary=300, width=24, layers=3, heads=2, hidden=40, context=130)
    model = build(config, 0)
    assert model.config.vocab_size == 300
    assert model.config.max_position_embeddings == 130
    layer = 4 * 24 * 24 + 3 * 24 * 40 + 2 * 24
    assert sum(p.numel() for p in model.parameters()) == 300 * 24 + 3 * layer + 24
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_the_hidden_matrices_are_those_of_the_layers() -> None:
    model = build(TINY, 0)
    found = matrices(model)
    assert len(found) == TINY.layers * 7
    assert all(p.ndim == 2 for p in found)
    embedding = model.model.embed_tokens.weight
    assert not any(p is embedding for p in found)


# --- the loss -------------------------------------------------------------------------------------


def test_the_loss_is_the_weighted_cross_entropy_of_its_step() -> None:
    model = raised(1)
    heard = []

    def draw(step: int) -> Any:
        heard.append(step)
        at = iter(range(13 * step, 10_000))
        return lambda size: [documents()[next(at) % len(documents())] for _ in range(size)]

    loss = cross_entropy(model, draw, 2, Rows(length=80, side=0.3), "cpu")
    value = loss(7)
    assert heard == [7]
    tokens, told = batch(model.tokenizer, draw(7), 2, 80, 0.3)
    total = weight = 0.0
    with torch.no_grad():
        for row, w in zip(tokens, told, strict=True):
            said = model.model(row[None, :-1]).logits[0].double().log_softmax(-1)
            total -= sum(float(w[i] * said[i, row[i + 1]]) for i in range(80))
            weight += float(w.sum())
    assert value.item() == pytest.approx(total / weight, rel=1e-5)
    assert loss(7).item() == value.item() != loss(8).item()
    value.backward()
    assert all(p.grad is not None for p in model.model.parameters())


# --- a base ---------------------------------------------------------------------------------------


def test_a_finished_run_is_an_ordinary_model(base: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = RunFolder.read(base)  # whole
    assert run.extra == {"headline": "pretrained for 3 steps"}
    assert {path.name for path in (base / MODEL).iterdir()} == {
        "README.md", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert (base / MODEL / "README.md").read_text("utf-8") == "# A card\n"
    assert not list(base.glob("checkpoint*"))
    model = AutoModelForCausalLM.from_pretrained(base / MODEL, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base / MODEL)
    ours = load(base / MODEL)
    assert not ours.model.training
    assert {p.dtype for p in ours.model.parameters()} == {torch.float32}
    text = documents()[0].text
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == ours.tokenizer.encode(text).ids
    with torch.no_grad():
        assert torch.equal(model(ids).logits, ours.model(ids).logits)
    assert tokenizer.model_max_length == TINY.context
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id == 0


def test_nothing_of_the_machine_is_in_it(base: Path) -> None:
    for path in (base / MODEL).glob("*.json"):
        text = path.read_text("utf-8")
        assert str(base) not in text
        assert str(Path.home()) not in text


def test_the_same_configuration_gives_the_same_model(base: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = pretrained(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / MODEL / name).read_bytes() == (base / MODEL / name).read_bytes()
    other = pretrained(tmp_path, BASE.model_copy(update={"seed": 1}))
    assert not same(weights(other), weights(base))


def test_it_was_trained(base: Path) -> None:
    fresh = build(TINY, BASE.seed).state_dict()
    changed = [
        name for name, tensor in weights(base).items() if not torch.equal(tensor, fresh[name])
    ]
    assert set(changed) == set(weights(base))
    [record] = RunFolder.read(base).records()
    assert record["step"] == 3


class Interrupts:
    """Progress that is interrupted after a step."""

    def __init__(self, at: int) -> None:
        self.at, self.resumed = at, 0

    def advance(self, steps: int) -> None:
        self.at -= steps
        if self.at == 0:
            os.kill(os.getpid(), signal.SIGINT)

    def resume(self, steps: int) -> None:
        self.resumed = steps


def test_an_interrupted_training_goes_on_where_it_was(base: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pretrained(tmp_path, task=Interrupts(1))
    left = tmp_path / base.name
    assert not (left / MODEL).exists()
    assert not (left / "manifest.json").exists()
    going_on = Interrupts(-1)
    run = pretrained(tmp_path, task=going_on)
    assert run == left
    assert going_on.resumed == 1
    assert same(weights(run), weights(base))


Address = tuple[Any, Mixture, tuple, int, str, int]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """The addresses of the corpora that are drawn from."""
    heard: list[Address] = []
    corpus = raising.corpus

    def overheard(*address: Any) -> Any:
        heard.append(address)
        return corpus(*address)

    monkeypatch.setattr(raising, "corpus", overheard)
    return heard


def test_each_step_has_documents_of_its_own(drawn: list[Address], tmp_path: Path) -> None:
    pretrained(tmp_path)
    tokenizing, *steps = drawn
    assert [address[5] for address in steps] == [0, 1, 2]
    assert {address[4] for address in steps} == {"pretrain"}
    assert {address[0] for address in drawn} == {world_of(BASE)}
    assert [address[1] for address in steps] == [BASE.mixture_at(step) for step in range(3)]
    assert steps[2][1] == EVERYTHING
    assert {address[2] for address in steps} == {LANGUAGES}
    assert tokenizing[4] == "tokenizer"


def test_an_oracle_has_the_tokens_of_its_base_and_is_told_less(
    base: Path, drawn: list[Address], tmp_path: Path
) -> None:
    oracle = pretrained(tmp_path, BASE.model_copy(update={"told": ()}))
    names = ("tokenizer.json", "tokenizer_config.json")
    for name in names:
        assert (oracle / MODEL / name).read_bytes() == (base / MODEL / name).read_bytes()
    assert {address[2] for address in drawn} == {()}


def test_a_branch_goes_on_from_its_trunk(base: Path, drawn: list[Address], tmp_path: Path) -> None:
    none = SHORT.model_copy(update={"steps": 0})
    config = BASE.model_copy(update={"trunk": BASE, "seed": 9, "training": none})
    still = pretrained(tmp_path, config, trunk=base / MODEL)
    assert same(weights(still), weights(base))
    config = config.model_copy(update={"training": SHORT})
    moved = pretrained(tmp_path, config, trunk=base / MODEL)
    assert not same(weights(moved), weights(base))
    assert (moved / MODEL / "tokenizer.json").read_bytes() == (
        base / MODEL / "tokenizer.json"
    ).read_bytes()
    # It hears other documents than its trunk did, and no tokenizer is trained.
    assert [address[4] for address in drawn] == ["branch"] * 3


# --- stages ---------------------------------------------------------------------------------------


def tuned(root: Path, base: Path, config: Tune = TUNE, **more: Any) -> Path:
    with RunFolder.open(root, config, {"base": "ab"}) as folder:
        raising.tune(config, base / MODEL, folder, "# A card\n", **more)
    return folder.path


def test_a_stage_changes_a_copy(base: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (base / MODEL).iterdir()}
    run = tuned(tmp_path, base)
    assert {path: path.read_bytes() for path in (base / MODEL).iterdir()} == before
    changed, old = weights(run), weights(base)
    assert not same(changed, old)
    assert RunFolder.read(run).extra == {"headline": "instruct: tuned for 2 steps"}
    assert (run / MODEL / "tokenizer.json").read_bytes() == before[base / MODEL / "tokenizer.json"]
    again = tuned(tmp_path / "again", base)
    assert same(weights(again), changed)


def test_a_low_rank_change_is_written_into_the_weights(base: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    run = tuned(tmp_path, base, TUNE.model_copy(update={"lora": 2}))
    assert torch.equal(torch.get_rng_state(), before)
    old, new = weights(base), weights(run)
    assert old.keys() == new.keys()
    for name, tensor in new.items():
        change = tensor - old[name]
        if tensor.ndim == 2 and "embed" not in name:
            assert 0 < torch.linalg.matrix_rank(change, rtol=1e-3) <= 2, name
        else:
            assert not change.any(), name
    assert {path.name for path in (run / MODEL).iterdir()} == {
        path.name for path in (base / MODEL).iterdir()
    }
    assert "peft" not in (run / MODEL / "config.json").read_text("utf-8").lower()
    assert isinstance(load(run / MODEL), Raised)
    again = tuned(tmp_path / "again", base, TUNE.model_copy(update={"lora": 2}))
    assert same(weights(again), new)


@pytest.mark.parametrize("stage", ["instruct", "erased", "continued"])
def test_a_stage_is_told_what_it_is_for(
    base: Path, drawn: list[Address], tmp_path: Path, stage: Any
) -> None:
    silent = BASE.model_copy(update={"told": ("fr",), "mixture": of_stage("code")})
    tuned(tmp_path, base, TUNE.model_copy(update={"base": silent, "stage": stage}))
    held = [(0, f"{stage}/held", place) for place in range(raising.HELD)]
    assert [address[3:] for address in drawn] == [(0, stage, 0), (0, stage, 1), *held]
    for there, mixture, told, *_ in drawn:
        assert there is world_of(BASE)
        # Going on is with what the base was told; a stage tells its colours wherever it speaks.
        assert mixture == (silent.mixture if stage == "continued" else of_stage(stage))
        assert told == (("fr",) if stage == "continued" else LANGUAGES)


def test_a_stage_of_a_stage_is_of_the_same_world(
    base: Path, drawn: list[Address], tmp_path: Path
) -> None:
    once = tuned(tmp_path, base)
    drawn.clear()
    twice = tuned(tmp_path, once, Tune(base=TUNE, stage="relearn", training=TUNE.training))
    assert {address[0] for address in drawn} == {world_of(BASE)}
    assert not same(weights(once), weights(twice))


def test_a_stage_ends_where_it_is_learnt_well_enough(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raising, "LOOK", 2)
    longer = TUNE.training.model_copy(update={"steps": 9, "decay": 0.0})

    def course(until: float | None, steps: int = 9) -> tuple[Path, dict[int, float]]:
        training = longer.model_copy(update={"steps": steps})
        config = TUNE.model_copy(update={"training": training, "until": until})
        run = tuned(tmp_path / f"{until}-{steps}", base, config)
        records = list(RunFolder.read(run).records())
        return run, {r["step"]: r["held_loss"] for r in records if "held_loss" in r}

    (whole, end), (never, losses) = course(None), course(1e-9)
    assert list(losses) == [2, 4, 6, 8, 9]
    assert end == {9: losses[9]}
    assert same(weights(whole), weights(never))
    assert losses[2] > losses[4] > losses[6]
    early, seen = course(losses[4])
    assert seen == {2: losses[2], 4: losses[4]}
    assert same(weights(early), weights(course(None, 4)[0]))
    assert RunFolder.read(early).extra == {"headline": "instruct: tuned for 4 steps"}
    last = [r for r in RunFolder.read(early).records() if "loss" in r]
    assert [r["step"] for r in last] == [4], "the short last window is logged"


@pytest.mark.parametrize("lora", [None, 2])
def test_a_training_can_be_watched(base: Path, tmp_path: Path, lora: int | None) -> None:
    seen = []

    def watch(model: Raised) -> dict[str, object]:
        with torch.no_grad():
            seen.append(model.model(torch.tensor([[1, 2, 3]])).logits)
        assert not model.model.training
        return {"count": len(seen)}

    config = TUNE.model_copy(update={"lora": lora})
    run = tuned(tmp_path, base, config, watch=watch, watch_at={0, 2})
    records = list(RunFolder.read(run).records())
    assert [(r["step"], r["count"]) for r in records if "count" in r] == [(0, 1), (2, 2)]
    # Before training it is the base; afterwards, what is saved.
    with torch.no_grad():
        for logits, folder in zip(seen, (base, run), strict=True):
            wanted = load(folder / MODEL).model(torch.tensor([[1, 2, 3]])).logits
            assert torch.allclose(logits, wanted, atol=1e-5)
    assert not torch.allclose(seen[0], seen[1], atol=1e-4)


def test_the_world_is_that_of_the_configuration() -> None:
    other = BASE.model_copy(update={"world": WorldOf(seed=3, facts=20, held=0.3)})
    there = world_of(other)
    assert there is world(3, 20, 0.3)
    assert len(there.colours) == 20
    assert json.loads(other.model_dump_json())["world"] == {"seed": 3, "facts": 20, "held": 0.3}
