"""Validation errors in the user's words: the dotted path of the key, and what is allowed there.

Paths are followed through the JSON schema of the configuration, so that the tags pydantic adds for
unions (`prior.mixture.alpha`) are left out and the keys and values allowed at a place are known.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from unskew.errors import UserError

Schema = Mapping[str, Any]

GROUP, LIST = "should be a group of settings", "should be a list"
SAID = {
    "model_type": GROUP, "model_attributes_type": GROUP, "dict_type": GROUP,
    "tuple_type": LIST, "list_type": LIST,
}  # fmt: skip
"""pydantic's words are those of JSON (an object, an array), and a preset is YAML."""


class Place(NamedTuple):
    """Where an error is: its dotted path, the schema of the group around it, and of itself."""

    path: str
    group: Schema | None
    schema: Schema | None


def nearest(word: str, words: Iterable[str]) -> str:
    """ "; did you mean 'x'?" or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def default_at(path: tuple[str, ...], doc: Any, schema: Schema) -> Any:
    """What a key that `doc` does not give is by default, in the kinds that `doc` chooses around it;
    None where the schema does not say."""
    place = _locate(path, doc, schema)
    properties = place.group.get("properties", {}) if place.group else {}
    return properties.get(path[-1], {}).get("default")


def report(error: ValidationError, doc: Any, schema: Schema, source: str) -> UserError:
    """One `UserError` that names every mistake in `doc`, each with its path."""
    root = schema
    lines = []
    for item in error.errors(include_url=False):
        place = _locate(item["loc"], doc, root)
        what = _explain(item, place, doc, root)
        lines.append(f"{place.path}: {what}" if place.path else what)
    if len(lines) == 1:
        return UserError(lines[0], hint=f"in the configuration of {source}")
    listed = "".join(f"\n  {line}" for line in lines)
    return UserError(f"{len(lines)} mistakes:{listed}", hint=f"in the configuration of {source}")


def _explain(item: Any, place: Place, doc: Any, root: Schema) -> str:
    given, context = item["input"], item.get("ctx", {})
    match item["type"]:
        case "extra_forbidden":
            name = place.path.rpartition(".")[2]
            keys = sorted(place.group.get("properties", {})) if place.group else []
            inside = [path for path in _paths(root, doc, root) if path.endswith(f".{name}")]
            if inside:
                return f"unknown key; did you mean {' or '.join(inside)}?"
            return f"unknown key{nearest(name, keys)} (allowed: {', '.join(keys)})"
        case "missing":
            return "required, but not given"
        case "union_tag_not_found":
            return f"needs a kind: {', '.join(_kinds(place.schema, root)) or 'one of the allowed'}"
        case "union_tag_invalid":
            tag, kinds = str(context["tag"]), _kinds(place.schema, root)
            allowed = ", ".join(kinds) or context["expected_tags"]
            return f"there is no kind {tag!r}{nearest(tag, kinds)} (allowed: {allowed})"
        case "literal_error" | "enum":
            values = _values(place.schema)
            guess = nearest(given, values) if isinstance(given, str) else ""
            return f"{_shown(given)} is not allowed{guess} (allowed: {context['expected']})"
        case "value_error" | "assertion_error":
            return str(context["error"])
        case "string_pattern_mismatch" if place.path.rpartition(".")[2] == "device":
            names = re.findall("[a-z]+", context["pattern"])
            return f"should be {', '.join(names)} or cuda:1, got {_shown(given)}"
        case error:
            message = item["msg"].removeprefix("Input ")
            said = SAID.get(error, f"{message[:1].lower()}{message[1:]}")
            return f"{said}, got {_shown(given)}"


def _locate(loc: tuple[int | str, ...], doc: Any, root: Schema) -> Place:
    """Follow pydantic's location through schema and document, dropping the union tags in it."""
    path, group, node = "", None, _resolve(root, doc, root)
    for step in loc:
        properties = node.get("properties", {}) if node else {}
        if isinstance(step, int):
            inner = _items(node, step)
            path += f"[{step}]"
        elif step in _tags(group, node, root) and step not in properties:
            continue
        elif node and (member := node.get("discriminator", {}).get("mapping", {}).get(step)):
            # A kind that the document leaves to the default.
            node = _resolve({"$ref": member}, doc, root)
            continue
        else:
            inner = properties.get(step) or (node or {}).get("additionalProperties") or None
            path += f".{step}" if path else step
        group = node
        doc = _inside(doc, step)
        node = _resolve(inner, doc, root) if isinstance(inner, Mapping) else None
    return Place(path, group, node)


def _tags(group: Schema | None, node: Schema | None, root: Schema) -> list[str]:
    """Words pydantic may put into a location at this place that are not keys."""
    if node is None:
        return []
    kind = node.get("properties", {}).get("kind", {})
    titles = [node.get("title", "")]
    return [str(kind.get("const", "")), *_values(kind), *titles]


def _resolve(schema: Schema, doc: Any, root: Schema) -> Schema:
    """References followed, and of a union the member that `doc` chooses, if that can be told."""
    while True:
        if "$ref" in schema:
            schema = root.get("$defs", {})[schema["$ref"].rpartition("/")[2]]
        elif "discriminator" in schema:
            mapping = schema["discriminator"]["mapping"]
            kind = doc.get("kind") if isinstance(doc, Mapping) else None
            if not isinstance(kind, str) or kind not in mapping:
                return schema
            schema = {"$ref": mapping[kind]}
        elif "anyOf" in schema and (member := _only(schema["anyOf"], doc, root)):
            schema = member
        else:
            return schema


def _only(members: list[Schema], doc: Any, root: Schema) -> Schema | None:
    """Of `X | None` and the like, the one member that a group or a list can be."""
    real = [member for member in members if member.get("type") != "null"]
    if len(real) == 1:
        return real[0]
    kinds = {"object": Mapping, "array": list}
    fitting = [m for m in real if isinstance(doc, kinds.get(_type(m, root), ()))]
    return fitting[0] if len(fitting) == 1 else None


def _type(schema: Schema, root: Schema) -> str:
    if "$ref" in schema or "discriminator" in schema or "oneOf" in schema:
        return "object"
    return str(schema.get("type", ""))


def _items(node: Schema | None, index: int) -> Any:
    if node is None:
        return None
    fixed = node.get("prefixItems", [])
    return fixed[index] if index < len(fixed) else node.get("items")


def _inside(doc: Any, step: int | str) -> Any:
    match doc, step:
        case Mapping(), str():
            return doc.get(step)
        case list(), int() if step < len(doc):
            return doc[step]
        case _:
            return None


def _kinds(schema: Schema | None, root: Schema) -> list[str]:
    if schema is None:
        return []
    return sorted(schema.get("discriminator", {}).get("mapping", {}))


def _values(schema: Schema | None) -> list[str]:
    return [str(value) for value in (schema or {}).get("enum", [])]


def _paths(
    schema: Schema, doc: Any, root: Schema, before: str = "", depth: int = 8
) -> Iterator[str]:
    """The dotted paths of every key the document could have, as far as its kinds are decided."""
    if depth == 0:
        return
    node = _resolve(schema, doc, root)
    for name, inner in node.get("properties", {}).items():
        path = f"{before}{name}"
        yield path
        # Where the document says nothing, the schema's own default chooses the kind.
        inside = _inside(doc, name) if _inside(doc, name) is not None else inner.get("default")
        yield from _paths(inner, inside, root, f"{path}.", depth - 1)


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
