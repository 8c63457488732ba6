"""What a grid is: subjects, attacks and defences, and the questions that they are tried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from unskew.errors import UserError
from unskew.purple.attacks import Conjugate, Nothing, Transfer
from unskew.purple.config import Enforce
from unskew.purple.defences import AnyDefence, Asked, Paraphrase, Perplexity, Synonyms, Undefended
from unskew.purple.gcg import Gcg
from unskew.purple.grid_attacks import AnyGridAttack, Given
from unskew.purple.grid_attacks import label as attack_label
from unskew.purple.questions import AnyQuestions
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION
from unskew.runs.mistakes import nearest
from unskew.training.machine import Machine

__all__ = ["AnySubject", "Model", "Purple", "Rule", "Rules", "Taught", "labels"]


class Model(Frozen):
    """A language model as it is.

    Attributes:
        name: what it is called.
        model: a folder, `nursery:NAME`, or an id of the hub in the local cache.
        enforcement: what it was taught by, where that is known; claims are about `dpo`.
        system: a system prompt, where its chat template has a place for one.
    """

    kind: Literal["model"] = "model"
    name: str = Field(min_length=1)
    model: str
    enforcement: Literal["none", "sft", "dpo", "adversarial", "unlearned"] = "none"
    system: str = ""


class Taught(Frozen):
    """A model that is taught first, in a run of its own.

    Attributes:
        base: what is taught; named as in Model.
        search, suffixes, prompts: of adversarial training: how suffixes are searched, how many in
            each round, and on how many questions each.
    """

    kind: Literal["taught"] = "taught"
    name: str = Field(min_length=1)
    base: str
    enforce: Enforce = Enforce()
    search: Gcg = Gcg()
    suffixes: int = Field(default=4, ge=1)
    prompts: int = Field(default=5, ge=1)

    @property
    def enforcement(self) -> str:
        return self.enforce.method.kind


class Rule(Frozen):
    """The answer to a prompt that has this text in it."""

    has: str
    says: str


class Rules(Frozen):
    """No model: the first rule that fits a prompt answers. A black box."""

    kind: Literal["rules"] = "rules"
    name: str = Field(min_length=1)
    rules: tuple[Rule, ...] = ()
    otherwise: str = "I cannot answer that."
    enforcement: Literal["none", "sft", "dpo", "adversarial", "unlearned"] = "none"


AnySubject = Annotated[Model | Taught | Rules, Field(discriminator="kind")]


class Purple(Machine):
    """A grid of subjects by attacks by defences.

    The questions as they are, and no defence, are always among them: all else is compared to them.

    Attributes:
        limit: tokens of an answer.
        level: of the intervals. resamples: draws behind each.
        examples: questions per cell that are kept as examples.
        where: the folder of each model that is named, where it is not its name.
    """

    kind: Literal["purple"] = "purple"
    questions: AnyQuestions
    subjects: tuple[AnySubject, ...] = Field(min_length=1)
    attacks: tuple[AnyGridAttack, ...] = ()
    defences: tuple[AnyDefence, ...] = ()
    limit: int = Field(default=24, ge=1)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=4000, ge=1000)
    seed: int = 0
    examples: int = Field(default=2, ge=0)
    where: dict[str, str] = Field(default_factory=dict, json_schema_extra=EXECUTION)

    @model_validator(mode="after")
    def _sound(self) -> Purple:
        names = [subject.name for subject in self.subjects]
        if len(set(names)) < len(names):
            raise ValueError("subjects: two have the same name")
        return self

    def named(self, name: str) -> AnySubject:
        """The subject of that name.

        Raises: UserError: there is none.
        """
        known = {subject.name: subject for subject in self.subjects}
        if name not in known:
            hint = f"the grid's subjects: {', '.join(known)}"
            raise UserError(f"no subject of this grid{nearest(name, known)}", name, hint)
        return known[name]

    def row(self, subject: AnySubject) -> Purple:
        """The grid of one of the subjects."""
        return self.model_copy(update={"subjects": (subject,)})

    def all_attacks(self) -> tuple[AnyGridAttack, ...]:
        """The attacks, none first."""
        return (Nothing(), *(a for a in self.attacks if not isinstance(a, Nothing)))

    def all_defences(self) -> tuple[AnyDefence, ...]:
        """The defences, none first."""
        return (Undefended(), *(d for d in self.defences if not isinstance(d, Undefended)))

    def models(self) -> list[str]:
        """The names of all models that are opened, each once."""
        return list(dict.fromkeys(self._models()))

    def folder(self, name: str) -> str | Path:
        """Where a model lies."""
        return self.where.get(name, name)

    def files(self) -> list[str]:
        """The files of suffixes that are read."""
        return [attack.suffixes for attack in self.attacks if isinstance(attack, Given)]

    def conjugations(self) -> list[str]:
        """The conjugations that questions are sent in, books and translations among them."""
        return [attack.conjugation for attack in self.attacks if isinstance(attack, Conjugate)]

    def _models(self) -> Iterator[str]:
        for subject in self.subjects:
            match subject:
                case Model(model=name) | Taught(base=name):
                    yield name
        for attack in self.attacks:
            if isinstance(attack, Transfer):
                yield attack.source
        for defence in self.defences:
            match defence:
                case Perplexity(source=str(name)) | Paraphrase(by=Asked(source=str(name))):
                    yield name


def labels(kinds: Sequence[Any]) -> list[str]:
    """Names of attacks, or of defences, each different."""
    found: list[str] = []
    for one in kinds:
        name = _defence(one) if hasattr(one, "around") else attack_label(one)
        same = sum(other == name or other.startswith(f"{name} #") for other in found)
        found.append(f"{name} #{same + 1}" if same else name)
    return found


def _defence(defence: AnyDefence) -> str:
    match defence:
        case Perplexity(window=window):
            return "perplexity" if window is None else "windowed perplexity"
        case Paraphrase(by=Synonyms()):
            return "synonyms"
        case Paraphrase(by=Asked()):
            return "paraphrase"
        case Paraphrase():
            return "repetition"
        case _:
            return defence.kind
