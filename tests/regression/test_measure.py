"""Models asked: the answers are theirs, and prompts they cannot take are the user's mistake."""

import pytest
import torch

from unskew.errors import UserError
from unskew.regression import Transformer, TransformerConfig, answer

DIM, EXEMPLARS = 3, 6


def model(**settings: object) -> Transformer:
    config = TransformerConfig(**{"layers": 1, "heads": 1, "width": 8} | settings)  # type: ignore[arg-type]
    return Transformer(config, DIM, EXEMPLARS).initialise(torch.Generator().manual_seed(0))


def prompts(exemplars: int = EXEMPLARS, dim: int = DIM) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, exemplars + 1, dim, generator=generator, dtype=torch.float64)
    return x, torch.randn(5, exemplars + 1, generator=generator, dtype=torch.float64)


def test_answers_are_the_model_s_on_scaled_labels():
    x, y = prompts()
    asked = model()
    with torch.no_grad():
        plain, scaled = asked(x.float(), y.float()), asked(x.float(), 2 * y.float()) / 2
    assert torch.allclose(answer(asked, x, y, batch=2), plain.double(), atol=1e-6)
    assert torch.allclose(answer(asked, x, y, gamma=2.0), scaled.double(), atol=1e-6)


@pytest.mark.parametrize("layout", ["interleaved", "paired"])
def test_prompts_that_a_model_cannot_take_are_the_users_mistake(layout: str):
    asked = model(layout=layout)
    with pytest.raises(UserError, match=r"d = 4, but the model reads d = 3"):
        answer(asked, *prompts(dim=4))
    with pytest.raises(UserError, match=r"7 exemplars, but the model takes 6 at most"):
        answer(asked, *prompts(7))
    x, y = prompts()
    for wrong in (y[:, :-1], y[:-1], y[..., None]):
        with pytest.raises(UserError, match=r"x is \(5, 7, 3\) and y \("):
            answer(asked, x, wrong)
    with pytest.raises(UserError, match=r"x is \(7, 3\) and y \(7,\)"):
        answer(asked, x[0], y[0])


def test_where_no_position_is_learned_any_number_of_exemplars_is_taken():
    assert answer(model(positions="rotary"), *prompts(9)).shape == (5, 10)
    assert answer(model(capacity=17), *prompts(8)).shape == (5, 9)
    with pytest.raises(UserError, match="9 exemplars, but the model takes 8 at most"):
        answer(model(capacity=18), *prompts(9))
