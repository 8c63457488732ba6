"""A run's name is a hash of everything that decides its numbers.

The full resolved configuration is hashed, defaults included: were only the non-defaults hashed, a
changed default in the code would silently reuse stale results. Left out are the fields that decide
how a run is executed and not what it computes (device, threads, jobs); a field says so itself with
`json_schema_extra={"execution": True}`. Hashes of parent weights are part of the identity, and so
is an integer that is raised when the meaning of a configuration changes though its text does not.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

EXECUTION: dict[str, Any] = {"execution": True}
"""The mark of a field that decides how a run is executed and not what it computes."""

SEMANTICS_VERSION = 1
"""Raise this when the same configuration starts to mean other numbers."""


def canonical(doc: object) -> str:
    """The one JSON text of `doc`: sorted keys, no spaces, ASCII.

    Raises:
        ValueError: for NaN or infinity, which JSON cannot say.
        TypeError: for anything that is not JSON.
    """
    return json.dumps(
        doc, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def semantic(value: object) -> Any:
    """`value` as plain JSON data, without the execution fields of the configurations in it."""
    match value:
        case BaseModel():
            return {
                name: semantic(getattr(value, name))
                for name, field in type(value).model_fields.items()
                if not (
                    isinstance(field.json_schema_extra, dict)
                    and field.json_schema_extra.get("execution") is True
                )
            }
        case Enum():
            return semantic(value.value)
        case Mapping():
            return {str(key): semantic(item) for key, item in value.items()}
        case list() | tuple():
            return [semantic(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"no identity for a {type(value).__name__} in a configuration")


def kind_of(config: BaseModel) -> str:
    """The configuration's `kind`, or its class name in lower case; usable as a file name."""
    kind = str(getattr(config, "kind", type(config).__name__.lower()))
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", kind):
        raise ValueError(f"a kind is lower-case letters, digits and hyphens, not {kind!r}")
    return kind


def run_id(config: BaseModel, parents: Mapping[str, str] | None = None) -> str:
    """`<kind>-<12 hex>`: the identity of the run of `config` on the given parents.

    Args:
        config: the full resolved configuration.
        parents: role -> SHA-256 of the weights the run starts from, e.g. {"base": "9f3c..."}.
    """
    doc = {
        "semantics": SEMANTICS_VERSION,
        "config": semantic(config),
        "parents": dict(parents or {}),
    }
    return f"{kind_of(config)}-{hashlib.sha256(canonical(doc).encode()).hexdigest()[:12]}"


def file_sha256(path: Path) -> str:
    """SHA-256 in hex of a file. OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
