"""The regression transformer: parity with Hugging Face GPT-2, causality, layouts, positions."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unskew.regression.transformer import Transformer, TransformerConfig, rotate, tokens

DIM, EXEMPLARS = 3, 6


def model(dtype: torch.dtype = torch.float64, **settings: object) -> Transformer:
    """A small model with every weight drawn, residual outputs too (at initialisation they are 0 for
    the swiglu block, and a causality test on the identity would prove nothing)."""
    config = TransformerConfig(**{"layers": 2, "heads": 2, "width": 16} | settings)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    net = Transformer(config, DIM, EXEMPLARS).initialise(generator).to(dtype)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator, dtype=dtype))
    return net.eval()


def prompts(batch: int = 4, points: int = EXEMPLARS + 1, seed: int = 1) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, points, DIM, generator=generator, dtype=torch.float64)
    return x, torch.randn(batch, points, generator=generator, dtype=torch.float64)


VARIANTS = [
    {"layout": layout, "block": block, "positions": positions}
    for layout in ("interleaved", "paired")
    for block in ("gpt2", "swiglu")
    for positions in ("learned", "rotary")
]


def test_parity_with_hugging_face_gpt2():
    from transformers import GPT2Config, GPT2Model

    ours: Any = model(layout="interleaved", block="gpt2")
    theirs: Any = GPT2Model(
        GPT2Config(
            n_embd=16, n_layer=2, n_head=2, n_positions=64, vocab_size=1,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    ).double().eval()  # fmt: skip
    with torch.no_grad():
        theirs.wpe.weight[: ours.capacity] = ours.positions
        theirs.ln_f.weight.copy_(ours.norm.weight)
        theirs.ln_f.bias.copy_(ours.norm.bias)
        for a, b in zip(ours.blocks, theirs.h, strict=True):
            # GPT-2's Conv1D keeps its weights as (in, out)
            pairs = [
                (a.attention.qkv, b.attn.c_attn),
                (a.attention.out, b.attn.c_proj),
                (a.up, b.mlp.c_fc),
                (a.down, b.mlp.c_proj),
            ]
            for mine, conv in pairs:
                conv.weight.copy_(mine.weight.flatten(0, 1).T)
                conv.bias.copy_(mine.bias.flatten())
            for mine, norm in ((a.norm_attention, b.ln_1), (a.norm_mlp, b.ln_2)):
                norm.weight.copy_(mine.weight)
                norm.bias.copy_(mine.bias)
        x, y = prompts()
        embedded = ours.read_in(tokens(x, y, "interleaved"))
        hidden = theirs(inputs_embeds=embedded).last_hidden_state
        expected = ours.read_out(hidden)[:, ::2, 0]
        assert torch.allclose(ours(x, y), expected, rtol=0, atol=1e-10)
        # and the comparison can fail: a moved weight shows
        theirs.h[0].mlp.c_fc.weight[0, 0] += 1e-3
        moved = ours.read_out(theirs(inputs_embeds=embedded).last_hidden_state)[:, ::2, 0]
        assert not torch.allclose(expected, moved, rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(v.values()))
@settings(max_examples=10, deadline=None)
@given(k=st.integers(0, EXEMPLARS), seed=st.integers(0, 99))
def test_no_later_token_changes_an_earlier_prediction(variant: dict, k: int, seed: int):
    net = model(**variant)
    x, y = prompts(seed=seed)
    other_x, other_y = prompts(seed=seed + 1000)
    changed_x, changed_y = x.clone(), y.clone()
    changed_x[:, k + 1 :] = other_x[:, k + 1 :]
    changed_y[:, k:] = other_y[:, k:]  # the query's own label is later than its prediction
    with torch.no_grad():
        before, after = net(x, y), net(changed_x, changed_y)
    assert torch.equal(before[:, : k + 1], after[:, : k + 1])
    if k < EXEMPLARS:
        assert not torch.allclose(before[:, k + 1 :], after[:, k + 1 :])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(v.values()))
def test_every_earlier_pair_reaches_the_prediction(variant: dict):
    net = model(**variant)
    x, y = prompts()
    y.requires_grad_()
    (gradient,) = torch.autograd.grad(net(x, y)[:, -1].sum(), y)
    assert (gradient[:, :-1].abs() > 0).all()
    assert (gradient[:, -1] == 0).all()


def test_tokens_by_hand():
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    y = torch.tensor([[5.0, 6.0]])
    assert tokens(x, y, "interleaved").tolist() == [[[1, 2], [5, 0], [3, 4]]]
    assert tokens(x, y, "paired").tolist() == [[[1, 2, 0, 0, 0], [3, 4, 1, 2, 5]]]


def test_shorter_prompts_agree_with_prefixes():
    net = model()
    x, y = prompts()
    with torch.no_grad():
        assert torch.allclose(net(x[:, :3], y[:, :3]), net(x, y)[:, :3], atol=1e-12)


def test_rotary_scores_depend_on_distance_only():
    generator = torch.Generator().manual_seed(3)
    q, k = (torch.randn(8, generator=generator, dtype=torch.float64) for _ in range(2))
    length = 12
    scores = rotate(q.expand(length, 8)) @ rotate(k.expand(length, 8)).T
    for distance in range(-4, 5):
        diagonal = scores.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[0].expand_as(diagonal), atol=1e-5)


def test_offset_moves_the_positions():
    net: Any = model(positions="learned-random-offset", capacity=20)
    x, y = prompts()
    with torch.no_grad():
        moved = net(x, y, 5)
        net.positions[:-5] = net.positions[5:].clone()
        assert torch.allclose(net(x, y, 0), moved, atol=1e-12)


def test_initialisation_is_a_function_of_the_generator():
    def draw(seed: int) -> Transformer:
        config = TransformerConfig(layers=1, heads=1, width=8)
        net = Transformer(config, DIM, EXEMPLARS)
        return net.initialise(torch.Generator().manual_seed(seed))

    state = torch.get_rng_state()
    a, b, c = (torch.cat([p.flatten() for p in draw(s).parameters()]) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert a.isfinite().all()
    # building draws torch's default initialisation, which is overwritten; ours must not lean on it
    torch.set_rng_state(state)


def test_swiglu_starts_as_the_identity():
    config = TransformerConfig(layers=2, heads=2, width=16, block="swiglu", layout="paired")
    net = Transformer(config, DIM, EXEMPLARS).initialise(torch.Generator().manual_seed(0)).double()
    h = torch.randn(2, 5, 16, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(net.blocks[0](h), h)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="multiple of heads"):
        TransformerConfig(width=10, heads=4)
    with pytest.raises(ValueError, match="even width"):
        TransformerConfig(width=6, heads=2, positions="rotary")
    with pytest.raises(ValueError, match="capacity 3"):
        Transformer(TransformerConfig(width=8, heads=2, capacity=3), DIM, EXEMPLARS)
    net = model()
    with pytest.raises(ValueError, match="learned positions"):
        net(*prompts(points=EXEMPLARS + 2))
