"""Run the cells of a sweep on many processes or machines: Ray Core (the extra [cluster]), no more.

Each cell is one Ray task on its own CPUs (as many as it has threads), and a GPU if its device is
one. A worker that dies loses its task, which Ray gives to another: there the run's lock is free, as
the kernel released it, and the run continues from its last checkpoint. All machines work on the
same runs folder, so a cluster needs a file system that they share.

A Ray of our own (`embedded`) lives as long as the sweep, listens on the loopback interface only and
asks for a token that nobody else has: whoever reaches a Ray without one runs code as its owner.
For the same reason a cluster beyond the loopback interface is refused without token authentication.
"""

import functools
import ipaddress
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unskew.errors import UserError
from unskew.runs.axes import Cell
from unskew.runs.sweep import PAUSE, Execute, Outcome, Runner, attempt

RETRIES = 5  # times that a cell is given to another worker when its worker is lost
GOODBYE = 120.0  # seconds that interrupted cells have to save
OBJECTS = 100 * 2**20  # bytes of shared memory for results, of which there are none to speak of
SECURE_SINCE = (2, 52)  # the first Ray that knows tokens
TOKENS = "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=FILE on every machine; see docs/SWEEPS.md"


def require() -> None:
    """Raises UserError where the extra [cluster] is not installed."""
    if find_spec("ray") is None:
        raise UserError(
            "cells side by side need ray, not installed here",
            hint="pip install 'unskew[cluster]', or run them one by one: without --jobs and "
            "RAY_ADDRESS",
        )


def check(address: str, environment: Mapping[str, str]) -> None:
    """Whether a cluster at that address may be used; nothing is connected or looked up.

    Args:
        address: what RAY_ADDRESS says, host:port.
        environment: the variables of the process.

    Raises:
        UserError: it is beyond the loopback interface and RAY_AUTH_MODE is not token, or it is no
            address that a sweep can use.
    """
    where = f"RAY_ADDRESS={address}"
    if "://" in address:
        hint = "give the command on a machine of the cluster, with RAY_ADDRESS=host:port"
        raise UserError(
            "a sweep works on the cluster's own files, not through a client", where, hint
        )
    if not loopback(address) and environment.get("RAY_AUTH_MODE", "").lower() != "token":
        raise UserError(
            "this cluster may be reached from other machines, and RAY_AUTH_MODE is not `token`: "
            "whoever reaches it could run code as you",
            where,
            TOKENS,
        )


