"""A lock on a run folder that dies with its holder.

`flock` is held by an open file and released by the kernel when the process ends, however it ends,
so a killed run never leaves a stale lock behind.
"""

import fcntl
import os
from pathlib import Path

from unskew.errors import UserError


class Lock:
    """The exclusive lock on `path`, taken at once or not at all; the file names the holder's pid.

    Raises:
        UserError: somebody else holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                os.close(descriptor)
                raise UserError(
                    f"another process (pid {holder or 'unknown'}) is writing this run",
                    str(path.parent),
                    "wait until it has finished, or end it and give the same command again",
                ) from error
            except BaseException:
                os.close(descriptor)
                raise
            if _same_file(descriptor, path):
                break
            os.close(descriptor)  # the last holder removed the file between our open and our lock
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give the lock back and remove its file. Releasing twice does nothing more."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
