"""The tasks that ship, for people: names and what they are, read from their YAML files."""

from __future__ import annotations

from typing import Any, NamedTuple

from unskew.audit.tasks import TASKS

FAMILIES = {
    "unskew_icl_repeat": "two exemplars of repeating, then a question: which is answered?",
    "unskew_icl_capitalise": "two exemplars of capitalising, then a question: which is answered?",
    "unskew_nli_choice": "entailment, scored by the likelihood of its three labels",
    "unskew_nli": "premise, question, True, False or Neither?, answered in words",
    "unskew_xnli": "the same on facebook/xnli; needs the hub",
    "unskew_refusal": "benign instructions: answered, refused, or neither; _file: your own JSONL",
}


class Shipped(NamedTuple):
    """A task: its name, the tags that name it with others, and what it is."""

    name: str
    tags: tuple[str, ...]
    about: str


def shipped() -> list[Shipped]:
    """Our tasks, in order of their names."""
    found = []
    for path in sorted(TASKS.glob("*-tasks/*.yaml")):
        task = parsed(path.read_text(encoding="utf-8"))
        name = str(task["task"])
        tags = task.get("tag") or ()
        about = next(text for start, text in FAMILIES.items() if name.startswith(start))
        found.append(Shipped(name, (tags,) if isinstance(tags, str) else tuple(tags), about))
    return sorted(found)


def parsed(text: str) -> Any:
    """A task's YAML without the harness's tags (!function), which name code."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    return yaml.load(text, Loader=Loader)
