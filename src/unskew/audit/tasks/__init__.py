"""Tasks that ship: YAML for lm-evaluation-harness, their data and their judges.

    lm_eval --include_path <this folder> --tasks unskew_icl_en ...

icl: in-context learning against instruction following; nli: reasoning; refusal: answers and
refusals. Each module says what its tasks are, and gives its phrases for a phrase book.
"""

from __future__ import annotations

from pathlib import Path

from unskew.errors import UserError

__all__ = ["TASKS", "phrases"]

TASKS = Path(__file__).parent
"""The folder for `TaskManager(include_path=...)`."""


def phrases(source: str, target: str) -> list[tuple[str, str]]:
    """Every parallel phrase of the shipped tasks, each pair once: enough for a phrase book to
    translate whole prompts and the answers they expect.

    Raises: UserError where no task has both languages.
    """
    from unskew.audit.tasks import icl, nli, refusal

    pairs = [pair for module in (icl, nli, refusal) for pair in module.phrases(source, target)]
    if not pairs:
        raise UserError(
            f"the shipped tasks have no phrases in both {source!r} and {target!r}",
            hint="there are en, fr, es, nl and hu for unskew_icl and unskew_refusal; "
            "en, fr, es and de for unskew_nli",
        )
    return list(dict.fromkeys(pairs))
