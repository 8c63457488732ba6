"""A small OpenAI-compatible server in the test process: real HTTP, and all that goes wrong in it.

    with LocalServer(answer=lambda prompt: prompt.upper()) as server:
        server.faults = [status(429, {"Retry-After": "3"}), Cut()]
        ServerModel(server.reference())

Each request takes the next fault of `faults`; when there are none left it is answered. Tokens are
words with the white space before them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from unskew.audit import models


class Reply(NamedTuple):
    """A response as it is: any status, headers and body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Cut(NamedTuple):
    """The connection is closed in the middle of the body, or before any of it."""

    after: int | None = None  # bytes of the body; None: not even a status line


class Slow(NamedTuple):
    """Nothing is said for so long."""

    seconds: float


Fault = Reply | Cut | Slow | None  # None: answer as ever


class Request(NamedTuple):
    path: str
    body: dict[str, Any]
    headers: dict[str, str]  # names in lower case


def status(code: int, headers: Mapping[str, str] | None = None, message: str = "wait") -> Reply:
    """An error in the form of the OpenAI API."""
    body = json.dumps({"error": {"message": message, "type": "x", "code": None}}).encode()
    return Reply(code, body, {"Content-Type": "application/json", **(headers or {})})


def sent(document: object) -> Reply:
    """A 200 with this JSON in it."""
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def tokens(text: str) -> list[str]:
    """Words with the white space before them; white space at the end is a token."""
    return re.findall(r"\s*\S+|\s+\Z", text)


class LocalServer:
    """Serves from a free port of this machine while the `with` block runs.

    Args:
        answer: prompt (of a chat, the last message) -> what the model goes on to say.
        logprob: (text before, token) -> its log-probability; None: the server gives none.
        begins: a special token put before every prompt, as <s> is; its letters count in offsets.

    Attributes:
        requests: what was asked, in the order of arrival.
        faults: what the next requests meet.
        busiest: the most requests that were being answered at one time.
    """

    def __init__(
        self,
        answer: Callable[[str], str] = lambda prompt: f" {prompt}!",
        logprob: Callable[[str, str], float] | None = None,
        begins: str = "",
        models: Sequence[str] = ("tiny",),
    ) -> None:
        self.answer, self.logprob, self.begins, self.models = answer, logprob, begins, models
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.busiest = self._busy = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def reference(self, **more: Any) -> models.Server:
        return models.Server(**{"model": "tiny", "base_url": self.url, **more})

    def respond(self, request: Request) -> Reply:
        """The right answer to a request."""
        if request.path == "/v1/models":
            return sent({"object": "list", "data": [{"id": name} for name in self.models]})
        body = request.body
        if body["model"] not in self.models:
            return status(404, message=f"The model `{body['model']}` does not exist.")
        if len(body.get("stop", ())) > 4:
            return status(400, message="at most four stop strings")
        chat = request.path == "/v1/chat/completions"
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        written = tokens(self.answer(prompt))
        finish = "length" if len(written) > body["max_tokens"] else "stop"
        text = "".join(written[: body["max_tokens"]])
        for stop in body.get("stop", ()):
            if stop in text:
                text, finish = text.split(stop)[0], "stop"
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = prompt + text if body.get("echo") else text
            choice["logprobs"] = self._logprobs(prompt, text) if body.get("logprobs") else None
        return sent({"id": "1", "object": "x", "choices": [choice], "usage": {}})

    def _logprobs(self, prompt: str, text: str) -> dict[str, Any] | None:
        if self.logprob is None:
            return None
        told: dict[str, list[Any]] = {
            "tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []
        }  # fmt: skip
        before = ""
        for token in [*([self.begins] if self.begins else []), *tokens(prompt), *tokens(text)]:
            known = self.logprob(before.removeprefix(self.begins), token) if before else None
            told["tokens"].append(token)
            told["token_logprobs"].append(known)
            told["top_logprobs"].append(None if known is None else {token: known, "~": -1.0})
            told["text_offset"].append(len(before))
            before += token
        return told

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, or each waits 40 ms for the other

            def do_GET(self) -> None:
                self._serve({})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self._serve(json.loads(self.rfile.read(length)))

            def _serve(self, body: dict[str, Any]) -> None:
                request = Request(
                    self.path, body, {name.lower(): value for name, value in self.headers.items()}
                )
                with server._lock:
                    server.requests.append(request)
                    fault = server.faults.pop(0) if server.faults else None
                    server._busy += 1
                    server.busiest = max(server.busiest, server._busy)
                try:
                    self._meet(fault, request)
                except OSError:  # the client hung up, as it may
                    self.close_connection = True
                finally:
                    with server._lock:
                        server._busy -= 1

            def _meet(self, fault: Fault, request: Request) -> None:
                if isinstance(fault, Slow):
                    threading.Event().wait(fault.seconds)
                reply = fault if isinstance(fault, Reply) else server.respond(request)
                body = reply.body
                if isinstance(fault, Cut):
                    self.close_connection = True
                    if fault.after is None:
                        return
                    body = body[: fault.after]
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on the terminal."""

        return Handler
