"""GCG: its gradient against differences, its losses against plain reading, its search against
models whose right suffix is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from purple.gcg_toys import byte_tokenizer, gpt2, llama, magic
from unskew.errors import UserError
from unskew.purple.gcg import Allows, Found, Gcg, Prompt, Step, search
from unskew.purple.gcg_objective import Objective
from unskew.purple.gcg_tokens import Tokens, Vocabulary, begin, vocabulary

SHORT = Gcg(steps=4, candidates=24, top_k=12, length=4)
PROMPT = Prompt("ask: ", "\nsay:", " pu")
FREE = Allows()
NO_CACHE = "no cache that candidates could share"


def plain_loss(
    model: Any, ids: Tokens, suffix: Tensor, weight: float = 0.0, allows: Allows = FREE
) -> float:
    """The loss by its definition: one whole text, read once."""
    text = torch.tensor([*ids.before, *suffix.tolist(), *ids.after, *ids.target])
    with torch.no_grad():
        logp = model(input_ids=text[None], use_cache=False).logits[0].double().log_softmax(-1)
    each = [-logp[i - 1, text[i]] for i in range(1, len(text))]  # of tokens 1, 2, ...
    at = len(ids.before)
    own = each[max(at - 1, 0) : at + len(suffix) - 1]
    loss = sum(each[-len(ids.target) :]) / len(ids.target)
    if not own:
        return float(loss)
    size = min(allows.window or len(own), len(own))
    worst = max(sum(own[i : i + size]) / size for i in range(len(own) - size + 1))
    return float(loss + weight * max(worst - allows.nats, 0.0))


def relaxed_loss(
    model: Any, ids: Tokens, soft: Tensor, weight: float, allows: Allows = FREE
) -> Tensor:
    """The same for a suffix of vectors (length, vocabulary), which may be no one-hot ones."""
    size = soft.shape[1]
    around = [one_hot(torch.tensor(x, dtype=torch.long), size).double() for x in ids[:3]]
    vectors = torch.cat([around[0], soft, around[1], around[2]])
    logits = model(inputs_embeds=(vectors @ model.get_input_embeddings().weight)[None]).logits[0]
    loss = cross_entropy(logits[-len(ids.target) - 1 : -1], torch.tensor(ids.target))
    first, at = max(len(ids.before), 1), len(ids.before)
    told = logits.log_softmax(-1)[first - 1 : at + len(soft) - 1]
    own = -(vectors[first : at + len(soft)] * told).sum(-1)
    size = min(allows.window or len(own), len(own))
    return loss + weight * (own.unfold(0, size, 1).mean(1).max() - allows.nats).clamp_min(0)


# --- the objective --------------------------------------------------------------------------------

AROUND = Tokens((5, 9, 2), (7, 7), (11, 3))
ARRANGEMENTS = [AROUND, Tokens((), (7,), (4,)), Tokens((8,), (), (4, 6, 2))]


FILTERS = [(0.0, FREE), (0.7, FREE), (0.7, Allows(1.0)), (0.7, Allows(99.0)), (0.7, Allows(1.0, 2))]


@pytest.mark.parametrize(("weight", "allows"), FILTERS)
@pytest.mark.parametrize("ids", ARRANGEMENTS)
@pytest.mark.parametrize("cached", [True, False])
def test_gradient_is_that_of_finite_differences(
    ids: Tokens, weight: float, allows: Allows, cached: bool
) -> None:
    model = gpt2(20, dtype=torch.float64)
    suffix, allowed = torch.tensor([3, 14, 9]), torch.tensor([1, 4, 9, 15, 19])
    objective = Objective(model, [ids], allowed, weight, cached=cached, allows=[allows])
    loss, gradient = objective.gradient(suffix)
    soft, h = one_hot(suffix, 20).double(), 1e-5
    expected = torch.zeros(3, len(allowed), dtype=torch.float64)
    with torch.no_grad():
        for place in range(3):
            for column, token in enumerate(allowed.tolist()):
                step = torch.zeros_like(soft)
                step[place, token] = h
                ends = [
                    relaxed_loss(model, ids, soft + sign * step, weight, allows) for sign in (1, -1)
                ]
                expected[place, column] = (ends[0] - ends[1]) / (2 * h)
    expected /= expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-6)
    assert loss == pytest.approx(plain_loss(model, ids, suffix, weight, allows), rel=1e-12)


@pytest.mark.parametrize(
    ("weight", "allows"), [(0.0, FREE), (0.3, FREE), (0.3, Allows(3.7)), (0.3, Allows(3.7, 2))]
)
@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize("length", [1, 5])
def test_losses_are_those_of_plain_reading(
    make: Any, weight: float, allows: Allows, length: int
) -> None:
    model = make(40)
    draw = torch.Generator().manual_seed(1)
    suffix = torch.randint(0, 40, (length,), generator=draw)
    neighbours = suffix.repeat(17, 1)
    for row, place in enumerate(torch.randint(0, length, (16,), generator=draw).tolist()):
        neighbours[row, place:] = torch.randint(0, 40, (length - place,), generator=draw)
    each = [allows, allows._replace(nats=0.9 * allows.nats), allows]  # each prompt has its own
    objective = Objective(model, ARRANGEMENTS, torch.arange(40), weight, batch=4, allows=each)
    assert objective.cached
    losses = objective.losses(suffix, neighbours)
    for row, loss in zip(neighbours, losses.tolist(), strict=True):
        expected = [
            plain_loss(model, ids, row, weight, of)
            for ids, of in zip(ARRANGEMENTS, each, strict=True)
        ]
        assert loss == pytest.approx(sum(expected) / 3, rel=2e-5)
    loss, gradient = objective.gradient(suffix)
    assert loss == pytest.approx(
        sum(
            plain_loss(model, ids, suffix, weight, of)
            for ids, of in zip(ARRANGEMENTS, each, strict=True)
        )
        / 3,
        rel=2e-5,
    )
    assert gradient.isfinite().all()
    whole = Objective(model, ARRANGEMENTS, torch.arange(40), weight, cached=False, allows=each)
    torch.testing.assert_close(whole.losses(suffix, neighbours), losses, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("weight", [0.0, 0.3])
@pytest.mark.parametrize("cached", [True, False])
def test_of_places_that_are_dropped_nothing_is_read(weight: float, cached: bool) -> None:
    """Whole and with drops, the latter as if the suffix were the shorter one."""
    model, places = gpt2(40, dtype=torch.float64), torch.tensor([0, 2, 3])
    whole, part = AROUND, ARRANGEMENTS[2]._replace(places=tuple(places.tolist()))
    suffix = torch.tensor([3, 14, 9, 8, 21])
    neighbours = suffix.repeat(6, 1)
    for row, place in enumerate((0, 1, 2, 3, 4)):  # the last is the suffix itself
        neighbours[row, place] = 30 + row
    objective = Objective(model, [whole, part], torch.arange(40), weight, batch=2, cached=cached)
    losses = objective.losses(suffix, neighbours)
    for row, loss in zip(neighbours, losses.tolist(), strict=True):
        both = plain_loss(model, whole, row, weight), plain_loss(model, part, row[places], weight)
        assert loss == pytest.approx(sum(both) / 2, rel=1e-9)
    loss, gradient = objective.gradient(suffix)
    assert loss == pytest.approx(float(losses[5]), rel=1e-9)
    alone, shorter = (
        Objective(model, [ids._replace(places=None)], torch.arange(40), weight).gradient(tokens)[1]
        for ids, tokens in ((whole, suffix), (part, suffix[places]))
    )
    alone[places] += shorter
    torch.testing.assert_close(gradient, alone, rtol=1e-6, atol=1e-9)


def test_what_is_found_among_drops_is_read_back_in_what_is_sent() -> None:
    """`ab` is one token: as text a suffix must not have it, though with drops it might."""
    tokenizer = byte_tokenizer((("a", "b"),))
    part = PROMPT._replace(before="as: ", places=(0, 2))
    found = search(llama(len(tokenizer)), tokenizer, [PROMPT, part], SHORT)
    words = vocabulary(tokenizer, len(tokenizer), ascii=True)
    read = words.encode([PROMPT.before + found.suffix + PROMPT.after])[0]
    assert len(read) == len(words.encode([PROMPT.before + PROMPT.after])[0]) + SHORT.length
    assert len(found.said) == 2


@pytest.mark.parametrize("places", [(), (0, 4), (-1,)])
def test_places_that_a_suffix_has_not_are_refused(places: tuple[int, ...]) -> None:
    tokenizer = byte_tokenizer()
    with pytest.raises(UserError, match="places of a suffix of 4 tokens"):
        search(llama(257), tokenizer, [PROMPT._replace(places=places)], SHORT)


def test_losses_of_a_model_in_low_precision_are_told_apart() -> None:
    model = llama(40, dtype=torch.bfloat16)
    suffix = torch.tensor([1, 2, 3, 4])
    neighbours = suffix.repeat(64, 1)
    neighbours[torch.arange(64), torch.arange(64) % 4] = torch.arange(64) // 2 + 5
    losses = Objective(model, [AROUND], torch.arange(40)).losses(suffix, neighbours)
    assert losses.dtype == torch.float32
    assert len(losses.unique()) > 50


def test_each_prompt_weighs_the_same_in_the_gradient() -> None:
    model, suffix, allowed = llama(20), torch.tensor([3, 14, 9]), torch.arange(20)
    both = Objective(model, ARRANGEMENTS[:2], allowed).gradient(suffix)
    single = [Objective(model, [ids], allowed).gradient(suffix) for ids in ARRANGEMENTS[:2]]
    for _, gradient in single:
        torch.testing.assert_close(gradient.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(both[1], single[0][1] + single[1][1])
    assert both[0] == pytest.approx((single[0][0] + single[1][0]) / 2)


# --- texts and tokens -----------------------------------------------------------------------------


def test_a_suffix_is_of_printable_ascii() -> None:
    words = vocabulary(byte_tokenizer(), 257, ascii=True)
    assert sorted(words.text([i]) for i in words.allowed.tolist()) == [
        chr(i) for i in range(0x20, 0x7F)
    ]
    more = vocabulary(byte_tokenizer((("Ã", "©"),)), 258, ascii=False)
    texts = {more.text([i]) for i in more.allowed.tolist()}
    assert {"é", "\n", "a"} <= texts
    assert all("�" not in text and "<|end|>" not in text for text in texts)


def test_tokens_that_the_model_or_the_tokenizer_lacks_are_not_used() -> None:
    assert max(vocabulary(byte_tokenizer(), 90, ascii=True).allowed) < 90
    assert max(vocabulary(byte_tokenizer(), 1000, ascii=False).allowed) < 257
    with pytest.raises(UserError, match="made of 0 only"):
        vocabulary(byte_tokenizer(), 1, ascii=True)


def _ids(words: Vocabulary, text: str) -> list[int]:
    return words.encode([text])[0]


def test_a_suffix_must_be_read_back_in_its_prompt() -> None:
    tokenizer = byte_tokenizer((("x", "y"), ("n", "x"), ("x", "?")))
    words = vocabulary(tokenizer, len(tokenizer), ascii=True)
    single = {c: _ids(words, c)[0] for c in "abxy"}
    rows = torch.tensor([[single[c] for c in pair] for pair in ("ab", "xy", "xa", "ax", "ya")])

    def read(before: str, after: str) -> list[bool]:
        prompt = Prompt(before, after, "t")
        ids = Tokens(tuple(_ids(words, before)), tuple(_ids(words, after)), (1,))
        return words.read_back([prompt], [ids], rows).tolist()

    assert read(" ", " ") == [True, False, True, True, True]  # x, y is read as xy
    assert read("n", " ") == [True, False, False, True, True]  # n, x as nx
    assert read(" ", "?") == [True, False, True, False, True]  # x, ? as x?
    prompts = [Prompt(" ", " ", "t"), Prompt("n", " ", "t")]
    ids = [Tokens(tuple(_ids(words, p.before)), tuple(_ids(words, p.after)), (1,)) for p in prompts]
    assert words.read_back(prompts, ids, rows).tolist() == [True, False, False, True, True]


def test_what_is_found_is_read_back_and_ascii() -> None:
    tokenizer = byte_tokenizer((("x", "y"), ("a", "b"), ("Ġ", "x")))
    model = llama(len(tokenizer))
    found = search(model, tokenizer, [PROMPT], SHORT.model_copy(update={"start": "o"}))
    assert found.suffix.isascii()
    assert found.suffix.isprintable()
    words = vocabulary(tokenizer, len(tokenizer), ascii=True)
    whole, before, after = (
        _ids(words, t)
        for t in (PROMPT.before + found.suffix + PROMPT.after, PROMPT.before, PROMPT.after)
    )
    inside = whole[len(before) : len(before) + SHORT.length]
    assert whole == [*before, *inside, *after]
    ids = Tokens(tuple(before), tuple(after), tuple(_ids(words, PROMPT.target)))
    assert found.loss == pytest.approx(plain_loss(model, ids, torch.tensor(inside)), rel=1e-4)


def test_if_no_candidate_is_read_back_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Vocabulary, prompts: Any, tokens: Any, suffixes: Tensor) -> Tensor:
        return torch.zeros(len(suffixes), dtype=torch.bool)

    monkeypatch.setattr(Vocabulary, "read_back", none)
    with pytest.raises(UserError, match="none of the 48 candidates of step 1 is read"):
        search(llama(257), byte_tokenizer(), [PROMPT], SHORT)


@pytest.mark.parametrize(
    ("prompt", "start", "message"),
    [
        (Prompt("n", "?", "t"), "x", "does not read 'xxxx' in this prompt"),
        (Prompt(" ", "y", "t"), "x", "does not read 'xxxx' in this prompt"),
        (Prompt(" ", "n", "xt"), "a", "the target 'xt' has no tokens of its own"),
        (Prompt(" ", "n", ""), "a", "the target '' has no tokens of its own"),
    ],
)
def test_what_melts_into_its_prompt_is_refused(prompt: Prompt, start: str, message: str) -> None:
    tokenizer = byte_tokenizer((("n", "x"), ("x", "y")))
    words = vocabulary(tokenizer, len(tokenizer), ascii=True)
    with pytest.raises(UserError, match=message):
        begin(words, [prompt], start, 4)


def test_a_start_is_repeated_and_cut() -> None:
    words = vocabulary(byte_tokenizer(), 257, ascii=True)
    suffix, (ids,) = begin(words, [PROMPT], "ab!", 7)
    assert words.text(suffix.tolist()) == "ab!ab!a"
    assert ids.target == tuple(_ids(words, " pu"))


# --- the search -----------------------------------------------------------------------------------


def test_the_magic_word_is_found() -> None:
    tokenizer = byte_tokenizer()
    with pytest.warns(UserWarning, match=NO_CACHE):
        found = search(magic(tokenizer), tokenizer, [Prompt("q ", "?", "ppp")], SHORT)
    assert "Q" in found.suffix
    assert found.reached == (True,)
    assert found.said[0].startswith("ppp")
    assert not found.cached
    with pytest.warns(UserWarning, match=NO_CACHE):
        control = search(magic(tokenizer), tokenizer, [Prompt("q ", "?", "zzz")], SHORT)
    assert control.reached == (False,)


def test_one_token_is_found_as_by_trying_all() -> None:
    tokenizer = byte_tokenizer()
    model, words = llama(257), vocabulary(tokenizer, 257, ascii=True)
    _, (ids,) = begin(words, [PROMPT], "x", 1)
    losses = {i: plain_loss(model, ids, torch.tensor([i])) for i in words.allowed.tolist()}
    config = Gcg(steps=1, length=1, start="x", top_k=10**6, candidates=10**6)
    found = search(model, tokenizer, [PROMPT], config)
    assert found.suffix == words.text([min(losses, key=lambda i: losses[i])])
    assert found.loss == pytest.approx(min(losses.values()), rel=1e-4)
    assert found.losses[0] == pytest.approx(losses[_ids(words, "x")[0]], rel=1e-4)


def test_the_best_step_is_kept() -> None:
    found = search(llama(257), byte_tokenizer(), [PROMPT], Gcg(steps=12, candidates=3, length=3))
    assert len(found.losses) == 13
    assert found.loss == min(found.losses) == found.losses[found.step]
    assert max(b - a for a, b in zip(found.losses, found.losses[1:], strict=False)) > 0  # it rose
    assert found.loss < found.losses[0]


def test_no_steps_give_the_start() -> None:
    found = search(llama(257), byte_tokenizer(), [PROMPT], Gcg(steps=0, length=2, start="x"))
    assert (found.suffix, found.step, len(found.losses)) == ("xx", 0, 1)


def test_one_prompt_is_a_universal_search_over_one() -> None:
    model, tokenizer = llama(257), byte_tokenizer()
    one = search(model, tokenizer, [PROMPT], SHORT)
    twice = search(model, tokenizer, [PROMPT, PROMPT], SHORT)
    assert (twice.suffix, twice.step) == (one.suffix, one.step)
    assert twice.losses == pytest.approx(one.losses, rel=1e-5)
    assert twice.said == one.said * 2


def test_a_universal_suffix_serves_prompts_of_different_length() -> None:
    tokenizer = byte_tokenizer()
    prompts = [Prompt("q ", "?", "pp"), Prompt("another question ", "? Well:", "ppp")]
    with pytest.warns(UserWarning, match=NO_CACHE):
        found = search(magic(tokenizer), tokenizer, prompts, SHORT)
    assert found.reached == (True, True)


def test_the_same_seed_gives_the_same_whatever_the_batch_and_the_global_seed() -> None:
    model, tokenizer = llama(257), byte_tokenizer()
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = search(model, tokenizer, [PROMPT], SHORT)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert search(model, tokenizer, [PROMPT], SHORT) == first
    assert search(model, tokenizer, [PROMPT], SHORT, batch=5).suffix == first.suffix
    other = search(model, tokenizer, [PROMPT], SHORT.model_copy(update={"seed": 1}))
    assert other.losses[1:] != first.losses[1:]


def test_the_perplexity_term_makes_a_likelier_suffix() -> None:
    model, tokenizer = llama(257), byte_tokenizer()
    words = vocabulary(tokenizer, 257, ascii=True)
    ids = begin(words, [PROMPT], "x", 6)[1][0]

    def likelihood(found: Found) -> float:
        suffix = torch.tensor(_ids(words, found.suffix))
        return plain_loss(model, ids, suffix, 1.0) - plain_loss(model, ids, suffix)

    config = Gcg(steps=8, candidates=64, length=6, start="x")
    free = search(model, tokenizer, [PROMPT], config)
    bound = search(model, tokenizer, [PROMPT], config.model_copy(update={"perplexity": 1.0}))
    assert likelihood(bound) < likelihood(free) - 0.5
    suffix = torch.tensor(_ids(words, bound.suffix))
    assert bound.loss == pytest.approx(plain_loss(model, ids, suffix, 1.0), rel=1e-4)


def test_what_a_filter_lets_pass_costs_nothing() -> None:
    model, tokenizer = llama(257), byte_tokenizer()
    bound = Gcg(steps=4, candidates=64, length=6, start="x", perplexity=1.0)
    free = search(model, tokenizer, [PROMPT], bound.model_copy(update={"perplexity": 0.0}))
    found = search(model, tokenizer, [PROMPT._replace(allows=Allows(99.0))], bound)
    assert found.suffix == free.suffix
    assert found.losses == pytest.approx(free.losses, rel=1e-5)


def test_the_model_is_left_as_it_was() -> None:
    model = llama(257).train()
    search(model, byte_tokenizer(), [PROMPT], SHORT.model_copy(update={"steps": 1}))
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_a_prompt_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="the model reads 128"):
        search(llama(257), byte_tokenizer(), [Prompt("q" * 120, "", "p")], SHORT)
    with pytest.raises(UserError, match="for no prompts"):
        search(llama(257), byte_tokenizer(), [], SHORT)


# --- interruption ---------------------------------------------------------------------------------


class _Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("at", [1, 3])
def test_interrupted_is_uninterrupted(tmp_path: Path, at: int) -> None:
    model, tokenizer, file = llama(257), byte_tokenizer(), tmp_path / "runs" / "gcg.safetensors"
    steps: list[Step] = []
    whole = search(model, tokenizer, [PROMPT], SHORT, watch=steps.append)
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert tuple(step.loss for step in steps) == whole.losses[1:]
    assert all(not math.isnan(step.loss) and step.best <= step.loss for step in steps)

    def stop(step: Step) -> None:
        if step.step == at:
            raise _Stop

    with pytest.raises(_Stop):
        search(model, tokenizer, [PROMPT], SHORT, file, stop)
    later: list[Step] = []
    assert search(model, tokenizer, [PROMPT], SHORT, file, later.append) == whole
    assert later == steps[at:]
    assert search(model, tokenizer, [PROMPT], SHORT, file, later.append) == whole
    assert len(later) == 4 - at
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_state_of_another_search_is_refused(tmp_path: Path) -> None:
    tokenizer, file = byte_tokenizer(), tmp_path / "gcg.safetensors"
    search(llama(257), tokenizer, [PROMPT], SHORT, file)
    with pytest.raises(UserError, match="other settings or prompts"):
        search(llama(257), tokenizer, [PROMPT], SHORT.model_copy(update={"seed": 1}), file)
    with pytest.raises(UserError, match="other settings or prompts"):
        search(llama(257), tokenizer, [PROMPT._replace(target=" x")], SHORT, file)
    with pytest.raises(UserError, match="in another model"):
        search(llama(257, seed=1), tokenizer, [PROMPT], SHORT, file)
    file.write_bytes(b"no tensors")
    with pytest.raises(UserError, match="not the state of a search"):
        search(llama(257), tokenizer, [PROMPT], SHORT, file)
