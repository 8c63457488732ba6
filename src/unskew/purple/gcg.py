"""Greedy Coordinate Gradient: a suffix that makes a model say something (Zou et al., 2023).

Each step, the gradient of the loss by every token of the suffix names promising replacements; of
these, `candidates` are drawn, each changes one token, their losses are computed exactly, and the
best becomes the suffix of the next step. The best suffix of all steps is what is found; it is then
sent as text, and what the model says to it, greedily, is part of the result.

What an adaptive attacker knows of a defence goes into the objective: a system prompt or answered
questions stand in `Prompt.before`, as does a passage that keeps the perplexity low; a perplexity
filter is met by `Gcg.perplexity`; tokens that are dropped on the way are left out by
`Prompt.places`. Several prompts give one suffix for all (universal).

Every step is a function of the suffix and of (seed, step), so a search that was interrupted goes on
from its file to the same result.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unskew.errors import UserError
from unskew.purple.gcg_objective import Objective
from unskew.purple.gcg_tokens import Tokens, Vocabulary, begin, vocabulary
from unskew.purple.gcg_types import Allows, Found, Gcg, Prompt, Step
from unskew.purple.subject import TooLongError
from unskew.runs import writing

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Allows", "Found", "Gcg", "Prompt", "Step", "search"]

ROOM = 8  # tokens beyond the target that a model may say in the check at the end


def search(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    config: Gcg,
    state: Path | None = None,
    watch: Callable[[Step], object] = lambda step: None,
    batch: int = 64,
) -> Found:
    """Search a suffix that makes the model go on with each prompt's target.

    Args:
        prompts: one, or several for a universal suffix.
        state: a safetensors file that each step is kept in (written anew and renamed) and that an
            earlier, interrupted search is continued from.
        watch: told of each step.
        batch: candidates that are read at once; it changes speed and memory only.

    Warns: where the model has no cache that candidates could share, which makes the search slower.

    Raises:
        UserError: the suffix or a target has no tokens of its own in a prompt, a prompt is longer
            than the model reads, no candidate is read back as its own tokens, or the file is of
            another search.
    """
    if not prompts:
        raise UserError("a suffix is searched for no prompts")
    training = model.training
    model.eval()
    try:
        return _search(model, tokenizer, prompts, config, state, watch, batch)
    finally:
        model.train(training)


def _search(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    config: Gcg,
    state: Path | None,
    watch: Callable[[Step], object],
    batch: int,
) -> Found:
    table: Any = model.get_input_embeddings()
    words = vocabulary(tokenizer, table.weight.shape[0], config.ascii)
    start, tokens = begin(words, prompts, config.start, config.length)
    _check_room(model, tokens, config.length)
    objective = Objective(
        model, tokens, words.allowed, config.perplexity, batch, allows=[p.allows for p in prompts]
    )
    if not objective.cached:
        warnings.warn(
            "this model has no cache that candidates could share: each is read whole, which is "
            "slower",
            stacklevel=3,
        )
    suffix = start.to(model.device)
    loss, gradient = objective.gradient(suffix)
    best, losses = suffix, [loss]
    digest = _digest(config, prompts)
    if state is not None and state.exists():
        suffix, best, losses = _load(state, digest, loss, model.device)
        loss, gradient = objective.gradient(suffix)
    while len(losses) <= config.steps:
        step = len(losses)
        candidates = _candidates(words, prompts, tokens, suffix, gradient, config, step)
        found = objective.losses(suffix, candidates)
        least = int(found.argmin())
        suffix, loss = candidates[least], float(found[least])
        if loss < min(losses):
            best = suffix
        losses.append(loss)
        if state is not None:
            _save(state, digest, suffix, best, losses)
        watch(Step(step, loss, min(losses), words.text(suffix.tolist())))
        if step < config.steps:
            _, gradient = objective.gradient(suffix)
    text = words.text(best.tolist())
    said = [_said(model, words, p, ids, best) for p, ids in zip(prompts, tokens, strict=True)]
    reached = [answer.startswith(p.target) for answer, p in zip(said, prompts, strict=True)]
    least = min(losses)
    return Found(
        text, least, losses.index(least), tuple(losses), tuple(said), tuple(reached),
        objective.cached,
    )  # fmt: skip


def _candidates(
    words: Vocabulary,
    prompts: Sequence[Prompt],
    tokens: Sequence[Tokens],
    suffix: Tensor,
    gradient: Tensor,
    config: Gcg,
    step: int,
) -> Tensor:
    """Different suffixes (at most config.candidates, length), each with one token replaced by one
    of the top_k at its place, all read back as they are. Of these all are equally likely."""
    allowed = words.allowed.to(suffix.device)
    same = suffix[:, None] == allowed  # (length, allowed): no change is no candidate
    top_k = min(config.top_k, len(allowed) - 1)
    ranked = (-gradient).masked_fill(same, -torch.inf).topk(top_k, dim=1).indices
    draws = torch.randperm(config.length * top_k, generator=_generator(config.seed, step))
    kept: list[Tensor] = []
    for some in draws.to(suffix.device).split(config.candidates):
        place = some // top_k
        rows = suffix.repeat(len(some), 1)
        rows[torch.arange(len(some), device=suffix.device), place] = allowed[
            ranked[place, some % top_k]
        ]
        kept.append(rows[words.read_back(prompts, tokens, rows).to(suffix.device)])
        if sum(map(len, kept)) >= config.candidates:
            break
    candidates = torch.cat(kept)[: config.candidates]
    if not len(candidates):
        raise UserError(
            f"none of the {len(draws)} candidates of step {step} is read by the tokenizer, as text "
            "in its prompt, as the tokens it is made of",
            f"suffix {words.text(suffix.tolist())!r}",
            "raise top_k, or give another start, length or seed",
        )
    return candidates


def _generator(seed: int, step: int) -> torch.Generator:
    digest = hashlib.sha256(f"gcg/{seed}/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _check_room(model: PreTrainedModel, tokens: Sequence[Tokens], length: int) -> None:
    window = getattr(model.config, "max_position_embeddings", None)
    longest = max(len(t.before) + length + len(t.after) + len(t.target) + ROOM for t in tokens)
    if window is not None and longest > window:
        raise TooLongError(
            f"a prompt with suffix and answer takes {longest} tokens; the model reads {window}",
            hint="give less context, or a shorter suffix",
        )


@torch.no_grad()
def _said(
    model: PreTrainedModel, words: Vocabulary, prompt: Prompt, tokens: Tokens, suffix: Tensor
) -> str:
    """The greedy answer to the prompt as a text, with what of the suffix reaches it."""
    places = range(len(suffix)) if prompt.places is None else prompt.places
    text = words.text([int(suffix[i]) for i in places])
    ids = torch.tensor(words.encode([prompt.before + text + prompt.after]), device=model.device)
    tokenizer: Any = words.tokenizer
    generator: Any = model
    pad = tokenizer.pad_token_id
    out = generator.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=len(tokens.target) + ROOM,
        do_sample=False,
        num_beams=1,
        pad_token_id=tokenizer.eos_token_id if pad is None else pad,
    )
    # After the prompt's last token, as some tokenizers drop the space that a text begins with.
    lead, whole = (
        tokenizer.decode(row, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for row in (ids[0, -1:].tolist(), out[0, ids.shape[1] - 1 :].tolist())
    )
    return str(whole).removeprefix(str(lead))


# --- what an interrupted search leaves ------------------------------------------------------------


def _digest(config: Gcg, prompts: Sequence[Prompt]) -> str:
    # Prompts that are read whole are told as they were before there were others.
    read = [list(prompt if prompt.places is not None else prompt[:-1]) for prompt in prompts]
    told = json.dumps([config.model_dump(mode="json"), read])
    return hashlib.sha256(told.encode()).hexdigest()


def _save(path: Path, digest: str, suffix: Tensor, best: Tensor, losses: list[float]) -> None:
    from safetensors.torch import save_file

    tensors = {
        "suffix": suffix.cpu().clone(),
        "best": best.cpu().clone(),
        "losses": torch.tensor(losses, dtype=torch.float64),
    }
    writing.replace(path, lambda temporary: save_file(tensors, temporary, {"search": digest}))


def _load(
    path: Path, digest: str, start: float, device: torch.device
) -> tuple[Tensor, Tensor, list[float]]:
    """The suffix, the best one and the losses; `start` is the start's loss, which tells models
    apart."""
    from safetensors import SafetensorError, safe_open

    hint = "remove the file, or give another"
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get("search")
            suffix, best, losses = (file.get_tensor(n) for n in ("suffix", "best", "losses"))
    except (SafetensorError, OSError) as error:
        raise UserError(f"not the state of a search: {error}", str(path), hint) from None
    if said != digest:
        raise UserError("the state of a search with other settings or prompts", str(path), hint)
    if abs(float(losses[0]) - start) > 1e-3 * max(1.0, abs(start)):
        raise UserError("the state of a search in another model", str(path), hint)
    return suffix.to(device), best.to(device), losses.tolist()
