"""Models behind a server, over real HTTP: order, retries, cut answers, scores, no secret shown."""

import json
import logging
import random
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from audit.local_server import Cut, LocalServer, Reply, Slow, sent, status
from unskew.audit.models import Answer, Score
from unskew.audit.server import ServerModel
from unskew.errors import UserError

KEY = "sk-test-0123456789-abcdefghij"


@pytest.fixture(autouse=True)
def no_keys_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "UNSKEW_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


class Waits(list[float]):
    """Notes the waits instead of spending them."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def opened(server: LocalServer, waits: Waits | None = None, **more: Any) -> ServerModel:
    return ServerModel(server.reference(**more), sleep=waits if waits is not None else Waits())


def failure(model: ServerModel, prompts: list[Any] | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        model.generate(prompts or ["a"], [], 5)
    return caught.value


# --- answers --------------------------------------------------------------------------------------


def test_flat_prompts_are_completed_and_chats_are_chatted() -> None:
    with LocalServer() as server:
        model = opened(server)
        chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "hello"}]
        assert model.generate(["one", chat], ["\n"], 5) == [
            Answer(" one!", False),
            Answer(" hello!", False),
        ]
        flat, chatted = sorted(server.requests, key=lambda request: "chat" in request.path)
        assert flat.path == "/v1/completions"
        assert flat.body == {
            "model": "tiny",
            "prompt": "one",
            "temperature": 0.0,
            "max_tokens": 5,
            "stop": ["\n"],
        }
        assert chatted.path == "/v1/chat/completions"
        assert chatted.body["messages"] == chat
        # Nothing that looks like a key is sent where there is none.
        assert all("authorization" not in request.headers for request in server.requests)
    assert model.window is None
    assert model.length("one") is None
    assert model.record == {
        "kind": "openai",
        "model": "tiny",
        "base_url": server.url,
        "template": None,
    }


def test_a_template_of_ours_is_rendered_before_it_is_sent() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    with LocalServer(answer=lambda prompt: " ok", logprob=lambda before, token: -1.0) as server:
        model = ServerModel(server.reference(), template)
        user = {"role": "user", "content": "hi"}
        begun = {"role": "assistant", "content": "Well,"}
        assert model.generate([[user]], [], 5) == [Answer(" ok", False)]
        model.generate([[user, begun]], [], 5)
        assert model.score([([user], " yes")]) == [Score(-1.0, True)]
        assert [request.path for request in server.requests] == ["/v1/completions"] * 3
        assert [request.body["prompt"] for request in server.requests] == [
            "<user>hi\n<assistant>",
            "<user>hi\n<assistant>Well,",
            "<user>hi\n<assistant> yes",
        ]
        refusing = ServerModel(
            server.reference(), "{{ raise_exception('only ' ~ messages[0].role) }}"
        )
        assert "refuses a prompt: only user" in str(failure(refusing, [[user]]))


def test_the_order_is_kept_and_requests_run_side_by_side() -> None:
    with LocalServer(answer=lambda prompt: f" {prompt}") as server:
        server.faults = [Slow(0.08), Slow(0.04), Slow(0.04), Slow(0.02), *[None, Slow(0.01)] * 8]
        heard: dict[int, Answer] = {}
        prompts = [str(i) for i in range(20)]
        answers = opened(server, concurrency=4).generate(prompts, [], 5, heard.__setitem__)
        assert [answer.text for answer in answers] == [f" {i}" for i in range(20)]
        assert list(heard) != sorted(heard), "the slow first one is heard later"
        assert [heard[i] for i in range(20)] == answers
        assert 2 <= server.busiest <= 4
        assert opened(server).generate([], [], 5) == []


def test_cut_by_the_budget_or_ended() -> None:
    with LocalServer(answer=lambda prompt: " a b c d") as server:
        model = opened(server)
        assert model.generate(["x"], [], 2) == [Answer(" a b", True)]
        assert model.generate(["x"], [], 4) == [Answer(" a b c d", False)]
        # The stop string stands before the budget's end.
        assert model.generate(["x"], ["b"], 2) == [Answer(" a ", False)]
        odd = {"choices": [{"text": " a", "finish_reason": "content_filter"}]}
        server.faults = [sent(odd)]
        assert model.generate(["x"], [], 2) == [Answer(" a", None)]
        silent = {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}
        server.faults = [sent(silent)]
        assert model.generate([[{"role": "user", "content": "x"}]], [], 2) == [Answer("", True)]


def test_more_stop_strings_than_servers_take() -> None:
    with LocalServer(answer=lambda prompt: " a b c d e f g") as server:
        stops = ["", "1", "2", "3", "4", "f", "e"]
        assert opened(server).generate(["x"], stops, 9) == [Answer(" a b c d ", False)]
        assert server.requests[0].body["stop"] == ["1", "2", "3", "4"]


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        status(408), status(409), status(429), status(500), status(502), status(503),
        Cut(), Cut(0), Cut(20), Slow(0.09),
        Reply(200, b"<html>busy</html>", {"Content-Type": "text/html"}),
        Reply(200, b'{"choices": [{"te', {"Content-Type": "application/json"}),
        Reply(200, b""), sent([]), sent({"choices": []}), sent({"error": "busy"}),
        sent({"choices": [{"text": "a"}, {"text": "b"}]}), sent({"choices": [{"text": None}]}),
    ],
    ids=repr,
)  # fmt: skip
def test_what_passes_is_tried_again(fault: Any) -> None:
    with LocalServer() as server:
        waits = Waits()
        server.faults = [fault, fault]
        model = opened(server, waits, timeout=0.05 if isinstance(fault, Slow) else 5.0)
        assert model.generate(["a"], [], 5) == [Answer(" a!", False)]
        assert len(server.requests) == 3
        # Doubling from half a second, less up to a quarter.
        assert [0.375 <= waits[0] <= 0.5, 0.75 <= waits[1] <= 1.0] == [True, True]


def test_the_server_says_how_long_to_wait() -> None:
    with LocalServer() as server:
        waits = Waits()
        server.faults = [status(429, {"Retry-After": "7"}), status(503, {"retry-after-ms": "250"})]
        opened(server, waits).generate(["a"], [], 5)
        assert waits == [7.0, 0.25]
        server.faults = [status(429, {"Retry-After": "4000"})]
        error = failure(opened(server, waits := Waits()))
        assert "4000 s of patience" in error.what
        assert waits == []


def test_tries_and_patience_have_an_end() -> None:
    with LocalServer() as server:
        server.faults = [status(500, message="out of memory")] * 50
        waits = Waits()
        error = failure(opened(server, waits, retries=3))
        assert "error 500: out of memory (tried 4 times)" in error.what
        assert "the same command continues" in str(error.hint)
        assert len(waits) == 3
        error = failure(opened(server, waits := Waits(), retries=40, patience=20.0))
        assert sum(waits) <= 20.0
        assert "of patience (tried" in error.what
        assert len(waits) in (5, 6)


def test_a_server_that_is_not_there_is_soon_said() -> None:
    with LocalServer() as server:
        gone = server.reference(timeout=1.0)
    waits = Waits()
    error = failure(ServerModel(gone, sleep=waits))
    assert "cannot be reached" in error.what
    assert "is it running" in str(error.hint)
    assert gone.base_url in str(error.where)
    assert len(waits) == 2


def test_a_wrong_name_a_wrong_address_a_refused_request() -> None:
    with LocalServer(models=("tiny", "large")) as server:
        error = failure(opened(server, model="tinny"))
        assert "did you mean 'tiny'?" in error.what
        assert error.hint == "it has: tiny, large"
        server.faults = [status(404, message="no such page"), status(404)]
        error = failure(opened(server))
        assert "no such model or address: no such page" in error.what
        assert "/v1" in str(error.hint)
        server.faults = [status(404, message="only chats")]
        assert "it cannot do what is asked: only chats" in str(failure(opened(server)))
        server.faults = [status(400, message="too long")]
        waits = Waits()
        error = failure(opened(server, waits))
        assert "it refuses the request (400): too long" in error.what
        assert waits == []
        quota = {"error": {"message": "no money", "code": "insufficient_quota"}}
        server.faults = [
            Reply(429, json.dumps(quota).encode(), {"Content-Type": "application/json"})
        ]
        assert "too many requests: no money" in failure(opened(server, waits)).what
        assert waits == []
        assert "lone surrogate" in failure(opened(server), ["\ud800"]).what


def test_what_is_on_its_way_when_another_fails_is_heard() -> None:
    with LocalServer() as server:
        # The slow ones are under way already when the third question fails.
        server.faults = [Slow(0.06), Slow(0.06), Reply(429, b"busy"), status(400, message="no")]
        heard: dict[int, Answer] = {}
        model = opened(server, concurrency=3)
        with pytest.raises(UserError, match="no"):
            model.generate([str(i) for i in range(30)], [], 5, heard.__setitem__)
        assert len(heard) >= 2
        assert len(server.requests) == len(heard) + 2


def test_text_of_a_server_is_shown_on_one_short_line() -> None:
    with LocalServer() as server:
        server.faults = [status(400, message="a\x1b[31m\n\u202eb " + "long " * 200)]
        what = failure(opened(server)).what
        assert what.isprintable()
        assert len(what) < 400


def test_what_was_answered_before_a_failure_is_told() -> None:
    with LocalServer() as server:
        server.faults = [None, None, status(400, message="no"), None, None]
        heard: dict[int, Answer] = {}
        model = opened(server, concurrency=1)
        with pytest.raises(UserError, match="no"):
            model.generate(["a", "b", "c", "d", "e"], [], 5, heard.__setitem__)
        assert heard == {0: Answer(" a!", False), 1: Answer(" b!", False)}
        assert len(server.requests) == 3, "nothing new is asked after a failure"
        assert model.generate(["c"], [], 5) == [Answer(" c!", False)], "it can be asked again"


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "UNSKEW_API_KEY"])
def test_the_key_is_sent_and_never_shown(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, KEY)
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    with LocalServer(answer=lambda prompt: f" your key is {KEY}.") as server:
        model = opened(server, retries=1)
        answer = model.generate(["a"], [], 9)[0]
        assert answer.text == " your key is [key]."
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        echo = f"Incorrect key: {KEY}. Bearer {KEY}"
        shown = [repr(model), str(model), json.dumps(dict(model.record)), repr(model.reference)]
        for fault in (
            status(401, message=echo), status(403, message=echo), status(400, message=echo),
            Reply(500, echo.encode()), Reply(200, echo.encode()),
            Reply(404, (("x" * 290) + KEY).encode()),  # not half of it either
        ):  # fmt: skip
            server.faults = [fault, fault]
            with pytest.raises(UserError) as caught:
                model.generate(["a"], [], 9)
            chain: BaseException | None = caught.value
            while chain is not None:
                shown += [*traceback.format_exception(chain), repr(chain), repr(chain.args)]
                chain = chain.__cause__ or chain.__context__
            assert caught.value.__context__ is None
            if fault.status in (401, 403):
                assert f"the one in {name} was sent" in str(caught.value)
        server.models = (KEY,)
        shown.append(str(failure(model)))
    everything = "\n".join([*shown, caplog.text])
    assert KEY not in everything
    assert KEY[:12] not in everything
    assert "[key]" in everything
    assert list(tmp_path.iterdir()) == []


def test_our_own_key_goes_first_and_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer() as server:
        server.faults = [status(401, message="no key")]
        assert "put its key into UNSKEW_API_KEY" in str(failure(opened(server)))
        monkeypatch.setenv("OPENAI_API_KEY", "other")
        monkeypatch.setenv("UNSKEW_API_KEY", " none ")
        # So short a key is no secret, and may be a word of an answer.
        assert opened(server).generate(["none"], [], 9) == [Answer(" none!", False)]
        assert server.requests[-1].headers["authorization"] == "Bearer none"
        monkeypatch.setenv("UNSKEW_API_KEY", f"{KEY}\nx")
        with pytest.raises(UserError, match="UNSKEW_API_KEY: not a key") as caught:
            opened(server)
        assert KEY not in str(caught.value)


# --- scores ---------------------------------------------------------------------------------------


def known(before: str, token: str) -> float:
    """A log-probability that depends on the token and on all that was before it."""
    return -2.0 * random.Random(f"{before}|{token}").random()


@pytest.mark.parametrize("begins", ["", "<s>"])
def test_scores_are_of_the_continuation_alone(begins: str) -> None:
    with LocalServer(logprob=known, begins=begins) as server:
        pairs = [("The sky is", " blue"), ("The sky is", " very grey"), ("Roses are", " red")]
        scores = opened(server).score(pairs)
        first = known("The sky is", " very")
        second = known("The sky is very", " grey")
        assert [score.logprob for score in scores] == pytest.approx(
            [known("The sky is", " blue"), first + second, known("Roses are", " red")], abs=1e-12
        )
        # The server's other token has log-probability -1.
        assert scores[0].greedy == (known("The sky is", " blue") >= -1.0)
        assert scores[1].greedy == (first >= -1.0 and second >= -1.0)
        assert {request.path for request in server.requests} == {"/v1/completions"}


def test_white_space_before_the_choice_is_scored_with_it() -> None:
    with LocalServer(logprob=known) as server:
        assert opened(server).score([("The sky is ", "blue")])[0].logprob == pytest.approx(
            known("The sky is", " blue"), abs=1e-12
        )


def test_a_server_that_cannot_score_says_so_and_what_to_do() -> None:
    with LocalServer() as server:
        for fault, why in (
            (None, "gives no log-probabilities"),
            (status(400, message="echo is not supported"), "it says: echo is not supported"),
            (sent({"choices": [{"text": "a b", "logprobs": {"content": []}}]}), "does not give"),
        ):
            server.faults = [fault]
            waits = Waits()
            with pytest.raises(UserError, match=why) as caught:
                opened(server, waits).score([("a", " b")])
            assert "variant of the task that generates" in str(caught.value.hint)
            assert waits == []
        with pytest.raises(UserError, match="chat messages"):
            opened(server).score([([{"role": "user", "content": "a"}], " b")])


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with LocalServer() as server, pytest.raises(UserError, match="openai package"):
        opened(server)
