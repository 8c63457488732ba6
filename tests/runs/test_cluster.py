"""Cells on Ray: what is refused, and a grid of sixty that survives lost workers and machines."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from toys import Toy
from unskew.errors import UserError
from unskew.regression.config import Pretrain
from unskew.runs import cluster
from unskew.runs.folder import RunFolder

PRESET = """
kind: regression-pretrain
d: 2
exemplars: 4
model: {layers: 1, heads: 1, width: 16}
training: {steps: 150, batch: 8, optimiser: {kind: adam}}
"""
GRID = ["seed=0..19", "training.optimiser.lr=1e-3,3e-3,1e8"]  # the last one diverges


# --- what is refused; nothing is connected --------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["127.0.0.1:6379", "localhost:6379", "[::1]:6379", "127.9.9.9:1", "127.0.0.1"]
)
def test_loopback_needs_no_token(address: str) -> None:
    cluster.check(address, {})


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1:6379", "head:6379", "auto", "0.0.0.0:6379", "[fe80::1]:6379", "localhost.evil:1",
     "127.0.0.1.evil:6379", ""],
)  # fmt: skip
def test_beyond_it_a_token_is_asked_for(address: str) -> None:
    for environment in ({}, {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": ""}):
        with pytest.raises(UserError, match="RAY_AUTH_MODE is not `token`"):
            cluster.check(address, environment)
    cluster.check(address, {"RAY_AUTH_MODE": "token"})


def test_no_client() -> None:
    with pytest.raises(UserError, match="not through a client"):
        cluster.check("ray://127.0.0.1:10001", {"RAY_AUTH_MODE": "token"})


def test_it_is_refused_before_ray_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(UserError, match="RAY_AUTH_MODE"), cluster.connected("10.1.2.3:6379"):
        raise AssertionError("connected")
    assert "ray" not in sys.modules


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with (
        pytest.raises(UserError, match="ray, not installed") as caught,
        cluster.embedded(2, 1, False),
    ):
        raise AssertionError("started")
    assert "unskew[cluster]" in str(caught.value)


def test_what_a_cell_takes() -> None:
    assert cluster.resources(Pretrain(), 1) == {"num_cpus": 1, "num_gpus": 0}
    assert cluster.resources(Pretrain(threads=3), 1) == {"num_cpus": 3, "num_gpus": 0}
    assert cluster.resources(Pretrain(device="cuda"), 0.25) == {"num_cpus": 1, "num_gpus": 0.25}
    assert cluster.resources(Toy(), 1) == {"num_cpus": 1, "num_gpus": 0}
    with pytest.raises(UserError, match="device=cuda"):
        cluster.resources(Pretrain(device="cuda:1"), 1)


def test_a_machine_without_the_sweeps_folder_says_so(tmp_path: Path) -> None:
    outcome = cluster._on_worker(Toy(), lambda *_: pytest.fail("ran"), tmp_path / "sweep-0")
    assert outcome.state == "failed"
    assert "does not see the sweep's folder" in (outcome.message or "")


def test_tokens_need_a_ray_that_knows_them() -> None:
    cluster._new_enough("2.60.0")
    cluster._new_enough("3.0.0rc1")
    with pytest.raises(UserError, match=r"Ray 2\.9\.0 knows no token"):
        cluster._new_enough("2.9.0")


def test_what_no_machine_has_is_waited_for_where_machines_may_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lack = "a cell takes 1 GPUs and no machine has more than 0"
    monkeypatch.setattr(cluster, "_lacks", lambda cells, gpu: iter([lack]))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(remote=lambda task: task))
    said: list[str] = []
    with pytest.raises(UserError, match="a cell takes 1 GPUs"):
        next(cluster.runner(lambda *_: pytest.fail("ran"), Path(), said.append, grows=False)([]))
    assert list(cluster.runner(lambda *_: pytest.fail("ran"), Path(), said.append)([])) == []
    assert said == [f"{lack}: waiting"]


# --- a Ray of our own -----------------------------------------------------------------------------


# Not imported to find out: what a test process has imported, stays.
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


OWN = """
import os, sys
from pathlib import Path
from unskew.cli import main
from unskew.runs import cluster

