"""Guards around what gives text piece by piece: iterators, asynchronous ones, streamers, servers.
The examples of docs/GUARD.md run here as they are written there."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings

from audit import tiny
from purple.texts import chunked, definitions
from unskew.purple import Definition, Forbidden, Guard, Raise, Stop, Tier, Withheld
from unskew.purple.definition import _look_alikes
from unskew.purple.guard import HOLD

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "GUARD.md").read_text(encoding="utf-8")
PLAIN, STREAMER, SERVER, BY_HAND = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.M)


class Source:
    """Chunks that say how many were taken, and whether they were closed."""

    def __init__(self, *chunks: str | None) -> None:
        self.chunks, self.taken, self.closed = list(chunks), 0, False

    def __iter__(self) -> Iterator[str | None]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def __aiter__(self) -> AsyncIterator[str | None]:
        for chunk in self:
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


def asynchronous(guard: Guard, source: Source) -> list[str]:
    async def collect() -> list[str]:
        return [text async for text in guard.astream(source)]

    return asyncio.run(collect())


def synchronous(guard: Guard, source: Source) -> list[str]:
    return list(guard.stream(source))


ways = pytest.mark.parametrize("run", [synchronous, asynchronous])


@ways
def test_chunks_come_out_as_they_went_in(run) -> None:
    source = Source("a ", None, "", "p", "ure", " b", "p")
    assert run(Guard(), source) == ["a ", "pure", " b", "p"]
    assert not source.closed  # it was read to its end


@ways
def test_nothing_is_read_after_a_violation(run) -> None:
    source = Source("a pu", "rple", "b", "c")
    assert run(Guard(), source) == ["a ", "[withheld]"]
    assert (source.taken, source.closed) == (2, True)
    source = Source("purple", "b")
    assert run(Guard(then=Stop()), source) == []
    assert (source.taken, source.closed) == (1, True)


@ways
def test_a_violation_at_the_end(run) -> None:
    guard = Guard(Definition(whole_words=True))
    assert run(guard, Source("a purple")) == ["a ", "[withheld]"]


def test_raise_comes_after_what_may_be_said() -> None:
    source, said = Source("a b, purple", "c"), []
    with pytest.raises(Withheld) as error:
        said.extend(Guard(then=Raise()).stream(source))
    assert (said, source.closed) == (["a b, "], True)
    assert error.value.violation == Forbidden("purple", 10)

    async def collect() -> None:
        async for text in Guard(then=Raise()).astream(source):
            said.append(text)

    said, source = [], Source("a b, purple", "c")
    with pytest.raises(Withheld):
        asyncio.run(collect())
    assert (said, source.closed) == (["a b, "], True)


def test_who_stops_listening_closes_the_source() -> None:
    source = Source("a", "b", "c")
    listening = Guard().stream(source)
    assert next(listening) == "a"
    listening.close()  # type: ignore[attr-defined]
    assert source.closed

    async def leave(source: Source) -> None:
        listening = Guard().astream(source)
        async for _ in listening:
            break
        await listening.aclose()  # type: ignore[attr-defined]

    source = Source("a", "b", "c")
    asyncio.run(leave(source))
    assert source.closed


@ways
def test_a_source_that_fails_shows_nothing_that_was_held_back(run) -> None:
    class Failing(Source):
        def __iter__(self) -> Iterator[str | None]:
            yield "a pur"
            raise ConnectionError

    source = Failing()
    with pytest.raises(ConnectionError):
        run(Guard(), source)
    assert source.closed
    source, said = Failing(), []
    with pytest.raises(ConnectionError):
        said.extend(Guard().stream(source))
    assert said == ["a "]


@settings(max_examples=100)
@given(definitions, chunked())
def test_all_ways_say_the_same(definition: Definition, chunks: list[str]) -> None:
    guard = Guard(definition, Stop())
    said = synchronous(guard, Source(*chunks))
    assert asynchronous(guard, Source(*chunks)) == said
    assert "".join(said) == guard.whole("".join(chunks)).text
    assert "" not in said


# --- others' streams ------------------------------------------------------------------------------


def test_a_streamer_of_transformers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model is random; what it would say is asked first, then a piece of that is forbidden."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

    folder = tiny.save(tmp_path / "tiny")
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = dict(tokenizer("hello", return_tensors="pt"))
    model.generation_config.do_sample = True

    def said(guard: object) -> str:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            exec(STREAMER, {**known, "Guard": lambda: guard})
        return capsys.readouterr().out

    # Read from the streamer too, which does not cut bytes into characters as the whole text does.
    known = {"Thread": Thread, "TextIteratorStreamer": TextIteratorStreamer, "model": model}
    known |= {"tokenizer": tokenizer, "inputs": inputs}
    text = said(SimpleNamespace(stream=iter))
    assert said(Guard(Definition(("purple",), Tier.EXACT))) == text
    middle = text[len(text) // 2 :][:3]
    assert len(set(text)) > 10
    assert said(Guard(Definition((middle,), Tier.EXACT), Stop())) == text[: text.index(middle)]


def test_a_reply_of_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    from openai.types.chat import ChatCompletionChunk

    def part(*contents: str | None) -> ChatCompletionChunk:
        choices = [{"index": 0, "delta": {"content": content}} for content in contents]
        return ChatCompletionChunk.model_validate(
            {
                "id": "1",
                "created": 0,
                "model": "m",
                "object": "chat.completion.chunk",
                "choices": choices,
            }
        )

    closed: list[bool] = []

    @contextmanager
    def create(model: str, messages: list[Any], stream: bool) -> Iterator[Any]:
        assert stream
        yield iter(reply)
        closed.append(True)  # the reply of a server is one that `with` closes

    completions = SimpleNamespace(create=create)
    known = {"Guard": Guard, "model": "m", "messages": []}
    known["client"] = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    reply = [part(None), part("A pur"), part(""), part("ple hat"), part(" and more"), part()]
    exec(SERVER, known)
    assert capsys.readouterr().out == "A [withheld]"
    assert closed == [True]
    reply = [part("A pur"), part("e hat"), part()]
    exec(SERVER, known)
    assert capsys.readouterr().out == "A pure hat"


# --- the guide ------------------------------------------------------------------------------------


def said_by(code: str, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """What the code prints, and what its comments say that it prints."""
    exec(code, {"Guard": Guard})
    comments = re.findall(r"print\(.*\)  # (.*)$", code, re.M)
    return capsys.readouterr().out.splitlines(), comments


def test_the_examples_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    printed, comments = said_by(PLAIN, capsys)
    assert printed == comments
    printed, (released, end) = said_by(BY_HAND, capsys)
    assert printed == [*re.findall(r"'[^']*'", released), end]


def test_what_the_guide_says_of_the_tiers_holds() -> None:
    rows = re.findall(r"^\| `([A-Z]+)`[^|]*\|[^|]*\| (.*) \|$", GUIDE, re.M)
    assert [name for name, _ in rows] == [tier.name for tier in Tier]
    before, tried = None, 0
    for name, example in rows:
        for text in re.split(", | with | \\(Cyrillic\\)", example):
            if len(text) >= 6 and "soft" not in text:
                assert not Definition(tier=Tier[name]).allows(text), text
                assert before is None or Definition(tier=before).allows(text), text
                tried += 1
        before = Tier[name]
    assert tried == 12


def test_what_the_guide_says_lies_outside_does() -> None:
    outside = ["purp1e", "purp|e", "purpIe", "elprup", "cHVycGxl", "violet", "p for papa", "lila"]
    for text in outside:
        assert all(Definition(tier=tier).allows(text) for tier in Tier)
    assert not Definition(tier=Tier.LETTERS).allows("spur plenty")
    assert Definition(("hat",)).allows("Ηat")
    assert Definition().allows("pͧrple")
    assert not Definition(("하",), Tier.COMPATIBLE).allows("한")
    assert Definition(("하",), Tier.CASEFOLD).allows("한")


def test_the_numbers_of_the_guide() -> None:
    assert f"{Guard().bound} for *purple*" in GUIDE
    assert f"at least {HOLD} code points back" in GUIDE
    (about,) = re.findall(r"by a table of about (\d+)", GUIDE)
    assert round(len(_look_alikes()), -1) == int(about)
    assert round(100 * (1 - 0.025 ** (1 / 285)), 1) == 1.3


def test_the_speeds_of_the_guide_are_those_that_were_measured() -> None:
    table = pd.read_parquet(ROOT / "results" / "benchmarks" / "guard.parquet")
    ours = table[(table["contender"] == "unskew guard") & (table["text"] == "English")]
    measured = ours.set_index("chunk")["megabytes_per_second"].round(1)
    said = re.findall(r"([\d.]+) MB/s (?:in\s+chunks )?of (\d+)", GUIDE.replace("\n", " "))
    assert [int(chunk) for _, chunk in said] == [1, 4, 4096]
    assert all(float(speed) == measured[int(chunk)] for speed, chunk in said)


def test_importing_it_does_no_work_and_needs_nothing_heavy() -> None:
    code = (
        "import sys, unskew.purple; from unskew.purple import definition as d, guard as g;"
        "print(d._readings.cache_info().currsize, g._automaton.cache_info().currsize, [m for m in"
        " ('torch', 'transformers', 'numpy', 'openai', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "0 0 []\n"
