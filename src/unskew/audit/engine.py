"""How the audit meets lm-evaluation-harness 0.4.13: here and, for its tasks, in loading.py.

The harness builds requests and scores answers; it never learns that a prompt was transformed. These
stand between it and a model:

    harness --requests--> Conjugated (an LM of the harness)
                            Under: s(prompt), s_inv(answer), a Trace of each   conjugated.py
                              Asker: nothing is asked twice                    asking.py
                                Model: Harnessed (any LM of the harness), a server, a script

`Harnessed` makes a `Model` of any LM of the harness, Hugging Face models among them. Under the
identity the harness sees exactly what it would have seen without us.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_eval.models  # noqa: F401  # before any model is looked up: fills the registry
import torch
from lm_eval import evaluator
from lm_eval.api.model import LM

from unskew.audit.asking import Asker
from unskew.audit.conjugated import Question, Trace, Under
from unskew.audit.models import Answer, Message, Prompt, Score
from unskew.conjugation.base import Conjugation
from unskew.errors import UserError
from unskew.runs.quiet import hushed
from unskew.training.machine import check

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

    from unskew.audit.loading import Loaded

DEFAULT_BUDGET = 256
"""Tokens to answer with, where a task does not say: the harness's own default."""

REFUSED = -1e30
"""Stands for the log-likelihood of what was refused; finite, as the harness divides by it."""

UNASKED = Trace("", "", "", refused="not asked")
"""Of a document that is not among those asked."""

Key = tuple[str, int, int]  # task, doc_id, index of the request within the document


class Conjugated(LM):
    """A model under a conjugation, as an LM of the harness.

    Args:
        only: the documents to ask about; the others are built as ever, so that exemplars are the
            same, and their traces say that they were not asked. None: all.

    Attributes:
        traces: what happened to each request, by task, document and index.
    """

    def __init__(
        self, model: Asker, conjugation: Conjugation, only: Collection[int] | None = None
    ) -> None:
        super().__init__()
        self.under, self.only = Under(model, conjugation), only
        self.traces: dict[Key, Trace] = {}
        self._chats: dict[str, list[Message]] = {}

    # The messages are kept apart until they are sent, so that s never sees a special token.
    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        key = json.dumps(chat_history, ensure_ascii=False)
        self._chats[key] = [dict(message) for message in chat_history]
        return key

    @property
    def tokenizer_name(self) -> str:
        return f"unskew-{self.under.conjugation.name}"

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = True) -> list[str]:
        arguments: list[Any] = [request.args for request in self._wanted(requests)]
        asked = [Question(self.prompt(text), *_generation(more)) for text, more in arguments]
        return [trace.answer for trace in self._noted(requests, self.under.generate(asked))]

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        arguments: list[Any] = [request.args for request in self._wanted(requests)]
        pairs = [(self.prompt(context), continuation) for context, continuation in arguments]
        return [
            # The harness wants a number. It counts nowhere: the document's score is null.
            (trace.score.logprob, trace.score.greedy) if trace.score else (REFUSED, False)
            for trace in self._noted(requests, self.under.score(pairs))
        ]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise UserError(
            "a perplexity has no meaning under a conjugation: another text has another one",
            where=str(requests[0].task_name),
            hint="choose a task that generates or chooses",
        )

    def prompt(self, context: str) -> Prompt:
        """What the harness's text of a context stands for."""
        return self._chats.get(context, context)

    def _wanted(self, requests: list[Instance]) -> list[Instance]:
        return [r for r in requests if self.only is None or int(r.doc_id or 0) in self.only]

    def _noted(self, requests: list[Instance], traces: list[Trace]) -> list[Trace]:
        wanted = dict(zip(map(id, self._wanted(requests)), traces, strict=True))
        found = [wanted.get(id(request), UNASKED) for request in requests]
        for request, trace in zip(requests, found, strict=True):
            self.traces[str(request.task_name), int(request.doc_id or 0), request.idx] = trace
        return found


