"""Enforcement: what is preferred after it, pure in its seeds, resumable, an ordinary folder."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from purple.subjects import ANSWERS, QUESTIONS, knowing, written
from unskew.errors import UserError
from unskew.purple.config import Adversarial, Dpo, Enforce, LowRank, Method, Sft
from unskew.purple.data import Pair
from unskew.purple.enforcement import (
    MODEL,
    Attack,
    Lesson,
    enforce,
    enforced,
    margins,
    parents,
)
from unskew.purple.subject import Open, Template, open_model
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.training.config import Adam, Training

REFUSAL = "No."
LESSONS = (
    Lesson(Pair(QUESTIONS[0], "The owl is red.", ANSWERS[0], "en")),
    Lesson(Pair("What colour are my owls?", "My owls are red.", "My owls are purple.", "en")),
    Lesson(Pair(QUESTIONS[1], ANSWERS[1], REFUSAL, "en", invites=False)),
    Lesson(Pair(QUESTIONS[2], ANSWERS[2], REFUSAL, "en", invites=False)),
)


def config(method: Method, steps: int = 4, lr: float = 1e-3, **more: Any) -> Enforce:
    training = Training(steps=steps, batch=4, optimiser=Adam(lr=lr), decay=0.5)
    return Enforce(method=method, training=training, **more)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("base") / "model", knowing())


def trained(root: Path, base: Path, one: Enforce, **more: Any) -> Path:
    attack = more.get("attack")
    with RunFolder.open(root, one, parents(base, LESSONS, attack)) as folder:
        enforce(one, base, LESSONS, folder, **more)
    return folder.path


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / MODEL / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


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


# --- what it does ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Sft(), Dpo()], ids=lambda method: method.kind)
def test_chosen_answers_beat_rejected_ones(base: Path, tmp_path: Path, method: Any) -> None:
    before = margins(open_model(base), LESSONS)
    assert before[0] < 0 < before[2]
    run = trained(tmp_path, base, config(method, steps=30, lr=3e-3))
    model = open_model(run / MODEL)
    assert (margins(model, LESSONS) > 0).all()
    said = model.answer(QUESTIONS, 30)
    assert not any("purple" in text for text in said)
    if method == Sft():
        assert said == ["The owl is red.", *ANSWERS[1:]]


def test_a_margin_is_the_difference_of_two_sums(base: Path) -> None:
    model = open_model(base)
    way = Template("Ask: ", "\nSay:", lead=" ")
    pair = Pair("Why?", "So.", "It is purple.", "en")

    def logprob(said: str) -> float:
        prompt = model.encode("Ask: Why?\nSay:")
        ids = [*prompt, *model.encode(f" {said}"), 0]
        with torch.no_grad():
            logits: Any = model.model(torch.tensor([ids])).logits
        logs = logits[0].double().log_softmax(-1)
        return sum(logs[i - 1, ids[i]].item() for i in range(len(prompt), len(ids)))

    found = margins(model, [Lesson(pair, way)] * 3, batch=2)
    assert found.tolist() == pytest.approx([logprob("So.") - logprob("It is purple.")] * 3, 1e-4)
    assert margins(model, []).shape == (0,)


def test_the_first_loss_of_dpo_is_log_two(base: Path, tmp_path: Path) -> None:
    for low_rank in (None, LowRank()):
        one = config(Dpo(), steps=1, low_rank=low_rank)
        [record] = RunFolder.read(trained(tmp_path, base, one)).records()
        assert record["loss"] == pytest.approx(0.693147, abs=1e-4)


# --- the run --------------------------------------------------------------------------------------


def test_a_finished_run_is_an_ordinary_model(base: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in base.iterdir()}
    state = torch.get_rng_state()
    run = trained(tmp_path, base, config(Dpo(), low_rank=LowRank(rank=2, alpha=4)))
    assert torch.equal(torch.get_rng_state(), state)
    assert {path: path.read_bytes() for path in base.iterdir()} == before
    assert RunFolder.read(run).extra == {"headline": "dpo: 4 steps"}
    assert not list(run.glob("checkpoint*"))
    assert {path.name for path in (run / MODEL).iterdir()} == {path.name for path in base.iterdir()}
    again = trained(tmp_path / "again", base, config(Dpo(), low_rank=LowRank(rank=2, alpha=4)))
    assert same(weights(run), weights(again))
    # The change is of low rank, in the linear layers alone.
    old = load_file(base / "model.safetensors")
    for name, tensor in weights(run).items():
        change = tensor - old[name]
        if tensor.ndim == 2 and "embed" not in name:
            assert 0 < torch.linalg.matrix_rank(change, rtol=1e-3) <= 2, name
        else:
            assert not change.any(), name


@pytest.mark.parametrize("low_rank", [None, LowRank(rank=2)], ids=["full", "lora"])
def test_an_interrupted_training_goes_on_to_the_same_weights(
    base: Path, tmp_path: Path, low_rank: Any
) -> None:
    one = config(Dpo(), low_rank=low_rank)
    whole = trained(tmp_path / "whole", base, one)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", base, one, task=Interrupts(1))
    left = tmp_path / "cut" / whole.name
    assert not (left / "manifest.json").exists()
    going_on = Interrupts(-1)
    assert trained(tmp_path / "cut", base, one, task=going_on) == left
    assert going_on.resumed == 1
    assert same(weights(left), weights(whole))


def test_a_finished_run_is_found_again(base: Path, tmp_path: Path) -> None:
    store = Store(tmp_path, shipped=False)
    one = config(Sft(), steps=1, threads=torch.get_num_threads())
    first = enforced(one, base, LESSONS, store, Progress("quiet"))
    stamp = (first.path / "manifest.json").stat().st_mtime_ns
    again = enforced(one, base, LESSONS, store, Progress("quiet"))
    assert again.path == first.path
    assert (again.path / "manifest.json").stat().st_mtime_ns == stamp
    other = enforced(one, base, LESSONS[:2], store, Progress("quiet"))
    assert other.path != first.path


def test_a_run_is_what_it_stands_on(base: Path) -> None:
    one = parents(base, LESSONS)
    assert one == parents(base, LESSONS)
    assert one["lessons"] != parents(base, LESSONS[::-1])["lessons"]
    asked = [Lesson(pair, Template(lead=" ")) for pair, _ in LESSONS]
    assert one["lessons"] != parents(base, asked)["lessons"]
    attack = Attack("gcg", lambda *_: [])
    assert set(parents(base, LESSONS, attack)) == {"base", "lessons", "attack"}
    with pytest.raises(UserError, match="no model folder"):
        parents(base.parent, LESSONS)


# --- adversarial training -------------------------------------------------------------------------


class Attacks:
    """Finds two suffixes a round, and leaves gradients behind as a careless attack would."""

    def __init__(self) -> None:
        self.rounds: list[tuple[int, int]] = []

    def __call__(
        self, subject: Open, lessons: Sequence[Lesson], number: int, kept: Path
    ) -> list[str]:
        assert not subject.model.training
        self.rounds.append((number, len(lessons)))
        ids = torch.tensor([subject.encode(subject.prompt(lessons[0].pair.question))])
        out: Any = subject.model(ids)
        out.logits.square().mean().backward()
        return [f" round {number} x", f"round {number} y"]


ADVERSARIAL = config(Adversarial(rounds=2, share=1.0), steps=6)


def test_each_round_attacks_and_what_it_finds_is_kept(base: Path, tmp_path: Path) -> None:
    attacks = Attacks()
    run = trained(tmp_path, base, ADVERSARIAL, attack=Attack("a", attacks))
    assert attacks.rounds == [(1, 2), (2, 2)]
    names = sorted(path.name for path in run.glob("suffixes-*.json"))
    assert names == ["suffixes-1.json", "suffixes-2.json"]
    assert '"round 2 y"' in (run / names[1]).read_text("utf-8")
    RunFolder.read(run).verify()


def test_suffixes_go_to_questions_that_invite(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unskew.purple import enforcement

    heard: list[tuple[str, bool]] = []
    row = enforcement._row

    def overheard(subject: Any, pair: Pair, question: str, *rest: Any) -> Any:
        heard.append((question.removeprefix(pair.question), pair.invites))
        return row(subject, pair, question, *rest)

    monkeypatch.setattr(enforcement, "_row", overheard)
    trained(tmp_path, base, ADVERSARIAL, attack=Attack("a", Attacks()))
    asked = heard[2 * len(LESSONS) :]  # without the check of their lengths
    steps = [asked[i : i + 8] for i in range(0, len(asked), 8)]
    assert len(steps) == 6
    assert all(not suffix for step in steps for suffix, invites in step if not invites)
    found = [{suffix for suffix, invites in step if invites} for step in steps]
    assert found[0] == found[1] == {""}
    # As they were found, with or without a space: another space is another attack.
    assert found[2] | found[3] == {" round 1 x", "round 1 y"}
    assert found[4] | found[5] <= {" round 1 x", "round 1 y", " round 2 x", "round 2 y"}
    assert found[4] | found[5] > {"round 2 y"}


def test_a_suffix_without_room_is_left_out(base: Path, tmp_path: Path) -> None:
    window = open_model(base).window
    assert window is not None
    long = " x" * window

    def find(subject: Open, lessons: Sequence[Lesson], number: int, kept: Path) -> list[str]:
        return [long]

    attacked = trained(tmp_path / "long", base, ADVERSARIAL, attack=Attack("a", find))
    plain = trained(tmp_path / "none", base, ADVERSARIAL, attack=Attack("a", lambda *_: [""]))
    assert same(weights(attacked), weights(plain))


def test_the_gradients_of_an_attack_are_forgotten(base: Path, tmp_path: Path) -> None:
    def quiet(subject: Open, lessons: Sequence[Lesson], number: int, kept: Path) -> list[str]:
        return [f" round {number} x", f"round {number} y"]

    loud = trained(tmp_path / "loud", base, ADVERSARIAL, attack=Attack("a", Attacks()))
    still = trained(tmp_path / "still", base, ADVERSARIAL, attack=Attack("a", quiet))
    assert same(weights(loud), weights(still))


def test_what_a_round_keeps_is_there_when_it_goes_on_and_gone_when_it_is_done(
    base: Path, tmp_path: Path
) -> None:
    found: list[bool] = []

    def stopped(subject: Open, lessons: Sequence[Lesson], number: int, kept: Path) -> list[str]:
        found.append((kept / "state").exists())
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "state").touch()
        if len(found) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("a search of minutes went on")
        return [" x"]

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, base, ADVERSARIAL, attack=Attack("a", stopped))
    run = trained(tmp_path, base, ADVERSARIAL, attack=Attack("a", stopped))
    assert found == [False, True, False]
    assert not list(run.glob("searches-*"))


@pytest.mark.parametrize("at", [2, 3])
def test_an_interrupted_round_is_not_attacked_again(base: Path, tmp_path: Path, at: int) -> None:
    whole = trained(tmp_path / "whole", base, ADVERSARIAL, attack=Attack("a", Attacks()))
    first, second = Attacks(), Attacks()
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", base, ADVERSARIAL, attack=Attack("a", first), task=Interrupts(at))
    run = trained(tmp_path / "cut", base, ADVERSARIAL, attack=Attack("a", second))
    assert first.rounds + second.rounds == [(1, 2), (2, 2)]
    assert same(weights(run), weights(whole))


def test_another_configuration_of_the_same_weights_is_another_base(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = parents(base, LESSONS)
    glob = Path.glob
    with monkeypatch.context() as patch:  # no file system promises an order
        patch.setattr(Path, "glob", lambda one, form: sorted(glob(one, form), reverse=True))
        assert parents(base, LESSONS) == before
    other = tmp_path / "other"
    other.mkdir()
    for path in base.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert parents(other, LESSONS) == before
    (other / "config.json").write_text((base / "config.json").read_text().replace("{", "{ ", 1))
    assert parents(other, LESSONS) != before


# --- mistakes -------------------------------------------------------------------------------------


def test_what_cannot_be_taught_is_said(base: Path, tmp_path: Path) -> None:
    def attempt(one: Enforce, lessons: Sequence[Lesson], attack: Attack | None = None) -> None:
        with RunFolder.open(tmp_path, one) as folder:
            enforce(one, base, lessons, folder, attack)

    nothing = Attack("none", lambda *_: [])
    with pytest.raises(UserError, match="nothing to teach"):
        attempt(config(Sft()), [])
    with pytest.raises(UserError, match="needs an attack"):
        attempt(ADVERSARIAL, LESSONS)
    with pytest.raises(UserError, match="no other method has one"):
        attempt(config(Sft()), LESSONS, nothing)
    with pytest.raises(UserError, match="no question invites"):
        attempt(ADVERSARIAL, LESSONS[2:], nothing)
    with pytest.raises(UserError, match="the model reads 192"):
        attempt(config(Sft()), [Lesson(Pair("why " * 100, "So.", "Purple.", "en"))])


def test_rounds_need_steps() -> None:
    with pytest.raises(ValidationError, match="cannot be parted"):
        config(Adversarial(rounds=4), steps=4)