inner = cluster.runner
def runner(*given, **more):
    import ray
    served = [ray.get_runtime_context().gcs_address]
    served += [node["NodeManagerAddress"] for node in ray.nodes()]
    Path("served.txt").write_text("\\n".join(served))
    return inner(*given, **more)
cluster.runner = runner
sys.exit(main(sys.argv[1:]))
"""


def own(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWN, "sweep", "long.yaml", "seed=0..2", *arguments],
        cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
def test_jobs_are_interrupted_and_continue_on_the_loopback_interface(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(PRESET.replace("steps: 150", "steps: 6000"))
    with own(tmp_path, "--jobs", "2") as process:
        runs = tmp_path / "runs"
        until = time.monotonic() + 200
        while len(list(runs.glob("regression-pretrain-*/metrics.jsonl"))) < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "two cells did not begin"
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    served = (tmp_path / "served.txt").read_text().splitlines()
    assert served
    assert all(cluster.loopback(address) for address in served)
    saved = list(runs.glob("regression-pretrain-*/checkpoint.safetensors"))
    assert len(saved) == 2
    assert not list(runs.glob("regression-pretrain-*/manifest.json"))
    with own(tmp_path, "--jobs", "2") as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "3 cells: 3 done" in out
    with own(tmp_path, "--threads", "1", "--runs", "alone", "--stack", "1") as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    hashes = [
        sorted(
            RunFolder.read(run.parent).sha256("model.safetensors")
            for run in (tmp_path / name).glob("regression-pretrain-*/manifest.json")
        )
        for name in ("runs", "alone")
    ]
    assert len(hashes[0]) == 3
    assert hashes[0] == hashes[1]


# --- two machines on the loopback interface -------------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return clean | {"OMP_NUM_THREADS": "1"} | more


def sweep(
    folder: Path, runs: str, *options: str, grid: Sequence[str] = GRID, **variables: str
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "unskew", "sweep", "tiny.yaml", *grid, "--runs", runs]
    return subprocess.Popen(
        [*command, *options], cwd=folder, env=environment(**variables), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


# Ray's own way to have several nodes on one machine: each has its own raylet and workers.
NODES = """
import sys
from ray.cluster_utils import Cluster

