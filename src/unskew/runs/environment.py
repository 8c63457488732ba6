"""What a run ran on: versions, commit, processor. Never a host name, a user name or a path."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import unskew

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "pydantic", "safetensors")


def record(device: str | None = None) -> dict[str, Any]:
    """The environment as plain data; what cannot be found out is null.

    Args:
        device: the torch device the run computes on, e.g. "cpu" or "cuda".
    """
    commit, dirty = _checkout()
    return {
        "unskew": unskew.__version__,
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": _threads(),
        "device": _device(device),
        "time": utc_now(),
    }


def utc_now() -> str:
    """The time in UTC, to the second, as 2030-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _checkout() -> tuple[str | None, bool | None]:
    """Commit and whether tracked files differ from it; nulls unless this code runs from its own
    checkout (an installed wheel inside somebody else's repository must not report their commit)."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "src" / "unskew").is_dir() or not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout


def _cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None) or platform.processor() or None


def _threads() -> int | None:
    # Asking must not cost an import of torch: a run that computes has imported it already.
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_num_threads()


def _device(device: str | None) -> str | None:
    torch = sys.modules.get("torch")
    on_gpu = device is not None and device.startswith("cuda")
    if on_gpu and torch is not None and torch.cuda.is_available():
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return device