class Harnessed:
    """Any LM of the harness as a `Model`.

    Args:
        lm: e.g. an HFLM; it keeps its own batching.
        record: what decides its answers.
    """

    batch = 1 << 30  # it sorts and batches better than we could from outside

    def __init__(self, lm: LM, record: Mapping[str, Any]) -> None:
        self.lm, self.record = lm, dict(record)
        self.window: int | None = getattr(lm, "max_length", None)
        self._finished: deque[bool | None] = deque()
        if hasattr(lm, "_model_generate"):
            self._watch(lm)

    def render(self, prompt: Prompt) -> str:
        """A chat as the one text that the model reads."""
        if isinstance(prompt, str):
            return prompt
        # A last message of the assistant is the beginning of the answer.
        open_ended = prompt[-1]["role"] != "assistant"
        history = [dict(message) for message in prompt]
        return self.lm.apply_chat_template(history, add_generation_prompt=open_ended)

    def generate(
        self,
        prompts: Sequence[Prompt],
        stop: Sequence[str],
        max_tokens: int,
        tell: Callable[[int, Answer], None] = lambda i, answer: None,
    ) -> list[Answer]:
        settings = {
            "until": list(stop), "max_gen_toks": max_tokens, "do_sample": False, "temperature": 0.0
        }  # fmt: skip
        rendered = [self.render(prompt) for prompt in prompts]
        places: dict[str, list[int]] = {}
        for i, text in enumerate(rendered):
            places.setdefault(text, []).append(i)
        answers: dict[int, Answer] = {}

        def heard(i: int, text: str) -> None:
            cut = self._finished.popleft() if self._finished else None
            answers[i] = Answer(text, cut)
            tell(i, answers[i])

        self._finished.clear()
        with self._listening(lambda request, text: heard(places[request[0]].pop(0), text)):
            texts = self.lm.generate_until(_requests((text, dict(settings)) for text in rendered))
        return [answers.get(i, Answer(text, None)) for i, text in enumerate(texts)]

    def score(
        self,
        pairs: Sequence[tuple[Prompt, str]],
        tell: Callable[[int, Score], None] = lambda i, score: None,
    ) -> list[Score]:
        if not pairs:
            return []
        rendered = [(self.render(prompt), continuation) for prompt, continuation in pairs]
        places: dict[tuple[str, str], list[int]] = {}
        for i, pair in enumerate(rendered):
            places.setdefault(pair, []).append(i)

        def heard(request: Any, result: Any) -> None:
            if left := places.get(tuple(request)):
                tell(left.pop(0), Score(float(result[0]), bool(result[1])))

        with self._listening(heard):
            results = self.lm.loglikelihood(_requests(rendered))
        return [Score(float(logprob), bool(greedy)) for logprob, greedy in results]

    def length(self, prompt: Prompt) -> int | None:
        encode = getattr(self.lm, "tok_encode", None)
        return None if encode is None else len(encode(self.render(prompt)))

    @contextmanager
    def _listening(self, heard: Callable[[Any, Any], None]) -> Iterator[None]:
        """The harness tells its cache of every answer as soon as a batch is done; here too."""
        before = self.lm.cache_hook
        self.lm.cache_hook = SimpleNamespace(add_partial=lambda _, req, res: heard(req, res))  # type: ignore[assignment]
        try:
            with hushed():
                yield
        finally:
            self.lm.cache_hook = before

    def _watch(self, lm: Any) -> None:
        """Note for each generated row whether the budget ended it: no end token, no stop string."""
        generate = lm._model_generate

        def watched(context: Any, *args: Any, **kwargs: Any) -> Any:
            out = generate(context, *args, **kwargs)
            start = context.shape[1] if lm.backend == "causal" else 0
            room = kwargs.get("max_length", start) - start
            for row in out.tolist():
                tokens = row[start:]
                ended = len(tokens) < room or lm.eot_token_id in tokens
                text = "" if ended else lm.tok_decode(tokens)
                stopped = any(stop and stop in text for stop in kwargs.get("stop") or [])
                self._finished.append(not ended and not stopped)
            return out

        lm._model_generate = watched


