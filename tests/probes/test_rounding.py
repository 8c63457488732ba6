"""Rounding keeps within half a step of each channel and leaves everything else alone."""

import pytest
import torch
from torch import nn

from probes import facts
from unskew.probes.models import Model, copied
from unskew.probes.rounding import round_channels, rounded


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_no_weight_moves_by_more_than_half_a_step(bits: int) -> None:
    weight = torch.randn(7, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight[3] *= 1e-6
    weight[4] = 0
    found = round_channels(weight, bits)
    scale = weight.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    assert ((found - weight).abs() <= 0.5 * scale * (1 + 1e-12)).all()
    for row in found:
        assert len(row.unique()) <= 2**bits - 1
    # The largest of a channel is kept, a channel of zeros stays so, and twice changes nothing.
    torch.testing.assert_close(found.abs().amax(1), weight.abs().amax(1))
    assert (found[4] == 0).all()
    torch.testing.assert_close(round_channels(found, bits), found)


def test_by_hand() -> None:
    weight = torch.tensor([[7.0, -3.4, 0.6, 0.4], [0.7, 0.34, -0.06, 0.0]])
    wanted = torch.tensor([[7.0, -3.0, 1.0, 0.0], [0.7, 0.3, -0.1, 0.0]])
    torch.testing.assert_close(round_channels(weight, 4), wanted)
    with pytest.raises(ValueError, match="2 bits"):
        round_channels(weight, 1)


def test_a_copy_is_rounded_but_for_embeddings_norms_and_output() -> None:
    model = facts.untrained()
    before = copied(model)
    new = rounded(model, 4)
    for name, p in model.model.named_parameters():
        torch.testing.assert_close(p, before.model.get_parameter(name), rtol=0, atol=0)
        changed = not torch.equal(new.model.get_parameter(name), p)
        assert changed == ("proj" in name), name


def test_gpt2_keeps_its_matrices_the_other_way_round() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    net = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20, n_positions=16))
    new = rounded(Model("gpt2", net, facts.tokenizer()), 4)
    name = "transformer.h.0.mlp.c_fc.weight"
    weight, found = net.get_parameter(name), new.model.get_parameter(name)
    torch.testing.assert_close(found, round_channels(weight.mT, 4).mT)
    assert found.shape == weight.shape


def test_a_model_without_linear_maps_is_not_taken_for_rounded() -> None:
    class Bare(nn.Module):
        def get_output_embeddings(self) -> None:
            return None

    with pytest.raises(ValueError, match="no linear maps"):
        rounded(Model("bare", Bare(), facts.tokenizer()), 8)  # type: ignore[arg-type]
