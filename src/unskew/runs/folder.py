"""A run folder: everything one run leaves behind, believable after a `kill -9` at any moment.

    runs/<kind>-<12 hex>/
      config.json         the full resolved configuration, the parents' hashes, the run's id
      environment.json    versions, commit, processor (no host, user or path)
      metrics.jsonl       one record per line, appended while running
      tables/*.parquet    tidy tables
      *.safetensors       weights, and the checkpoint of a training until the run is finished
                          (never pickle)
      manifest.json       written last, with the SHA-256 of every file: it exists = finished

Every file but metrics.jsonl is written to a temporary name in the same folder, synced and renamed,
so a reader sees the old file or the new one, never half of one. A kernel lock, released by the
kernel when its holder dies, keeps a second writer out.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from unskew.errors import UserError
from unskew.runs import environment, writing
from unskew.runs.identity import SEMANTICS_VERSION, file_sha256, run_id
from unskew.runs.locking import Lock

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

LOCK = ".lock"
LOG = "metrics.jsonl"
CHECKPOINT = "checkpoint"
"""The tensor file of a training's state. It goes once the manifest is written, and not before: else
a kill between the two would cost the whole training."""
# Left out of the manifest: the manifest itself, the lock, the checkpoint, and pages, which may be
# drawn anew.
UNLISTED = ("manifest.json", LOCK, f"{CHECKPOINT}.safetensors", "report.html")


class RunFolder:
    """One run's folder. Make one with `RunFolder.open` (to write) or `RunFolder.read` (finished).

    Attributes:
        path: the folder.
        id: `<kind>-<12 hex>`.
        config: the full resolved configuration as plain data.
        parents: role -> SHA-256 of the weights the run started from.
    """

    def __init__(
        self,
        path: Path,
        id: str,
        config: dict[str, Any],
        parents: dict[str, str],
        lock: Lock | None = None,
    ) -> None:
        self.path, self.id, self.config, self.parents = path, id, config, parents
        self._lock = lock

    @classmethod
    def open(
        cls, root: Path, config: BaseModel, parents: Mapping[str, str] | None = None
    ) -> "RunFolder":
        """The folder of this run under `root`, made if need be and locked until closed.

        A finished run is verified and returned as it is (`finished` is true, writing refused). Use
        it as a context manager, or call `close`.

        Raises:
            UserError: another process is writing this run, the finished run is damaged, or the
                folder cannot be written.
        """
        id = run_id(config, parents)
        path = Path(root) / id
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = Lock(path / LOCK)
        except OSError as error:
            raise UserError(
                f"cannot write here: {error.strerror}", str(path), "choose another --runs DIR"
            ) from error
        resolved = config.model_dump(mode="json")
        folder = cls(path, id, resolved, dict(parents or {}), lock)
        try:
            if (path / "manifest.json").exists():
                folder.verify()
                folder._tensors(CHECKPOINT).unlink(missing_ok=True)  # killed as it finished
                return folder
            for leftover in sorted(path.rglob(f"{writing.TEMPORARY}*")):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
            folder._write_json("config.json", _identity(id, resolved, folder.parents))
            device = resolved.get("device")
            now = environment.record(device if isinstance(device, str) else None)
            folder._write_json("environment.json", now | {"earlier": folder._earlier()})
        except BaseException:
            lock.release()
            raise
        return folder

    @classmethod
    def read(cls, path: Path) -> "RunFolder":
        """A finished run, read-only, with every file checked against the manifest.

        Raises:
            UserError: no run, not finished, or damaged (the file is named).
        """
        path = Path(path)
        listed = "`unskew runs` lists the runs"
        if not path.is_dir():
            raise UserError("there is no such run", str(path), listed)
        if not (path / "manifest.json").exists():
            if not (path / "config.json").exists():
                raise UserError("this folder holds no run", str(path), listed)
            hint = "give the command that began it again"
            raise UserError("this run is not finished", str(path), hint)
        identity = _read_json(path / "config.json")
        try:
            folder = cls(path, identity["id"], identity["config"], identity["parents"])
        except (KeyError, TypeError) as error:
            raise _damaged(path / "config.json", "it lacks a part") from error
        folder.verify()
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write. Closing twice does nothing more."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # State ---------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the manifest exists and is this run's."""
        if not (self.path / "manifest.json").exists():
            return False
        return self.manifest().get("id") == self.id

    def manifest(self) -> dict[str, Any]:
        """The manifest: id, finished (UTC), files {name: {sha256, bytes}}, extra {...}.

        Raises:
            UserError: it is missing or damaged.
        """
        path = self.path / "manifest.json"
        manifest = _read_json(path)
        files, extra = manifest.get("files"), manifest.get("extra")
        hashed = isinstance(files, dict) and all(
            isinstance(found, dict) and isinstance(found.get("sha256"), str)
            for found in files.values()
        )
        if not (hashed and isinstance(extra, dict) and isinstance(manifest.get("finished"), str)):
            raise _damaged(path, "it is not the manifest of a run")
        return manifest

    @property
    def extra(self) -> dict[str, Any]:
        """What `finish` was given, e.g. {"headline": "..."}."""
        return dict(self.manifest()["extra"])

    def finish(self, extra: Mapping[str, Any] | None = None) -> None:
        """Write the manifest, last: from here on the run is finished and no longer written."""
        self._check_writable()
        if (self.path / LOG).exists():
            writing.sync(self.path / LOG)  # appended to, and not synced since; its hash comes next
        files = {
            name: {"sha256": self.sha256(name), "bytes": (self.path / name).stat().st_size}
            for name in self._files()
        }
        manifest = {
            "id": self.id,
            "semantics": SEMANTICS_VERSION,
            "finished": environment.utc_now(),
            "files": files,
            "extra": dict(extra or {}),
        }
        self._write_json("manifest.json", manifest)
        self._tensors(CHECKPOINT).unlink(missing_ok=True)

    def verify(self) -> None:
        """Check every file of a finished run against the manifest.

        Raises:
            UserError: naming every file that is missing or does not have its recorded hash.
        """
        manifest = self.manifest()
        if manifest.get("id") != self.id:
            raise _damaged(self.path / "manifest.json", f"it is not the manifest of {self.id}")
        wrong = []
        for name, recorded in manifest["files"].items():
            if not (self.path / name).is_file():
                wrong.append(f"{name} is missing")
            elif self.sha256(name) != recorded["sha256"]:
                wrong.append(f"{name} has changed since the run finished")
        if wrong:
            raise _damaged(self.path, "; ".join(wrong))

    def sha256(self, name: str) -> str:
        """SHA-256 in hex of a file, by its path inside the folder ("model.safetensors")."""
        path = self.path / name
        if not path.exists():
            path = self._tensors(name)
        return file_sha256(path)

    # The log -------------------------------------------------------------------------------------

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one record to metrics.jsonl, whole; NaN and infinity are written as null.

        Raises:
            OSError: the disk has no room for it; nothing of it is left.
        """
        self._check_writable()
        line = (json.dumps(writing.finite(record), allow_nan=False) + "\n").encode()
        # One write in append mode: what a kill leaves is whole lines, but for a torn last one.
        descriptor = os.open(self.path / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, size)  # else the next record would follow on its half
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path / LOG))
        finally:
            os.close(descriptor)

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of metrics.jsonl, in order; a torn last line is left out.

        Raises:
            UserError: a line before the last is not a record.
        """
        path = self.path / LOG
        if not path.exists():
            return
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                record = json.loads(line)
            except ValueError as error:
                raise _damaged(path, f"line {number} is not a record") from error
            if not isinstance(record, dict):
                raise _damaged(path, f"line {number} is not a record")
            yield record

    def truncate_log(self, step: int) -> None:
        """Keep the records with "step" <= `step` (and those without one); drop a torn last line.

        Called when a run continues from a checkpoint, so that no step is recorded twice.
        """
        self._check_writable()
        if (self.path / LOG).exists():
            kept = [r for r in self.records() if r.get("step") is None or r["step"] <= step]
            self.write_text(LOG, "".join(json.dumps(record) + "\n" for record in kept))

    # Tables, tensors, text -----------------------------------------------------------------------

    def write_table(self, name: str, table: "pd.DataFrame") -> Path:
        """Write tables/<name>.parquet; NaN becomes null."""
        path = self._table(name)
        self._replace(path, lambda temporary: table.to_parquet(temporary, index=False))
        return path

    def read_table(self, name: str) -> "pd.DataFrame":
        """The table tables/<name>.parquet.

        Raises:
            UserError: it is missing or damaged.
        """
        import pandas as pd

        path = self._table(name)
        if not path.exists():
            raise UserError(f"the run has no table {name!r}", str(self.path))
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise _damaged(path, "it is not a Parquet file") from error

    def has_table(self, name: str) -> bool:
        return self._table(name).exists()

    def tables(self) -> list[str]:
        """The names of the run's tables, sorted."""
        return sorted(path.stem for path in (self.path / "tables").glob("*.parquet"))

    def write_tensors(
        self, name: str, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None
    ) -> Path:
        """Write <name>.safetensors atomically and durably. Tensors are copied to the CPU."""
        from safetensors.torch import save_file

        # Copies, as safetensors refuses tensors that share memory (views of one stacked parameter).
        copies = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
        path = self._tensors(name)
        self._replace(path, lambda temporary: save_file(copies, temporary, dict(metadata or {})))
        return path

    def read_tensors(self, name: str) -> tuple[dict[str, "Tensor"], dict[str, str]]:
        """Tensors (on the CPU) and metadata of <name>.safetensors.

        Raises:
            UserError: it is missing or damaged.
        """
        from safetensors import SafetensorError, safe_open

        path = self._tensors(name)
        if not path.exists():
            raise UserError(f"the run has no file {path.name}", str(self.path))
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return tensors, dict(file.metadata() or {})
        except SafetensorError as error:
            raise _damaged(path, "it is not a safetensors file") from error

    def has_tensors(self, name: str) -> bool:
        return self._tensors(name).exists()

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file, UTF-8, atomically."""
        path = self.path / name
        self._replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        return path

    def write_folder(self, name: str, write: Callable[[Path], object]) -> Path:
        """Write the folder <name>, whole or not at all, in place of what was there.

        Args:
            write: fills the empty folder that it is given.
        """
        self._check_writable()
        return writing.replace_folder(self.path / name, write)

    # Inside --------------------------------------------------------------------------------------

    def _table(self, name: str) -> Path:
        return self.path / "tables" / f"{name}.parquet"

    def _tensors(self, name: str) -> Path:
        return self.path / f"{name.removesuffix('.safetensors')}.safetensors"

    def _check_writable(self) -> None:
        if self._lock is None:
            raise RuntimeError(f"{self.id} is not open for writing")
        if self.finished:
            raise RuntimeError(f"{self.id} is finished and no longer written")

    def _files(self) -> list[str]:
        """Every file of the run but the unlisted ones, as sorted relative paths."""
        files = (p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file())
        return sorted(name for name in files if name not in UNLISTED)

    def _earlier(self) -> list[dict[str, Any]]:
        """The environments of the sessions before this one, oldest first."""
        path = self.path / "environment.json"
        if not path.exists():
            return []
        last = _read_json(path)
        before = last.pop("earlier", [])
        if not isinstance(before, list):
            raise _damaged(path, "what it says of earlier sessions is no list")
        return [*before, last]

    def _write_json(self, name: str, doc: Mapping[str, Any]) -> None:
        self.write_text(name, json.dumps(doc, indent=2, allow_nan=False) + "\n")

    def _replace(self, path: Path, write: Callable[[Path], object]) -> None:
        self._check_writable()
        writing.replace(path, write)


def _identity(id: str, config: dict[str, Any], parents: dict[str, str]) -> dict[str, Any]:
    return {"id": id, "semantics": SEMANTICS_VERSION, "parents": parents, "config": config}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        doc = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _damaged(path, "it is missing") from error
    except ValueError as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(doc, dict):
        raise _damaged(path, "it is not a JSON object")
    return doc


def _damaged(path: Path, what: str) -> UserError:
    hint = "remove the run's folder and give its command again, or restore the file from a copy"
    return UserError(f"damaged: {what}", str(path), hint)
