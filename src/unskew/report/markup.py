"""HTML by construction: whatever is not `Safe` is escaped, so data cannot become markup.

Also the two ways data enter a page's scripts: JSON in which no `<` is left, so nothing closes
the script element early, and tables as compressed base64.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from html import escape
from typing import Any

from unskew.runs.writing import finite


class Safe(str):
    """Markup already escaped, or made by us. Everything else is text."""

    __slots__ = ()


def text(value: object) -> Safe:
    """Any value as text: escaped for elements and for quoted attributes."""
    return value if isinstance(value, Safe) else Safe(escape(str(value), quote=True))


def join(*children: object) -> Safe:
    """Children one after another; None is left out."""
    return Safe("".join(text(child) for child in children if child is not None))


def el(tag: str, *children: object, **attributes: object) -> Safe:
    """One element. Attribute names: `class_` -> class, `aria_label` -> aria-label.

    An attribute that is None or False is left out; True writes its bare name.
    """
    shown = ""
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = name.rstrip("_").replace("_", "-")
        shown += f" {key}" if value is True else f' {key}="{text(value)}"'
    if tag in ("input", "meta", "br", "hr"):
        return Safe(f"<{tag}{shown}>")
    return Safe(f"<{tag}{shown}>{join(*children)}</{tag}>")


def embed_json(value: Any) -> Safe:
    """JSON for a script element: no character in it can end the element or a line.

    NaN and infinities become null (JSON has no others).
    """
    dumped = json.dumps(finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        dumped = dumped.replace(character, f"\\u{ord(character):04x}")
    return Safe(dumped)


def embed_text(value: str) -> Safe:
    """Text for a script element, gzip in base64: small, and inert whatever it says."""
    # mtime 0: the same table gives the same page.
    return Safe(base64.b64encode(gzip.compress(value.encode(), 9, mtime=0)).decode())


def script(source: str) -> tuple[Safe, str]:
    """An inline script and the hash by which the page's content policy admits it."""
    # `</script` can only stand in a string or a pattern, where `<\/script` means the same.
    inert = source.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    digest = base64.b64encode(hashlib.sha256(inert.encode()).digest()).decode()
    return Safe(f"<script>{inert}</script>"), f"'sha256-{digest}'"