def given(lm: LM, name: str | None = None) -> Harnessed:
    """A `Model` of an LM of the harness that exists already, such as an HFLM or a vLLM one.

    Args:
        name: what decides its answers, in words; None: the SHA-256 of its weights.

    Raises: UserError where it has no weights to tell it by, and no name.
    """
    record: dict[str, Any] = {"kind": "given", "class": type(lm).__name__}
    if name is not None:
        return Harnessed(lm, {**record, "name": name})
    module = getattr(lm, "model", None)
    if not hasattr(module, "state_dict"):
        raise UserError(
            "the weights of this model cannot be read, so a changed one could not be told from it",
            where=type(lm).__name__,
            hint="give it a name: engine.given(lm, 'my-model-v2')",
        )
    digest = hashlib.sha256()
    for key, weight in sorted(module.state_dict().items()):  # type: ignore[union-attr]
        digest.update(f"{key} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return Harnessed(lm, {**record, "weights": digest.hexdigest()})


def hugging_face(
    name: str,
    *,
    record: Mapping[str, Any],
    revision: str | None = None,
    dtype: str = "float32",
    adapter: str | None = None,
    template: str | None = None,
    batch: int = 32,
    device: str = "cpu",
    trust_code: bool = False,
) -> Harnessed:
    """A Hugging Face model by id or folder, with a PEFT adapter if there is one.

    Args:
        name: id or folder of the model (of the adapter's base, where `adapter` is given).
        template: the text of a chat template in Jinja, in place of the tokenizer's own.
        trust_code: run the Python code that comes with the model.

    Raises: UserError where it cannot be loaded.
    """
    from lm_eval.models.huggingface import HFLM

    check(device)
    loader: Any = HFLM  # the registry's decorator hides its parameters from type checkers
    try:
        with hushed():
            lm = loader(
                pretrained=name, revision=revision or "main", dtype=dtype, peft=adapter,
                batch_size=batch, device=device, trust_remote_code=trust_code,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        said = str(error).strip() or type(error).__name__
        first = said.splitlines()[0]
        hint = "give a folder written by save_pretrained, or the id of a model that can be fetched"
        raise UserError(f"this model cannot be loaded: {first}", str(name), hint) from error
    if template is not None:
        lm.tokenizer.chat_template = template
    return Harnessed(lm, record)


def evaluate(
    lm: LM,
    tasks: Sequence[Loaded],
    *,
    limit: int | None = None,
    chat: bool = False,
    system: str | None = None,
    shots: int | None = None,
    seed: int = 1234,
    documents: Sequence[int] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """The harness's samples by task: one dict per document (and filter).

    Exemplars are drawn from `seed` anew at each call, so all arms see the same ones.

    Args:
        documents: numbers of the only ones to build, where the others are too many (`limit` then
            does not hold, and exemplars are others).
    """
    for loaded in tasks:
        task: Any = loaded.task
        if shots is not None and task.get_config("num_fewshot") != 0:
            task.set_config(key="num_fewshot", value=shots)
        elif task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=seed)
    with hushed():
        results: Any = evaluator.evaluate(
            lm,
            {"tasks": {loaded.name: loaded.task for loaded in tasks}, "groups": {}},
            limit=limit if documents is None else None,
            samples=None if documents is None else {t.name: sorted(documents) for t in tasks},
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
            system_instruction=system,
        )
    return results["samples"]


def _requests(arguments: Any) -> list[Any]:
    """Requests in the one respect that a model looks at: their arguments."""
    return [SimpleNamespace(args=tuple(one), task_name=None) for one in arguments]


def _generation(settings: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """Stop strings and budget. The audit is greedy: arms must differ by the model alone."""
    until = settings.get("until") or ()
    budgets = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
    budget = next((settings[name] for name in budgets if name in settings), DEFAULT_BUDGET)
    return ((until,) if isinstance(until, str) else tuple(until)), int(budget)