where = {"node_ip_address": sys.argv[2]}
node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100 * 2**20}
head = {"temp_dir": sys.argv[1], "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node | head | where)
second = cluster.add_node(**node, **where)
print("address", cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(second, allow_graceful=False)
    print("lost", flush=True)
"""


class Machines:
    """Two Ray nodes of one CPU each, as two machines would be: on the loopback interface with a
    token, or at an address of this machine's network without."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.variables = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        if address == "127.0.0.1":
            self.variables |= {
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
            }
        self.folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets have short names
        # Ray notes its newest cluster in a folder that only a Ray before it would have made.
        self.variables["RAY_TMPDIR"] = self.folder
        (Path(self.folder) / "ray").mkdir()
        self.log = (Path(self.folder) / "nodes.log").open("w+")
        self.nodes = subprocess.Popen(
            [sys.executable, "-c", NODES, self.folder, address],
            env=environment(**self.variables),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        try:
            self.address = self._said("address")
        except BaseException:
            self.end()  # nobody else can
            raise

    def _said(self, what: str) -> str:
        assert self.nodes.stdout is not None
        for line in self.nodes.stdout:
            if line.startswith(what):
                return line.removeprefix(what).strip()
        raise AssertionError(f"no {what}: {Path(self.log.name).read_text()[-3000:]}")

    def workers(self) -> list[int]:
        """The processes that run a cell."""
        return [pid for pid, said in self._processes() if said.startswith("ray::_on_worker")]

    def lose_one(self) -> None:
        """As when the second machine loses its power."""
        print("lose", file=self.nodes.stdin, flush=True)
        self._said("lost")

    def end(self) -> None:
        for pid, _ in [*self._processes(), (self.nodes.pid, "")]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nodes.communicate()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self) -> list[tuple[int, str]]:
        import psutil

        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.nodes.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):  # ended meanwhile
                    found.append((process.pid, " ".join(process.cmdline())))
        return found


@pytest.fixture
def machines() -> Iterator[Machines]:
    pytest.importorskip("psutil")
    started = Machines()
    try:
        yield started
    finally:
        started.end()


def wait_for_cells(process: subprocess.Popen[str], runs: Path, count: int) -> None:
    until = time.monotonic() + 400
    while len(list(runs.glob("regression-pretrain-*/manifest.json"))) < count:
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError(f"{count} cells were not done: {process.communicate()}")
        time.sleep(0.05)


def network_address() -> str:
    """This machine's address where others reach it; no packet is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_ray
@pytest.mark.skipif(
    network_address().startswith("127."), reason="this machine has no address but the loopback's"
)
def test_an_open_cluster_is_refused_by_another_name_too(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)
    started = Machines(network_address())
    try:
        port = started.address.rpartition(":")[2]
        driver = started.variables | {"RAY_ADDRESS": f"127.0.0.1:{port}"}
        with sweep(tmp_path, "refused", **driver) as process:
            out, err = process.communicate(timeout=300)
    finally:
        started.end()
    assert process.returncode == 2, (out, err)
    assert "was started without RAY_AUTH_MODE=token" in " ".join(err.split())
    assert not list((tmp_path / "refused").glob("regression-pretrain-*"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@needs_ray
def test_sixty_cells_survive_a_killed_worker_and_a_lost_machine(
    tmp_path: Path, machines: Machines
) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)
    driver = machines.variables | {"RAY_ADDRESS": machines.address}
    with sweep(tmp_path, "beside", **driver) as process:
        wait_for_cells(process, tmp_path / "beside", 6)
        until = time.monotonic() + 60
        while not (victims := machines.workers()) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(victims[0], signal.SIGKILL)
        wait_for_cells(process, tmp_path / "beside", 15)
        machines.lose_one()
        out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert "60 cells: 40 done, 20 diverged" in out
    with sweep(tmp_path, "alone", "--threads", "1", "--stack", "1") as process:
        out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    the_same(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
def test_a_killed_cell_goes_on_from_its_checkpoint(tmp_path: Path, machines: Machines) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET.replace("steps: 150", "steps: 20000"))
    driver = machines.variables | {"RAY_ADDRESS": machines.address}
    runs = tmp_path / "runs"
    with sweep(tmp_path, "runs", grid=["seed=0"], **driver) as process:
        until = time.monotonic() + 300
        while not (found := list(runs.glob("*/checkpoint.safetensors"))):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "no checkpoint"
            time.sleep(0.05)
        (victim,) = machines.workers()
        os.kill(victim, signal.SIGKILL)
        out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert "1 cell: 1 done" in out
    cell = RunFolder.read(found[0].parent)
    (begun,) = json.loads((cell.path / "environment.json").read_text())["earlier"]
    assert begun["time"] < json.loads((cell.path / "environment.json").read_text())["time"]
    steps = [record["step"] for record in cell.records()]
    assert steps == list(range(50, 20001, 50))


def the_same(folder: Path) -> None:
    """The sweep that was run on machines, and the one that was run in a process, to the bit."""
    beside, alone = (
        RunFolder.read(next((folder / name).glob("sweep-*"))) for name in ("beside", "alone")
    )
    assert beside.id == alone.id
    assert beside.tables() == alone.tables() == ["cells", "metrics"]
    for name in beside.tables():
        one, two = (
            run.read_table(name).drop(columns="seconds", errors="ignore") for run in (beside, alone)
        )
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    for run in beside.read_table("cells")["run"].dropna():
        weights = [
            RunFolder.read(folder / name / run).sha256("model.safetensors")
            for name in ("beside", "alone")
        ]
        assert weights[0] == weights[1]
