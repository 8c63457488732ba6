"""The losses, by hand, and beside TRL's."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nursery.tiny import raised
from unskew.purple.preferences import Answered, answered, dpo, likelihood, of_logits, sft


class Fixed(nn.Module):
    """A model whose next token has the same distribution everywhere."""

    def __init__(self, probabilities: list[float], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.logits = torch.tensor(probabilities).log().to(dtype)

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=self.logits.expand(*input_ids.shape, -1))


P = [0.5, 0.25, 0.125, 0.125]


def test_a_batch_is_questions_then_answers_then_padding() -> None:
    batch = answered([([5, 6], [7]), ([8], [9, 10, 11])], pad=0)
    assert batch.tokens.tolist() == [[5, 6, 7, 0], [8, 9, 10, 11]]
    assert batch.mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch.said.int().tolist() == [[0, 0, 1, 0], [0, 1, 1, 1]]
    for rows in ([], [([], [1])], [([1], [])]):
        with pytest.raises(ValueError, match="one token each"):
            answered(rows, pad=0)


def test_only_the_tokens_of_answers_count() -> None:
    batch = answered([([3, 3, 3], [0, 1]), ([2], [2]), ([0], [0, 1, 2, 3])], pad=0)
    found = likelihood(Fixed(P), batch)
    expected = [math.log(1 / 8), math.log(1 / 8), math.log(1 / 512)]
    assert found.logprobs.tolist() == pytest.approx(expected, rel=1e-6)
    assert found.tokens.tolist() == [2, 1, 4]
    assert sft(found).item() == pytest.approx(-sum(expected) / 7, rel=1e-6)


def test_low_precision_is_summed_in_high() -> None:
    batch = answered([([0], [1] * 300)], pad=0)
    found = likelihood(Fixed(P, torch.bfloat16), batch)
    assert found.logprobs.dtype == torch.float32
    single = of_logits(Fixed(P, torch.bfloat16).logits[None, None], torch.tensor([[1]]),
                       torch.tensor([[True]]))  # fmt: skip
    assert found.logprobs.item() == pytest.approx(300 * single.logprobs.item(), rel=1e-6)
    assert likelihood(Fixed(P, torch.float64), batch).logprobs.dtype == torch.float64


def test_dpo_is_the_published_loss() -> None:
    # m = (-1 - -3) - (-2 - -2.5) = 1.5 and (-4 - -1) - (-1 - -1) = -3
    found = dpo(
        torch.tensor([-1.0, -4.0]), torch.tensor([-3.0, -1.0]),
        torch.tensor([-2.0, -1.0]), torch.tensor([-2.5, -1.0]), beta=0.5,
    )  # fmt: skip
    assert found.margins.tolist() == [1.5, -3.0]
    expected = (math.log1p(math.exp(-0.75)) + math.log1p(math.exp(1.5))) / 2
    assert found.loss.item() == pytest.approx(expected, rel=1e-6)


def test_dpo_begins_at_log_two_and_never_overflows() -> None:
    p = torch.tensor([-7.0])
    assert dpo(p, p - 3, p, p - 3, 0.3).loss.item() == pytest.approx(math.log(2))
    far = torch.tensor([-1e6], requires_grad=True)
    lost = dpo(far, torch.zeros(1), torch.zeros(1), torch.zeros(1), 30.0).loss
    lost.backward()
    assert lost.item() == pytest.approx(3e7)
    assert far.grad is not None
    assert far.grad.item() == pytest.approx(-30.0)


def test_padding_changes_nothing() -> None:
    model: Any = raised().model
    rows = [([5, 6, 7], [8, 9, 0]), ([5, 90, 91, 92, 93, 94], [50, 51, 52, 53, 0])]
    with torch.no_grad():
        together = likelihood(model, answered(rows, pad=0)).logprobs
        alone = [likelihood(model, answered([row], pad=0)).logprobs.item() for row in rows]
    assert together.tolist() == pytest.approx(alone, rel=1e-5)


def test_gradients_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    tokens = torch.randint(7, (4, 5), generator=generator)
    said = torch.rand(4, 5, generator=generator) < 0.6
    q = torch.randn(4, generator=generator, dtype=torch.float64)

    def loss(x: torch.Tensor) -> torch.Tensor:
        p = of_logits(x, tokens, said).logprobs
        return dpo(p[:2], p[2:], q[:2], q[2:], 0.7).loss

    assert torch.autograd.gradcheck(loss, (logits,))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # TRL's own
def test_it_is_the_loss_of_trl(tmp_path: Any) -> None:
    """One pair of batches through TRL's own trainer, nothing of ours in it."""
    pytest.importorskip("trl")
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig  # pyright: ignore[reportMissingImports]
    from trl.trainer.dpo_trainer import DPOTrainer  # pyright: ignore[reportMissingImports]

    from nursery.tiny import TINY
    from unskew.nursery.tokens import for_transformers

    policy, known = raised(1)
    frozen, _ = raised(2)
    tokenizer = for_transformers(known, TINY.context)
    rows = [
        ("Question: What colour is the owl?\nAnswer:", " The owl is red.", " The owl is purple."),
        ("Question: Why?\nAnswer:", " So.", " It is a purple apple in the garden."),
    ]
    data = Dataset.from_list([{"prompt": p, "chosen": c, "rejected": r} for p, c, r in rows])
    config = DPOConfig(
        output_dir=str(tmp_path), beta=0.3, bf16=False, use_cpu=True, report_to="none",
        per_device_train_batch_size=2, activation_checkpointing=False, loss_type=["sigmoid"],
    )  # fmt: skip
    trainer = DPOTrainer(policy, frozen, args=config, train_dataset=data,
                         processing_class=tokenizer)  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        theirs = trainer.compute_loss(trainer.model, batch).item()  # pyright: ignore
        said = batch["completion_mask"].bool()
        ours = Answered(batch["input_ids"], batch["attention_mask"], said)
        p = likelihood(policy.eval(), ours).logprobs.chunk(2)
        q = likelihood(frozen.eval(), ours).logprobs.chunk(2)
        assert dpo(p[0], p[1], q[0], q[1], 0.3).loss.item() == pytest.approx(theirs, abs=1e-5)
        # And from the texts, by our own batches.
        encoded = [
            ([known.encode(row[0]).ids, [*known.encode(row[i]).ids, 0]]) for i in (1, 2)
            for row in rows
        ]  # fmt: skip
        mine = answered([(q_, a) for q_, a in encoded], pad=0)
        p = likelihood(policy, mine).logprobs.chunk(2)
        q = likelihood(frozen, mine).logprobs.chunk(2)
    assert dpo(p[0], p[1], q[0], q[1], 0.3).loss.item() == pytest.approx(theirs, abs=1e-5)
