"""Models whose answers are known: functions, and rules in a file that people can read.

    name: tuned
    seed: 1
    abilities: {copies: 0.8}
    rules:
      - when: 'Input: .*(?P<a>\\d+) plus (?P<b>\\d+).*\\nOutput:$'
        answer: '{a + b}'
      - when: '(?P<last>[^\\n]+)\\n[^\\n]+$'
        ability: copies
        answer: '{last|upper}'
        otherwise: 'I do not know.'
    default: ''

The first rule whose regular expression is found in the prompt answers (`.` does not match a
newline, `^` and `$` match at the ends of lines, `\\A` and `\\Z` at those of the prompt). Braces
hold a named group, a sum or difference of two, or one through `upper`, `lower`, `capitalise`,
`reverse`; `{{` is a brace. A rule with an `ability` answers on that share of prompts, always the
same ones, drawn from the seed; on the others it says `otherwise`, or without one is passed over.

For a scripted model a token is a word with the white space before it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from unskew.audit import folders, models
from unskew.audit.models import Answer, Prompt, Score
from unskew.errors import UserError
from unskew.runs import config as runs_config
from unskew.runs.config import Frozen
from unskew.runs.identity import canonical
from unskew.runs.mistakes import nearest

CHANGES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "capitalise": lambda text: text[:1].upper() + text[1:],
    "reverse": lambda text: text[::-1],
}


class Scripted:
    """A `Model` made of functions.

    Args:
        name: what the record says; two models that answer differently need different names.
        answer: prompt -> answer; stop strings and the budget are applied to it here.
        score: (context, continuation) -> `Score`; None: this model cannot score.
        window: in words, prompt and answer together.
        record: what else decides its answers.
    """

    batch = 256

    def __init__(
        self,
        name: str,
        answer: Callable[[str], str],
        score: Callable[[str, str], Score] | None = None,
        window: int | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self.record: Mapping[str, Any] = {"kind": "scripted", "name": name, **(record or {})}
        self.window = window
        self._answer, self._score = answer, score

    def generate(
        self,
        prompts: Sequence[Prompt],
        stop: Sequence[str],
        max_tokens: int,
        tell: Callable[[int, Answer], None] = models.untold,
    ) -> list[Answer]:
        """See `Model.generate`."""
        answers = []
        for i, prompt in enumerate(prompts):
            answers.append(_answer(self._answer(as_text(prompt)), stop, max_tokens))
            tell(i, answers[i])
        return answers

    def score(
        self,
        pairs: Sequence[tuple[Prompt, str]],
        tell: Callable[[int, Score], None] = models.untold,
    ) -> list[Score]:
        """See `Model.score`. Raises UserError where the script says no scores."""
        if self._score is None:
            raise UserError(
                "this scripted model has no scores",
                where=str(self.record["name"]),
                hint="give it a `confidence`, or use a task that generates its answer",
            )
        scores = []
        for i, (context, continuation) in enumerate(pairs):
            scores.append(self._score(as_text(context), continuation))
            tell(i, scores[i])
        return scores

    def length(self, prompt: Prompt) -> int:
        """Words of the prompt."""
        return len(as_text(prompt).split())

    def __repr__(self) -> str:
        return f"<scripted model {self.record['name']}>"


def as_text(prompt: Prompt) -> str:
    """A prompt as a scripted model reads it: of a chat the contents, one under the other."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(message["content"] for message in prompt)


def before_stop(text: str, stop: Sequence[str]) -> str:
    """`text` up to the first of the stop strings."""
    return text[: min((at for s in stop if s and (at := text.find(s)) >= 0), default=len(text))]


def _answer(text: str, stop: Sequence[str], max_tokens: int) -> Answer:
    # The budget is spent while the text is written, before any stop string is seen behind it.
    words = list(re.finditer(r"\S+", text))
    if len(words) > max_tokens:
        written = text[: words[max_tokens - 1].end()] if max_tokens > 0 else ""
        kept = before_stop(written, stop)
        return Answer(kept, len(kept) == len(written))
    return Answer(before_stop(text, stop), False)


class Rule(Frozen):
    """One rule of a script; see the module's first lines."""

    when: str
    answer: str
    ability: str | None = None
    otherwise: str | None = None


class Script(Frozen):
    """A scripted model as a file says it.

    Attributes:
        abilities: name -> the share of prompts on which rules that name it hold.
        by: the named group that an ability is drawn by where a rule has it, so that two prompts
            with one such text fare alike; None: the whole prompt.
        default: the answer where no rule is found.
        confidence: the probability of the answer as a continuation, and one minus it of each
            other; None: it cannot score.
    """

    name: str
    seed: int = 0
    abilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    by: str | None = None
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    default: str = ""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None


def load(reference: models.Scripted) -> Scripted:
    """The model of a script. Raises UserError: no such file, or a mistake in it, with its path."""
    where = reference.file
    doc = runs_config.read(find(where), where, "a script")
    script = runs_config.resolve(doc, [], TypeAdapter(Script), where)
    return scripted(script, where)


