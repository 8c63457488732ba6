"""How the pages of docs/ become a site: `make docs`, where warnings are errors.

The built pages load nothing from a network: the theme brings its own styles, formulas become MathML
while building, and no other project's index is asked. The reference is what the docstrings say.
"""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import unskew

project = "unskew"
author = copyright = "unskew contributors"
version = release = unskew.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}

# Formulas stand between dollars or in ```math blocks, as hosts of repositories show them, too.
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3
highlight_language = "none"  # commands and what they print
suppress_warnings = ["ref.python"]  # two rooms may have a class of one name

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "literal"  # docstrings write `code` between single backticks

html_theme = "furo"
html_title = "unskew"
html_copy_source = False
html_show_copyright = html_show_sphinx = False
html_math_renderer = "mathml"

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
COLUMNS = re.compile(r"\S {3,}\S")
# A star with a word behind and no other to close it: no emphasis, though it would begin one.
STAR = re.compile(r"`[^`]*`|(?<![\w*\\])\*(?![\s*])(?![^*]*[^\s*]\*(?!\w))")


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    app.connect("autodoc-process-docstring", keep_as_written, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip)


def inline_formula(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_formula(writer: Any, node: nodes.math_block) -> None:
    formula = tex2mathml(node.astext(), as_block=True)
    writer.body.append(f'<div style="margin: 1em 0; overflow-x: auto">{formula}</div>\n')
    raise nodes.SkipNode


def keep_as_written(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Equations, code and columns of a docstring stay as they are written; a configuration has its
    fields added."""
    # Without a line before it (a comment shows nothing), napoleon would take what a sentence has
    # before its colon for an attribute's type.
    first = ["..", ""] if what in ("attribute", "data", "property") and any(lines) else []
    lines[:] = [*first, *literal("\n".join(lines)).splitlines(), *fields(thing), ""]


def fields(thing: Any) -> list[str]:
    """The section of what a configuration's fields say of themselves."""
    found = getattr(thing, "model_fields", {}) if isinstance(thing, type) else {}
    said = [f"    {name}: {one.description}" for name, one in found.items() if one.description]
    return ["", "Attributes:", *said] if said else []


def literal(docstring: str) -> str:
    """The docstring with its indented and lined-up paragraphs marked as literal blocks; those of a
    section (Args, ...) are left to napoleon."""
    marked, in_section = [], False
    for block in re.split(r"\n(?:[ \t]*\n)+", docstring.strip("\n")):
        indented = block.startswith(" ")
        in_section = bool(SECTION.match(block.partition("\n")[0])) or (in_section and indented)
        if not in_section and (indented or COLUMNS.search(block)):
            before = marked.pop() if marked and marked[-1].startswith("::\n") else "::"
            marked.append(before + "\n\n" + "\n".join(f"   {line}" for line in block.splitlines()))
        else:
            marked.append(STAR.sub(lambda m: r"\*" if m[0] == "*" else m[0], block))
    return "\n\n".join(marked)


def skip(app: Any, what: str, name: str, thing: Any, skipped: bool, options: Any) -> bool | None:
    """Leaves out the fields of a NamedTuple, which its own docstring says, and pydantic's own."""
    field = (thing.__doc__ or "").startswith("Alias for field number")
    return True if field or name == "model_config" else None
