"""Where things run: never part of what a run is."""

import os
import shutil

from pydantic import Field

from unskew.errors import UserError
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION

MOST_THREADS = 8
"""Unless asked for more: the models here are small."""


class Machine(Frozen):
    """The settings of a configuration that say where it runs."""

    device: str = Field(
        default="cpu", pattern="^(cpu|cuda(:[0-9]+)?)$", json_schema_extra=EXECUTION
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        json_schema_extra=EXECUTION,
        description=f"CPU threads; null: all cores, {MOST_THREADS} at most",
    )


def prepare(machine: Machine) -> None:
    """Set the number of CPU threads, and check that the device is there.

    Raises: UserError where a CUDA device is asked for that is not there.
    """
    import torch

    torch.set_num_threads(machine.threads or min(os.cpu_count() or 1, MOST_THREADS))
    check(machine.device)


def check(device: str) -> None:
    """Raises UserError where a device of that name is not there."""
    import torch

    where, hint = f"device={device}", "give device=cpu"
    if device == "mps" and not torch.backends.mps.is_available():
        raise UserError("there is no MPS device here", where, hint)
    if not device.startswith("cuda"):
        return
    if not torch.cuda.is_available():
        raise UserError("there is no CUDA device here", where, hint)
    count = torch.cuda.device_count()
    if int(device.partition(":")[2] or 0) >= count:
        raise UserError(f"there are {count} CUDA devices here, counted from 0", where)


def compiler() -> str:
    """The C++ compiler that torch.compile calls.

    Raises: UserError where there is none.
    """
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise UserError(
            f"torch.compile needs a C++ compiler, and there is no {name}",
            "training.compile=true",
            "install one (Debian, Ubuntu: apt-get install g++), set CXX, or give compile=false",
        )
    return found
