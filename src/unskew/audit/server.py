"""Models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, hosted ones.

Flat prompts go to /completions, chats to /chat/completions, one prompt a request and several
requests at a time. Choices are scored by the log-probabilities of an echoed prompt, where the
server gives them; where it does not, that is said, and nothing is guessed.

The `openai` SDK speaks to the server. The tries are counted here, as the SDK neither tries a
garbled answer again nor bounds the sum of its waits: transient failures (408, 409, 429, 5xx, a cut
connection, silence, an answer that is no JSON) are tried again after Retry-After, or else after a
wait that doubles, up to the reference's `retries` and `patience`.

The key is UNSKEW_API_KEY or else OPENAI_API_KEY, read when the model is opened; a local server
needs none. It is taken out of all that the server says.
"""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from unskew.audit import models
from unskew.audit.completions import (
    Chat,
    Completion,
    Models,
    continuation_score,
    retry_after,
)
from unskew.audit.folders import rendered
from unskew.audit.models import Answer, Prompt, Score
from unskew.audit.scripted import before_stop
from unskew.errors import UserError
from unskew.runs.mistakes import nearest

Q = TypeVar("Q")
R = TypeVar("R")
S = TypeVar("S", bound=BaseModel)

KEYS = ("UNSKEW_API_KEY", "OPENAI_API_KEY")
STOPS = 4
"""More stop strings than this some servers refuse; the rest is cut off here."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
CUT = {"length": True, "stop": False}
"""By finish_reason; of any other (a content filter, say) it is unknown."""
GENERATE_INSTEAD = (
    "use a variant of the task that generates its answer, a server that scores prompts "
    "(vLLM, SGLang), or a local model"
)


class ServerModel:
    """A `Model` behind a server. Safe to use from one thread; it starts its own.

    Args:
        reference: name, address and limits.
        template: the text of a chat template in Jinja, rendered here; None: the server's own.
        sleep: how the waits between tries are spent (seconds); tests note them instead.

    Raises:
        UserError: the SDK is not installed.
    """

    window = None  # servers do not tell

    def __init__(
        self,
        reference: models.Server,
        template: str | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        try:
            import openai
        except ImportError:
            raise UserError(
                "models behind a server need the openai package", hint="pip install 'unskew[lm]'"
            ) from None
        self.reference = reference
        self.record: Mapping[str, Any] = models.fingerprint(reference) | {"template": template}
        self.batch = 4 * reference.concurrency
        self._template = template
        self._key = _key()
        self._stop = threading.Event()
        self._sleep = self._stop.wait if sleep is None else sleep
        self._jitter = random.Random()  # of waiting times only; no answer depends on it
        self._heard = False  # whether the server has ever answered
        self._client = openai.OpenAI(
            base_url=reference.base_url,
            api_key=self._key or "none",
            timeout=reference.timeout,
            max_retries=0,
        )
        # Without a key of ours no Authorization is sent at all.
        self._headers: Any = None if self._key else {"Authorization": openai.Omit()}

    def __repr__(self) -> str:
        return f"<model {self.reference.model} at {self.reference.base_url}>"

    def length(self, prompt: Prompt) -> None:
        """Unknown: servers do not tell."""
        return None

    def generate(
        self,
        prompts: Sequence[Prompt],
        stop: Sequence[str],
        max_tokens: int,
        tell: Callable[[int, Answer], None] = models.untold,
    ) -> list[Answer]:
        """See `Model.generate`. Raises UserError where the server fails for good."""
        settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": max_tokens}
        stops = [text for text in stop if text]
        if stops:
            settings["stop"] = stops[:STOPS]

        def one(prompt: Prompt) -> Answer:
            if self._template is not None and not isinstance(prompt, str):
                prompt = rendered(self._template, prompt)
            if isinstance(prompt, str):
                said = self._ask("/completions", {"prompt": prompt, **settings}, Completion)
                text = said.choices[0].text
            else:
                messages = [dict(message) for message in prompt]
                said = self._ask("/chat/completions", {"messages": messages, **settings}, Chat)
                text = said.choices[0].message.content or said.choices[0].message.refusal or ""
            kept = before_stop(self._without_key(text, 16), stops)
            if len(kept) < len(text):
                return Answer(kept, False)
            return Answer(kept, CUT.get(said.choices[0].finish_reason or ""))

        return self._all(one, prompts, tell)

    def score(
        self,
        pairs: Sequence[tuple[Prompt, str]],
        tell: Callable[[int, Score], None] = models.untold,
    ) -> list[Score]:
        """See `Model.score`. Raises UserError where the server does not give what it takes."""

        def one(pair: tuple[Prompt, str]) -> Score:
            context, continuation = pair
            if self._template is not None and not isinstance(context, str):
                context = rendered(self._template, context)
            if not isinstance(context, str):
                raise self._cannot_score("it cannot score what follows chat messages")
            # One token is generated and thrown away: some servers refuse to make none.
            asked = {"prompt": context + continuation, "echo": True, "logprobs": 1}
            settings = {"max_tokens": 1, "temperature": 0.0}
            said = self._ask("/completions", {**asked, **settings}, Completion, scoring=True)
            told = said.choices[0].logprobs
            if told is None:
                raise self._cannot_score("it gives no log-probabilities")
            found = continuation_score(told, context, continuation)
            if isinstance(found, str):
                raise self._cannot_score(found)
            return found

        return self._all(one, pairs, tell)

    # --- many at a time ---------------------------------------------------------------------------

    def _all(
        self, one: Callable[[Q], R], questions: Sequence[Q], tell: Callable[[int, R], None]
    ) -> list[R]:
        """`one` of each question, in order, several at a time; the first failure ends the rest."""
        results: dict[int, R] = {}
        failures: list[BaseException] = []
        self._stop.clear()

        def guarded(question: Q) -> R:
            if self._stop.is_set():
                raise _AbandonedError
            try:
                return one(question)
            except BaseException:
                # Nothing new is asked and nobody tries again, but what is on its way is heard.
                self._stop.set()
                raise

        pool = ThreadPoolExecutor(self.reference.concurrency, thread_name_prefix="unskew-server")
        try:
            places = {pool.submit(guarded, question): i for i, question in enumerate(questions)}
            waiting: set[Future[R]] = set(places)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=places.__getitem__):
                    if (error := future.exception()) is None:
                        results[places[future]] = future.result()
                        tell(places[future], results[places[future]])
                    elif not isinstance(error, _AbandonedError):
                        failures.append(error)
        finally:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if failures:
            raise failures[0]
        return [results[i] for i in range(len(questions))]

    # --- one request ------------------------------------------------------------------------------

    def _ask(self, path: str, body: dict[str, Any], shape: type[S], scoring: bool = False) -> S:
        """The server's answer, of the right shape; tried again while it fails for now."""
        waited, tries = 0.0, 0
        while True:
            found = self._try(path, {"model": self.reference.model, **body}, shape)
            if not isinstance(found, Failure):
                self._heard = True
                return found
            if scoring and found.status in (400, 422, 501):
                raise self._cannot_score(f"it says: {found.what}")
            # A server that never answered is more likely not there than resting.
            retries = self.reference.retries
            if found.status is None and not self._heard and not found.silent:
                retries = min(retries, 2)
            pause = found.after
            if pause is None:
                pause = min(FIRST_WAIT * 2.0**tries, LONGEST_WAIT)
                pause *= 1.0 - 0.25 * self._jitter.random()
            patient = waited + pause <= self.reference.patience
            if not found.transient or tries >= retries or not patient or self._stop.is_set():
                raise self._error(found, tries, pause if found.transient and not patient else None)
            self._sleep(pause)
            waited, tries = waited + pause, tries + 1

    def _try(self, path: str, body: dict[str, Any], shape: type[S]) -> S | Failure:
        """One try. Failures are returned, not raised: an exception would carry the request, and
        with it the key, as its context."""
        import openai

        to = (
            self._client.chat.completions
            if path == "/chat/completions"
            else self._client.completions
        )
        try:
            response = to.with_raw_response.create(**body, extra_headers=self._headers)
            content = response.http_response.content
        except openai.APITimeoutError:
            return Failure(f"it kept silent for {self.reference.timeout:g} s", True, silent=True)
        except openai.APIStatusError as error:
            return self._refusal(error)
        except openai.APIConnectionError as error:
            cause = error.__cause__
            said = self._safe(str(cause) or type(cause).__name__) if cause else "no connection"
            return Failure(f"it cannot be reached ({said})", True)
        except UnicodeEncodeError:
            return Failure("the prompt holds half a character (a lone surrogate)", False, 400)
        try:
            return shape.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            shown = self._safe(content.decode(errors="replace"), 120) or "nothing"
            why = f"{place}: {first['msg']}" if place else "no JSON"
            return Failure(f"it sent what is no completion ({why}): {shown}", True, 200)

    def _refusal(self, error: Any) -> Failure:
        status, body = int(error.status_code), error.body
        message = body.get("message") if isinstance(body, Mapping) else None
        # The SDK hands over the inner part of {"error": {...}}, or the whole text.
        said = self._safe(str(message or error.response.text or error.response.reason_phrase))
        spent = isinstance(body, Mapping) and body.get("code") == "insufficient_quota"
        transient = (status in (408, 409, 429) or status >= 500) and not spent
        return Failure(said, transient, status, retry_after(error.response.headers))

    # --- what is said to the user -----------------------------------------------------------------

    def _error(self, failure: Failure, tries: int, too_long: float | None) -> UserError:
        where, asked = repr(self)[1:-1], self.reference.model
        again = "what was answered is kept: the same command continues"
        tried = f" (tried {tries + 1} times)" if tries else ""
        if too_long is not None:
            what = f"{failure.what}; it wants {too_long:.0f} s of patience{tried}"
            return UserError(what, where, f"try again later; {again}")
        match failure.status:
            case None:
                hint = f"is it running, and is the address right (most end in /v1)? {again}"
                return UserError(f"{failure.what}{tried}", where, hint)
            case 401 | 403:
                name = next((n for n in KEYS if os.environ.get(n, "").strip()), None)
                hint = f"put its key into {KEYS[0]} in the environment"
                hint = f"{hint}; the one in {name} was sent" if name else hint
                return UserError(f"the server refuses access: {failure.what}", where, hint)
            case 404:
                offers = self._offers()
                hint = "is the address right (most end in /v1)?"
                if asked in offers:
                    return UserError(f"it cannot do what is asked: {failure.what}", where, hint)
                if offers:
                    hint = f"it has: {', '.join(offers[:10])}"
                near = nearest(asked, offers)
                return UserError(f"no such model or address: {failure.what}{near}", where, hint)
            case 429:
                hint = f"lower the concurrency, look at the quota; {again}"
                return UserError(f"too many requests: {failure.what}{tried}", where, hint)
            case status if status >= 500 or failure.transient:
                said = failure.what if status == 200 else f"error {status}: {failure.what}"
                return UserError(f"{said}{tried}", where, f"look at the server's log; {again}")
            case status:
                what = f"it refuses the request ({status}): {failure.what}"
                return UserError(what, where, "the prompt may be too long for its window")

    def _cannot_score(self, why: str) -> UserError:
        return UserError(
            f"choices cannot be scored here: {why}", repr(self)[1:-1], GENERATE_INSTEAD
        )

    def _offers(self) -> list[str]:
        """The models that the server says it has; nothing where it does not say."""
        import openai

        try:
            listed = self._client.models.with_raw_response.list(extra_headers=self._headers)
            offered = Models.model_validate_json(listed.http_response.content)
        except (openai.OpenAIError, ValidationError):
            return []
        return [self._safe(model.id) for model in offered.data]

    def _safe(self, text: str, longest: int = 300) -> str:
        """What a server said, as it may be shown: no key, no control characters, one line."""
        text = self._without_key(text)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= longest else f"{text[:longest]}…"

    def _without_key(self, text: str, shortest: int = 1) -> str:
        """`text` without the key, should a server echo it. `shortest`: a key of fewer characters
        is no secret (local servers are given "none" or "EMPTY") and may be a word of an answer."""
        if self._key is None or len(self._key) < shortest:
            return text
        return text.replace(self._key, "[key]")


def _key() -> str | None:
    for name in KEYS:
        if key := os.environ.get(name, "").strip():
            if not re.fullmatch(r"[!-~]+", key):
                raise UserError("not a key: it holds a space or a character outside ASCII", name)
            return key
    return None


class _AbandonedError(Exception):
    """Not asked, as another question has failed."""


class Failure(NamedTuple):
    """A try that failed."""

    what: str
    transient: bool
    status: int | None = None  # HTTP; None: no answer at all
    after: float | None = None  # seconds that the server wants us to wait
    silent: bool = False  # it was reached and said nothing in time
