"""GCG's objective: the loss of a suffix, its gradient, and the losses of many neighbours at once.

    loss = mean over prompts of [ mean target cross-entropy + weight * unlikely(suffix) ]

where unlikely is the suffix's mean negative log-likelihood, or the largest such mean of any window
of its tokens, as far as it is above what the prompt allows. A prompt that only some places of the
suffix reach has the loss of these. All in nats and at least in float32 whatever the model's
precision, as low precision makes ties.

Neighbours of a suffix differ from it from some place on. All before that place is read once: the
prompt's keys and values are kept over all steps, the suffix's over one, and neighbours, in batches
by the place where they begin to differ, read only what is left. For changes at random places that
halves the suffix on average, on top of the prompt before it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unskew.purple.gcg_tokens import Tokens
from unskew.purple.gcg_types import Allows

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Objective:
    """The loss of suffixes of one length under a model.

    Args:
        prompts: their tokens around the suffix.
        allowed: (allowed,) token ids, for which there are gradients.
        weight: of how unlikely the suffix is.
        batch: suffixes that are read at once.
        allows: how unlikely it may be for nothing, of each prompt; None: not at all.

    Attributes:
        cached: whether what suffixes share is read once. A model without a cache, or with one that
            cannot be cut anywhere (a sliding window, a recurrent state), reads all of it each time.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Tokens],
        allowed: Tensor,
        weight: float = 0.0,
        batch: int = 64,
        cached: bool | None = None,
        allows: Sequence[Allows] | None = None,
    ) -> None:
        self.model: Any = model
        self.weight, self.batch = weight, batch
        device = model.device

        def tensor(ids: Sequence[int]) -> Tensor:
            return torch.tensor(ids, dtype=torch.long, device=device)

        self.prompts = [
            (tensor(prompt.before), tensor(prompt.after), tensor(prompt.target))
            for prompt in prompts
        ]
        self.places = [slice(None) if p.places is None else tensor(p.places) for p in prompts]
        self.allows = [Allows()] * len(prompts) if allows is None else list(allows)
        self.allowed = allowed.to(device)
        inside: Any = getattr(model, "get_base_model", lambda: model)()  # of a PEFT model
        self._few = "logits_to_keep" in inspect.signature(inside.forward).parameters
        self.cached = self._has_cache() if cached is None else cached
        self._embed: Any = model.get_input_embeddings()
        # The layer's output, not its weights: some models scale it.
        self._table = _upcast(self._embed(self.allowed).detach())  # (allowed, width)
        # Of each prompt, all before the suffix.
        self._before = [self._read(None, before) for before, _, _ in self.prompts]

    def gradient(self, suffix: Tensor) -> tuple[float, Tensor]:
        """The loss of a suffix (length,), and its gradient by the one-hot vectors of its tokens,
        over the allowed ones: (length, allowed).

        As in Zou et al.'s code, each prompt's gradient has norm 1 at each place before they are
        summed: else the prompt with the worst loss would decide alone.
        """
        total, gradient = 0.0, self._table.new_zeros(len(suffix), len(self.allowed))
        for prompt, places, cache, allows in self._each():
            read = suffix[places]
            with torch.enable_grad():
                embedded = self._embed(read[None]).detach().requires_grad_()
                loss, predicted = self._loss(prompt, cache, read[None], 0, allows, embedded)
                (slope,) = torch.autograd.grad(loss.sum(), embedded)
            each = _upcast(slope[0]) @ self._table.T
            # A token is also what is predicted: the likelihood's own slope, of so many nats at each
            # place as count there.
            if predicted is not None and (count := predicted.shape[1]):
                first = len(read) - count
                nll = -predicted.gather(2, read[None, first:, None])[..., 0]  # (1, count)
                with torch.enable_grad():
                    unlikely = _unlikely(nll.requires_grad_(), allows)
                    (counts,) = torch.autograd.grad(unlikely.sum(), nll)
                told = predicted[0].index_select(1, self.allowed)
                each[first:] -= self.weight * counts[0, :, None] * told
            total += loss.item()
            gradient[places] += each / each.norm(dim=1, keepdim=True).clamp_min(1e-30)
        return total / len(self.prompts), gradient

    @torch.no_grad()
    def losses(self, suffix: Tensor, neighbours: Tensor) -> Tensor:
        """The losses (n,) of neighbours (n, length) of a suffix (length,)."""
        total = self._table.new_zeros(len(neighbours))
        for prompt, places, before, allows in self._each():
            read, others = suffix[places], neighbours[:, places]
            differs = others != read
            # Where each begins to differ; what differs at a dropped place only, at the last one.
            place = torch.where(differs.any(1), differs.int().argmax(dim=1), len(read) - 1)
            cache = self._read(before, read[:-1])
            own = self._own(prompt, before, read)
            for rows in place.argsort(stable=True).split(self.batch):
                begin = int(place[rows[0]]) if self.cached else 0
                loss, _ = self._loss(prompt, cache, others[rows], begin, allows, own=own)
                total[rows] += loss
        return total / len(self.prompts)

    def _each(self) -> Iterator[tuple[tuple[Tensor, ...], slice | Tensor, Any, Allows]]:
        """Each prompt, the places of the suffix that reach it, all before it, what it allows."""
        return zip(self.prompts, self.places, self._before, self.allows, strict=True)

    # --- one prompt -----------------------------------------------------------------------------

    def _loss(
        self,
        prompt: tuple[Tensor, ...],
        cache: Any,
        suffixes: Tensor,
        begin: int,
        allows: Allows,
        embedded: Tensor | None = None,
        own: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Losses (n,) of suffixes (n, length) that are alike before `begin`, where the cache holds
        all before; and, with a weight, the log-probabilities (n, predicted, vocabulary) of tokens
        at the suffix's places from `begin` on (without the first of a text, which nothing
        predicts).

        embedded: the suffixes' embeddings, for a gradient; `begin` is 0 then.
        own: (length,) the likelihoods at places before `begin`.
        """
        before, after, target = prompt
        n, length = suffixes.shape
        at = len(before) + begin  # the first token that is not shared
        keep = max(at - (self.weight > 0), 0) if cache is not None else 0
        ids = torch.cat([before, suffixes[0], after, target[:-1]]).repeat(n, 1)
        ids[:, len(before) : len(before) + length] = suffixes
        needed = len(target) if self.weight == 0 else ids.shape[1] - keep
        if embedded is None:
            given = {"input_ids": ids[:, keep:]}
        else:
            rest = self._embed(ids[:, len(before) + length :])
            lead = self._embed(ids[:, keep : len(before)])
            given = {"inputs_embeds": torch.cat([lead, embedded, rest], dim=1)}
        logits = self._logits(given, self._cut(cache, keep, n), needed)
        loss = _nll(logits[:, -len(target) :], target.expand(n, -1)).mean(dim=1)
        if self.weight == 0:
            return loss, None
        count = len(before) + length - max(len(before), 1)
        first = max(at, 1)  # the first token whose likelihood is asked: of a text's first is none
        labels = ids[:, first : len(before) + length]
        predicted = logits[:, first - 1 - keep :][:, : labels.shape[1]]
        nll = _nll(predicted, labels)
        if own is not None:
            # Of a text's first token nothing is known, and `own` has 0 there.
            nll = torch.cat([own[length - count : begin].expand(n, -1), nll], dim=1)
        if count:
            loss = loss + self.weight * _unlikely(nll, allows)
        return loss, predicted.detach().log_softmax(dim=-1)

    def _own(self, prompt: tuple[Tensor, ...], cache: Any, suffix: Tensor) -> Tensor | None:
        """The suffix's own negative log-likelihoods (length,); 0 where nothing predicts."""
        if self.weight == 0:
            return None
        before = prompt[0]
        ids = torch.cat([before, suffix])
        if len(ids) == 1:
            return self._table.new_zeros(1)
        keep = max(len(before) - 1, 0) if cache is not None else 0
        logits = self._logits(
            {"input_ids": ids[None, keep:-1]}, self._cut(cache, keep, 1), len(ids) - 1 - keep
        )
        each = _nll(logits, ids[None, keep + 1 :])[0]
        if not len(before):
            each = torch.cat([each.new_zeros(1), each])
        return each[-len(suffix) :]

    # --- the model and its cache ----------------------------------------------------------------

    def _logits(self, given: dict[str, Tensor], cache: Any, needed: int) -> Tensor:
        """The last `needed` logits (n, needed, vocabulary)."""
        few = {"logits_to_keep": needed} if self._few else {}
        out = self.model(**given, **few, past_key_values=cache, use_cache=cache is not None)
        return _upcast(out.logits[:, -needed:])

    @torch.no_grad()
    def _read(self, cache: Any, ids: Tensor) -> Any:
        """The cache with further tokens read; the given one stays as it is. None: no cache."""
        if not self.cached or (cache is None and not len(ids)):
            return None
        if not len(ids):
            return cache
        few = {"logits_to_keep": 1} if self._few else {}
        out = self.model(
            input_ids=ids[None], **few, past_key_values=copy.deepcopy(cache), use_cache=True
        )
        return out.past_key_values

    def _cut(self, cache: Any, keep: int, rows: int) -> Any:
        """A copy of the cache's first `keep` tokens for so many rows: models write into theirs."""
        if cache is None or keep == 0:
            return None
        cache = copy.deepcopy(cache)
        if keep < (length := cache.get_seq_length()):
            cache.crop(keep - length)  # where it is 0, some versions keep all, others nothing
        if rows > 1:
            cache.batch_repeat_interleave(rows)
        return cache

    @torch.no_grad()
    def _has_cache(self) -> bool:
        from transformers.cache_utils import DynamicCache, DynamicLayer

        out = self.model(input_ids=self.allowed[None, :1], use_cache=True)
        cache = getattr(out, "past_key_values", None)
        return (
            isinstance(cache, DynamicCache)
            and len(cache.layers) > 0
            and all(type(layer) is DynamicLayer for layer in cache.layers)
        )


def _unlikely(nll: Tensor, allows: Allows) -> Tensor:
    """How far suffixes are above what is allowed, in nats: (n, tokens) -> (n,)."""
    window = nll.shape[1] if allows.window is None else min(allows.window, nll.shape[1])
    return (nll.unfold(1, window, 1).mean(dim=2).amax(dim=1) - allows.nats).clamp_min(0)


def _upcast(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihoods in nats: (n, tokens, vocabulary), (n, tokens) -> (n, tokens)."""
    return cross_entropy(logits.transpose(1, 2), labels, reduction="none")
