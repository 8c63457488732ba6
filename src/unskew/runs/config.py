"""From a preset and `key=value` overrides to one frozen, validated configuration.

A preset is a YAML file, shipped under `presets/` or given by its path. Overrides name a dotted path
and a YAML value: `prior.alpha=0.3`, `gammas=[1, 2, 4]`, `prior={kind: continuous}`. Setting the
`kind` of a group to another one starts from that kind's defaults. Validation is strict (a fraction
is no integer, a word no number), and every mistake is reported by the path of the key, with what
would have been allowed.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json

from unskew.errors import UserError
from unskew.runs.mistakes import default_at, nearest, report

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

T = TypeVar("T")


class Frozen(BaseModel):
    """Base of every configuration: immutable, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


def load(preset: str, overrides: Sequence[str], schema: "TypeAdapter[T]") -> T:
    """The configuration of `preset` with `overrides` applied, validated by `schema`.

    Args:
        preset: the name of a shipped preset, or the path of a YAML file.
        overrides: `key=value` texts; the key is a dotted path, the value YAML.
        schema: what the configuration must be, e.g. `TypeAdapter(Experiment)`.

    Raises:
        UserError: unknown preset, unreadable YAML, malformed, repeated or misplaced override,
            unknown key, wrong type or value. The path of the key and what is allowed are named.
    """
    return resolve(_read_preset(preset), overrides, schema, preset)


def resolve(
    doc: dict[str, Any], overrides: Sequence[str], schema: "TypeAdapter[T]", source: str
) -> T:
    """The configuration of `doc` (which is changed) with `overrides` applied; see `load`.

    Args:
        source: where `doc` comes from, for messages.
    """
    changes = _parse(overrides)
    # Overrides may reach into groups that the preset leaves at their defaults.
    try:
        defaults = schema.dump_python(_validate(schema, doc), mode="json")
    except ValidationError:
        defaults = doc
    for path, value in changes:
        _apply(doc, defaults, path, value, schema)
    try:
        return _validate(schema, doc)
    except ValidationError as error:
        raise report(error, doc, schema.json_schema(), source) from None


def kind(preset: str, known: Iterable[str] | None = None) -> str:
    """What a preset says it is, "" where it does not. Raises UserError as `load` does.

    Args:
        known: the names to offer where there is no such preset; by default all that ship.
    """
    return str(_read_preset(preset, known).get("kind", ""))


def presets() -> list[str]:
    """The names of the shipped presets, sorted."""
    folder = _preset_folder()
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def _preset_folder() -> "Traversable":
    return resources.files("unskew") / "presets"


def _read_preset(preset: str, known: Iterable[str] | None = None) -> dict[str, Any]:
    shipped = presets()
    if preset in shipped:
        return read(_preset_folder() / f"{preset}.yaml", preset)
    names = shipped if known is None else list(known)
    hint = f"presets: {', '.join(names)}; or the path of a YAML file"
    # os.path says no, and does not raise, where a name is none that a file could have.
    if os.path.isdir(preset):
        raise UserError("this is a folder, and no preset", preset, hint)
    if preset.endswith((".yaml", ".yml")) or "/" in preset:
        if not Path(preset).is_file():
            raise UserError("there is no such file", preset, hint)
        return read(Path(preset), preset)
    if os.path.isfile(preset):
        hint = f"a path has a / in it or ends in .yaml, as in: ./{preset}"
        raise UserError("this is a file, and no name of a preset", preset, hint)
    raise UserError(f"there is no preset {preset!r}{nearest(preset, names)}", hint=hint)


def read(file: "Traversable", name: str, noun: str = "a preset") -> dict[str, Any]:
    """The group of settings in a YAML file. Raises UserError where it is none; `noun` is what the
    file should be."""
    try:
        doc = parse_yaml(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"not valid YAML: {error}", name) from None
    if doc is None:
        raise UserError("the file is empty", name)
    if not isinstance(doc, dict):
        raise UserError(f"{noun} is a group of `key: value` lines", name)
    return doc


def _parse(overrides: Sequence[str]) -> list[tuple[tuple[str, ...], Any]]:
    """Overrides as (path, value); changes of `kind` first, outermost first."""
    changes: dict[tuple[str, ...], Any] = {}
    for text in overrides:
        key, equals, written = text.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(path):
            meant = ".".join(filter(None, path))
            hint = f"as in: {meant}=VALUE" if meant else None
            raise UserError("an override is written key=value", text, hint)
        try:
            value = parse_yaml(written)
        except ValueError as error:
            raise UserError(f"the value is not valid YAML: {error}", text) from None
        for other in changes:
            if path == other:
                raise UserError("this key is set twice", key, "keep one of the two")
            shorter, longer = sorted((path, other), key=len)
            if longer[: len(shorter)] == shorter:
                group = value if shorter == path else changes[other]
                raise UserError(
                    f"{'.'.join(shorter)} and {'.'.join(longer)} are both set, one in the other",
                    hint=_apart(".".join(shorter), ".".join(longer), group),
                )
        changes[path] = value
    return sorted(changes.items(), key=lambda item: (item[0][-1] != "kind", len(item[0])))


