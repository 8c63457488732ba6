"""The idea: a translation is asked for once, then looked up, by its text, direction and translator.

Each translator (name and version) has an append-only file of JSON lines. Processes may share it: a
writer holds a lock, cuts off what a killed writer left half-written, reads what others have added,
and adds all its new lines by one write; what stood there first stands.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from unskew.conjugation.base import NotAdmissible
from unskew.errors import UserError

Direction = tuple[str, str]  # language codes: from, to
Result = str | NotAdmissible


def cache_folder() -> Path:
    """Where translations are kept: $UNSKEW_CACHE/translations, or ~/.cache/unskew/translations."""
    root = os.environ.get("UNSKEW_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "unskew") / "translations"


class Cache:
    """Translations known so far. Safe among threads and processes.

    Args:
        folder: where the files are, made when first written; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._shelves: dict[tuple[str, str], _Shelf] = {}
        self._lock = threading.Lock()

    def through(
        self,
        translator: tuple[str, str],
        direction: Direction,
        texts: Sequence[str],
        ask: Callable[[list[str]], Sequence[Result]],
        chunk: int = 256,
    ) -> list[Result]:
        """The translation of each text, in order; `ask` is given what is not known, each text once.

        What is asked in chunks is kept after each, so that little is lost when a translator dies.
        Refusals are remembered for this process only.

        Args:
            translator: its name and version.
            direction: language codes, from and to.
            ask: translates texts (at most `chunk` of them), one result for each.

        Raises:
            UserError: a cache file is damaged or cannot be read or written.
        """
        with self._lock:
            shelf = self._shelves.get(translator)
            if shelf is None:
                path = None if self.folder is None else self.folder / _file_name(*translator)
                shelf = self._shelves.setdefault(translator, _Shelf(path))
        # Two threads with one translator wait for each other, or both would ask.
        with shelf.lock:
            shelf.refresh()
            new = [text for text in dict.fromkeys(texts) if (*direction, text) not in shelf.known]
            for start in range(0, len(new), chunk):
                some = new[start : start + chunk]
                results = ask(some)
                if len(results) != len(some):
                    raise ValueError(
                        f"{translator[0]} gave {len(results)} results for {len(some)} texts"
                    )
                shelf.keep(direction, dict(zip(some, results, strict=True)))
            return [shelf.known[*direction, text] for text in texts]


class _Shelf:
    """The translations of one translator, by (from, to, text)."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.known: dict[tuple[str, str, str], Result] = {}
        self._read = 0  # bytes of the file that are known already
        self._lines = 0
        self._last = b""  # the last of these lines

    def refresh(self) -> None:
        """Learn what other processes have added; a torn last line is theirs to finish."""
        if self.path is None:
            return
        try:
            with self.path.open("rb") as file:
                self._learn(file)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _learn(self, file: BinaryIO) -> None:
        file.seek(self._read - len(self._last))
        if file.read(len(self._last)) != self._last:
            # Somebody removed or changed the file, and it begins anew. Neither its size nor its
            # inode would tell: it may have grown longer since, and a new file often gets the old
            # one's number.
            self._read, self._lines, self._last = 0, 0, b""
            file.seek(0)
        added = file.read()
        lines = added[: added.rfind(b"\n") + 1].splitlines(keepends=True)
        for number, line in enumerate(lines, self._lines + 1):
            key, translation = self._parse(line, number)
            self.known.setdefault(key, translation)
        self._passed(lines)

    def _passed(self, lines: Sequence[bytes]) -> None:
        """The file is known up to the end of these further lines."""
        if lines:
            self._read += sum(map(len, lines))
            self._lines += len(lines)
            self._last = lines[-1]

    def keep(self, direction: Direction, results: Mapping[str, Result]) -> None:
        """Remember the results, and write the translations among them that the file lacks."""
        if self.path is not None:
            self._append(direction, results)
        for text, result in results.items():
            self.known.setdefault((*direction, text), result)

    def _append(self, direction: Direction, results: Mapping[str, Result]) -> None:
        assert self.path is not None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with os.fdopen(os.dup(descriptor), "rb") as file:
                self._learn(file)
            # With the lock held nobody is writing: a tail without newline was torn by a kill.
            os.ftruncate(descriptor, self._read)
            lines = [
                json.dumps(dict(zip(_FIELDS, (*direction, text, result), strict=True))).encode()
                + b"\n"
                for text, result in results.items()
                if isinstance(result, str) and (*direction, text) not in self.known
            ]
            blob = b"".join(lines)
            if os.write(descriptor, blob) < len(blob):
                os.ftruncate(descriptor, self._read)
                raise OSError("no room left")
            self._passed(lines)
        except OSError as error:
            raise _unusable(self.path, error) from error
        finally:
            os.close(descriptor)  # and with it the lock

    def _parse(self, line: bytes, number: int) -> tuple[tuple[str, str, str], str]:
        try:
            row = json.loads(line)
            source, target, text, translation = (row[field] for field in _FIELDS)
            if not all(isinstance(row[field], str) for field in _FIELDS):
                raise TypeError
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UserError(
                f"line {number} is no translation",
                str(self.path),
                "delete the line; if there are many, the file: it is made anew as needed",
            ) from error
        return (source, target, text), translation


_FIELDS = ("source", "target", "text", "translation")


def _file_name(name: str, version: str) -> str:
    """Readable, safe on any file system, and distinct for distinct translators."""
    digest = hashlib.sha256(json.dumps([name, version]).encode()).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-.')[:60]}-{digest}.jsonl"


def _unusable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot be used: {error.strerror or error}",
        str(path),
        "set UNSKEW_CACHE to a folder that can be written",
    )