def find(file: str) -> Any:
    """The path of a script: a file, or by a bare name one that comes with the package.

    Raises: UserError for neither.
    """
    path = folders.expanded(file)
    if folders.there(file) and path.is_file():
        return path
    folder = resources.files("unskew.audit") / "examples"
    shipped = sorted(e.name.removesuffix(".yaml") for e in folder.iterdir())
    if file in shipped:
        return folder / f"{file}.yaml"
    named = f"scripted:{file if file.isprintable() else repr(file)}"
    hint = f"give the path of a YAML file, or one that we ship: {', '.join(shipped)}"
    if file and folders.there(file) and path.is_dir():
        raise UserError("this is a folder, and no script", named, hint)
    beside = path.parent
    siblings = [p.name for p in beside.iterdir()] if folders.there(str(beside)) else []
    near = nearest(path.name, [*siblings, *shipped])
    raise UserError(f"there is no such script{near}", named, hint)


def scripted(script: Script, where: str = "script") -> Scripted:
    """The model that a script describes.

    Raises:
        UserError: a regular expression, a group, an ability or a brace that is wrong.
    """
    rules = [_compiled(rule, script, f"{where}: rules.{i}") for i, rule in enumerate(script.rules)]

    def answer(prompt: str) -> str:
        for rule, pattern in zip(script.rules, rules, strict=True):
            if (match := pattern.search(prompt)) is None:
                continue
            if rule.ability is None or _able(script, rule.ability, prompt, match):
                return _filled(rule.answer, match)
            if rule.otherwise is not None:
                return _filled(rule.otherwise, match)
        return script.default

    def score(context: str, continuation: str) -> Score:
        confidence = script.confidence or 0.5
        same = continuation.strip() == answer(context).strip()
        return Score(math.log(confidence if same else 1.0 - confidence), same)

    digest = hashlib.sha256(canonical(script.model_dump(mode="json")).encode()).hexdigest()
    return Scripted(
        script.name,
        answer,
        None if script.confidence is None else score,
        record={"script": digest},
    )


def _able(script: Script, ability: str, prompt: str, match: re.Match[str]) -> bool:
    """Whether the ability holds here: a pure function of the seed, the ability and the text."""
    text = match.groupdict().get(script.by or "") or prompt
    key = canonical([script.seed, ability, text]).encode()
    draw = int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2.0**64
    return draw < script.abilities[ability]


BRACES = re.compile(
    r"\{\{|\}\}|\{(?P<a>\w+)(?:\s*(?P<sign>[+-])\s*(?P<b>\w+))?(?:\|(?P<to>\w+))?\}"
)


def _filled(template: str, match: re.Match[str]) -> str:
    groups = {name: text or "" for name, text in match.groupdict().items()}

    def fill(brace: re.Match[str]) -> str:
        if brace["a"] is None:
            return brace[0][0]
        text = groups[brace["a"]]
        if brace["sign"] is not None:
            b = _number(groups[brace["b"]], brace[0])
            text = str(_number(text, brace[0]) + (b if brace["sign"] == "+" else -b))
        return text if brace["to"] is None else CHANGES[brace["to"]](text)

    return BRACES.sub(fill, template)


def _number(text: str, where: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text):
        raise UserError(f"not a whole number: {text!r}", where, r"let the group match \d+ only")
    return int(text)


def _compiled(rule: Rule, script: Script, where: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(rule.when, re.MULTILINE)
    except re.error as error:
        raise UserError(f"not a regular expression: {error}", f"{where}.when") from None
    if rule.ability is not None and rule.ability not in script.abilities:
        near = nearest(rule.ability, script.abilities)
        hint = "name it under abilities, with the share of prompts on which it holds"
        raise UserError(f"unknown ability {rule.ability!r}{near}", f"{where}.ability", hint)
    if rule.otherwise is not None and rule.ability is None:
        raise UserError("a rule without an ability always answers", f"{where}.otherwise")
    groups = pattern.groupindex
    for key, text in (("answer", rule.answer), ("otherwise", rule.otherwise or "")):
        for brace in BRACES.finditer(text):
            for name in filter(None, (brace["a"], brace["b"])):
                if name not in groups:
                    known = ", ".join(groups) or "none"
                    what = f"no group {name!r} in `when` (groups: {known}){nearest(name, groups)}"
                    raise UserError(what, f"{where}.{key}")
            if brace["to"] is not None and brace["to"] not in CHANGES:
                what = f"unknown change {brace['to']!r}{nearest(brace['to'], CHANGES)}"
                raise UserError(what, f"{where}.{key}", f"there are: {', '.join(CHANGES)}")
        if re.search(r"[{}]", BRACES.sub("", text)):
            hint = "write a brace twice, or {group}, {a + b}, {group|upper}"
            raise UserError(f"a brace that is not understood in {text!r}", f"{where}.{key}", hint)
    return pattern