def loopback(address: str) -> bool:
    """Whether host:port is this machine's loopback interface; a name but localhost is not."""
    host = address.rpartition(":")[0] if ":" in address else address
    host = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def embedded(jobs: int, threads: int, gpus: bool) -> Iterator[None]:
    """For the block, a Ray of our own with `jobs` workers of `threads` CPUs each."""
    require()
    ours = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray's own switch for "one machine only": every service binds to the loopback interface.
        # Without it Ray turns 127.0.0.1 into the machine's address and binds to all interfaces.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Ray's workers give way to everything else (15), and starve on a busy machine.
        "RAY_worker_niceness": "0",
    }
    with _environment(ours):
        import ray

        _new_enough(ray.__version__)
        ray.init(
            address="local",
            num_cpus=jobs * threads,
            num_gpus=None if gpus else 0,
            include_dashboard=False,
            object_store_memory=OBJECTS,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        try:
            served = ray.get_runtime_context().gcs_address
            if not loopback(served):
                raise RuntimeError(f"Ray listens on {served}, not on the loopback interface only")
            yield
        finally:
            ray.shutdown()


@contextmanager
def connected(address: str) -> Iterator[None]:
    """For the block, the cluster at that address.

    Raises:
        UserError: it is refused (see `check`), does not answer, or may be reached from other
            machines and asks for no token itself, whatever the address says.
    """
    check(address, os.environ)
    require()
    with _environment({"RAY_USAGE_STATS_ENABLED": "0"}):
        import ray
        from ray.exceptions import RayError

        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            said = " ".join(str(error).split())
            hint = "`ray status` says whether it runs; the versions of Ray and Python must agree"
            raise UserError(
                f"the cluster cannot be used: {said}", f"RAY_ADDRESS={address}", hint
            ) from error
        try:
            _refuse_open(address)
            yield
        finally:
            ray.shutdown()


def _refuse_open(address: str) -> None:
    """Raises UserError where a machine of the connected cluster may be reached from others and was
    started without token authentication. Looked up in the cluster: RAY_ADDRESS=127.0.0.1 may lead
    to a Ray that listens on all interfaces, as `ray start` alone makes one."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as OnNode

    nodes = [node for node in ray.nodes() if node["Alive"]]
    served = [ray.get_runtime_context().gcs_address, *(n["NodeManagerAddress"] for n in nodes)]
    if all(loopback(where) for where in served):
        return
    _new_enough(ray.__version__)
    ask = ray.remote(num_cpus=0, max_retries=0)(_auth_mode)
    modes = ray.get(
        [ask.options(scheduling_strategy=OnNode(n["NodeID"], soft=False)).remote() for n in nodes]
    )
    for node, mode in zip(nodes, modes, strict=True):
        if mode != "token":
            raise UserError(
                f"the cluster may be reached from other machines, and its machine "
                f"{node['NodeManagerAddress']} was started without RAY_AUTH_MODE=token: whoever "
                "reaches it could run code as you",
                f"RAY_ADDRESS={address}",
                TOKENS,
            )


def _auth_mode() -> str:
    """On a worker: the mode that its machine was started with."""
    return os.environ.get("RAY_AUTH_MODE", "").lower()


@functools.cache
def _token() -> str:
    # One for the life of the process: Ray keeps the first that it has seen.
    return secrets.token_hex(32)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _new_enough(version: str) -> None:
    if tuple(int(part) for part in version.split(".")[:2]) < SECURE_SINCE:
        raise UserError(
            f"Ray {version} knows no token authentication",
            hint=f"install Ray {'.'.join(map(str, SECURE_SINCE))} or newer",
        )


def runner(
    execute: Execute,
    folder: Path,
    say: Callable[[str], None],
    at_once: int | None = None,
    gpu: float = 1.0,
    grows: bool = True,
) -> Runner:
    """A runner that gives each cell to a worker of the Ray that is connected.

    Args:
        folder: the sweep's folder, absolute and there; it stands in the runs folder.
        say: why cells wait, if they must.
        at_once: the most cells that run at the same time; None: as many as there is room for.
        gpu: the share of a GPU that a cell on one takes.
        grows: whether machines may join, so that a cell which takes more than there is may wait.
    """
    import ray

    task = ray.remote(_on_worker)

    def submit(cell: Cell) -> Any:
        needs = resources(cell.config, gpu)
        return task.options(**needs, max_retries=RETRIES, retry_exceptions=False).remote(
            cell.config, execute, folder
        )

    def run(cells: Sequence[Cell]) -> Generator[tuple[Cell, Outcome]]:
        for lack in _lacks(cells, gpu):
            if not grows:
                raise UserError(lack, hint="give device=cpu, fewer --threads, or a smaller --gpus")
            say(f"{lack}: waiting")
        waiting = deque(cells)
        put_off: deque[tuple[float, Cell]] = deque()  # until when; another process writes its run
        flying: dict[Any, Cell] = {}
        told = False
        try:
            while waiting or put_off or flying:
                while put_off and put_off[0][0] <= time.monotonic():
                    waiting.append(put_off.popleft()[1])
                while waiting and (at_once is None or len(flying) < at_once):
                    cell = waiting.popleft()
                    flying[submit(cell)] = cell
                if not flying:
                    time.sleep(PAUSE / 4)
                    continue
                for ref in ray.wait(list(flying), num_returns=1, timeout=PAUSE)[0]:
                    cell, outcome = flying.pop(ref), _outcome(ref)
                    if outcome.state == "busy":
                        put_off.append((time.monotonic() + PAUSE, cell))
                        if not told:
                            say(f"put off: {outcome.message}")
                            told = True
                    else:
                        yield cell, outcome
        finally:
            _stop(list(flying))

    return run


def _on_worker(config: BaseModel, execute: Execute, folder: Path) -> Outcome:
    if not folder.is_dir():
        what = f"{folder}: this machine does not see the sweep's folder; a cluster needs a file "
        return Outcome("failed", message=what + "system that all its machines share")
    return attempt(config, execute, folder.parent)


def resources(config: BaseModel, gpu: float) -> dict[str, float]:
    """What a cell takes of a machine: num_cpus, num_gpus.

    Raises:
        UserError: it asks for a certain GPU, which Ray gives out itself.
    """
    device = getattr(config, "device", "cpu")
    if device.startswith("cuda:"):
        raise UserError("Ray gives out the GPUs", f"device={device}", "give device=cuda")
    threads = getattr(config, "threads", None) or 1
    return {"num_cpus": threads, "num_gpus": gpu if device == "cuda" else 0}


def _outcome(ref: Any) -> Outcome:
    import ray
    from ray import exceptions as ex

    lost = (ex.WorkerCrashedError, ex.NodeDiedError, ex.OutOfMemoryError, ex.ObjectLostError)
    try:
        return ray.get(ref)
    except lost as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        return Outcome("failed", message=f"its workers were lost {RETRIES + 1} times: {said}")
    except ex.RayError as error:  # as where a machine has no unskew, or another one
        said = str(error).strip()
        last = said.rpartition("\n")[2] or type(error).__name__
        return Outcome("failed", message=f"the worker could not run it: {last}", trace=said)


def _lacks(cells: Sequence[Cell], gpu: float) -> Iterator[str]:
    """What a cell takes that no machine has."""
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for name, key in (("CPUs", "num_cpus"), ("GPUs", "num_gpus")):
        wanted = max((resources(cell.config, gpu)[key] for cell in cells), default=0)
        most = max((machine.get(name[:3], 0) for machine in machines), default=0)
        if wanted > most:
            yield f"a cell takes {wanted:g} {name} and no machine has more than {most:g}"


def _stop(refs: list[Any]) -> None:
    """Interrupt what runs, as Ctrl-C would, and wait until it has saved."""
    import ray

    if not refs or not ray.is_initialized():
        return
    for ref in refs:
        ray.cancel(ref, force=False)
    ray.wait(refs, num_returns=len(refs), timeout=GOODBYE)