def _apart(shorter: str, longer: str, group: Any) -> str:
    """How to set a group and a key in it. Not in one group: what that leaves out may be another
    default than what stands there now."""
    if not isinstance(group, Mapping):
        return "keep one of the two"
    keys = [f"{shorter}.{key}=..." for key in group]
    return f"name each key by its path: {' '.join(dict.fromkeys([*keys, f'{longer}=...']))}"


def _apply(
    doc: dict[str, Any],
    defaults: Any,
    path: tuple[str, ...],
    value: Any,
    schema: "TypeAdapter[Any]",
) -> None:
    """Set `path` in `doc`, filling groups that `doc` leaves out from `defaults`, or, where these
    know of none (the kind has been changed), from `schema`."""
    node, default = doc, defaults
    for depth, key in enumerate(path[:-1], start=1):
        default = default.get(key) if isinstance(default, Mapping) else None
        if node.get(key) is None:
            fill = default
            if fill is None:
                fill = default_at(path[:depth], doc, schema.json_schema())
            # A copy through JSON: defaults are JSON data already.
            node[key] = json.loads(json.dumps(fill)) if fill is not None else {}
        inner = node[key]
        if not isinstance(inner, dict):
            where = ".".join(path[:depth])
            shown = json.dumps(inner)
            if isinstance(inner, list):
                raise UserError(
                    f"a list, not a group: it has no key {path[depth]!r}",
                    where,
                    f"give the whole list: {where}={shown}",
                )
            raise UserError(
                f"a value ({shown}), not a group: it has no key {path[depth]!r}",
                where,
                f"give the value itself, as in {where}={shown}",
            )
        node = inner
    if path[-1] == "kind":
        default = default if isinstance(default, dict) else {}
        if node.get("kind", default.get("kind")) != value:
            node.clear()
            default.clear()  # the other kind's, and none of this one's
    node[path[-1]] = value


def _validate(schema: "TypeAdapter[T]", doc: Mapping[str, Any]) -> T:
    # Strict, and by way of JSON: there lists may become tuples, but a word never a number.
    return schema.validate_json(json.dumps(doc), strict=True)


def parse_yaml(text: str) -> Any:
    """YAML as people mean it: 1e-3 is a number, `on` and `no` are words, a repeated key an error.

    PyYAML follows YAML 1.1, where 1e-3 is a string, `no` is false, 1:30 is ninety and a second
    `lr:` silently wins. A whole number may be written with an exponent: 1e3 is 1000.

    Raises:
        ValueError: not YAML, a repeated key, a tag, or what JSON cannot hold: a list in itself, a
            hundred groups in each other.
    """
    import yaml

    try:
        value = yaml.load(text, Loader=_loader())
        written = json.dumps(value)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    from_json(written)  # what it is validated as
    return value


def _loader() -> Any:
    import re

    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            if (tag := getattr(event, "tag", None)) is not None:
                # Dates, sets and bytes are nothing that a configuration can hold.
                raise yaml.MarkedYAMLError(
                    None, None, f"there are no tags here, got {tag}", event.start_mark
                )
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for i, key in enumerate(keys):
                if not isinstance(key, str):
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} is not a word", node.start_mark
                    )
                if key in keys[:i]:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} is given twice", node.start_mark
                    )
            return super().construct_mapping(node, deep)

    def number(loader: Any, node: Any) -> int | float:
        written = loader.construct_scalar(node)
        if re.fullmatch(r"[-+]?[0-9]+", written):
            return int(written)
        value = float(written.replace(".inf", "inf").replace(".nan", "nan"))
        whole = "." not in written and value.is_integer()
        return int(value) if whole else value

    Loader.yaml_implicit_resolvers = {}
    float_tag, null_tag, bool_tag = (f"tag:yaml.org,2002:{t}" for t in ("float", "null", "bool"))
    digits = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"
    Loader.add_implicit_resolver(float_tag, re.compile(rf"^(?:{digits})$"), list("-+.0123456789"))
    Loader.add_implicit_resolver(null_tag, re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
    Loader.add_implicit_resolver(bool_tag, re.compile(r"^(?:true|false)$"), list("tf"))
    Loader.add_constructor(float_tag, number)
    return Loader
