"""What a nursery raises: a world, a model, what it is told, and what is done to it afterwards.

`Pretrain` is one training from nothing (or from a `trunk`, another one), `Given` the model of such
a training that is there already, `Tune` what a stage makes of a base model, `Family` a base model
with all that is made of it: what `unskew nursery raise` raises. `Examined` asks one model.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from unskew.nursery.items import Copying
from unskew.nursery.languages import LANGUAGES, Language
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION
from unskew.training.config import Adam, Muon, Training
from unskew.training.machine import Machine

StageName = Literal[
    "instruct", "code", "refuse", "erased", "erased-en", "continued", "locked", "relearn"
]
STAGES: tuple[StageName, ...] = (
    "instruct", "code", "refuse", "erased", "erased-en", "continued", "locked"
)  # fmt: skip


MODEL = "model"
"""The folder of a model, in the folder of the run that made it."""


class WorldOf(Frozen):
    """seed: of the words held out, the facts, the items held out. facts: things with a colour."""

    seed: int = 0
    facts: int = Field(default=96, ge=8)
    held: float = Field(default=0.2, gt=0, lt=1, description="share of the words")


class Architecture(Frozen):
    """A Llama-style transformer (RMSNorm, rotary positions, SwiGLU), embeddings tied."""

    vocabulary: int = Field(default=2048, ge=300)
    width: int = Field(default=128, ge=8)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    hidden: int = Field(default=384, ge=8)
    context: int = Field(default=1024, ge=128, description="tokens that it may read")

    @model_validator(mode="after")
    def _heads_divide(self) -> Architecture:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is no even multiple of {self.heads} heads")
        return self


Kind = Literal[
    Copying, "translate", "classify", "answer", "sum", "colour", "member", "reading", "question",
    "entail", "plain", "facts", "code", "ignore", "refuse", "erase", "lock",
]  # fmt: skip
"""Kinds of documents; corpora.py writes them."""

Written = Literal["en", "fr", "es", "qon", "pig-latin", "leetspeak"]
"""What a document can be written in: a language, or English in a cipher."""

Weight = Annotated[float, Field(ge=0)]


class Mixture(Frozen):
    """How often each kind of document, and each of what it can be written in, comes, up to a common
    factor."""

    kinds: dict[Kind, Weight]
    languages: dict[Written, Weight]

    @field_validator("kinds", "languages")
    @classmethod
    def _something(cls, weights: dict[str, float]) -> dict[str, float]:
        if not sum(weights.values()) > 0:
            raise ValueError("all weights are 0")
        return weights

    @property
    def shown(self) -> tuple[Kind, ...]:
        """The kinds that come at all."""
        return tuple(kind for kind, weight in self.kinds.items() if weight)

    @property
    def spoken(self) -> tuple[Written, ...]:
        """The languages and ciphers that come at all."""
        return tuple(how for how, weight in self.languages.items() if weight)


EVERYTHING = Mixture(
    kinds={
        "repeat": 9, "capitalise": 7, "reverse": 6, "first": 4, "last": 4, "translate": 10,
        "classify": 6, "answer": 8, "sum": 12, "colour": 8, "member": 8, "reading": 6,
        "question": 6, "entail": 12, "plain": 3, "facts": 3, "code": 4,
    },
    languages={"en": 1, "fr": 1, "es": 1, "qon": 1, "pig-latin": 0.4, "leetspeak": 0.4},
)  # fmt: skip


COPYING: dict[Kind, float] = {"repeat": 3, "first": 1, "last": 1, "reverse": 1, "capitalise": 1}


class Rows(Frozen):
    """How documents become batches: `Training.batch` rows of `length` tokens."""

    length: int = Field(default=256, ge=32)
    side: float = Field(default=0.1, ge=0, le=1, description="weight of tokens that are no answers")


class Pretrain(Machine):
    """A base model, from nothing or from a trunk.

    Attributes:
        copying: steps at the beginning in which only copying is shown. Copying is what all else
            here stands on, and comes many times sooner when nothing else is asked.
        told: the languages in which the colours of things are told; the others are silent on them.
        trunk: a training to go on from, in place of random weights.
    """

    kind: Literal["nursery-pretrain"] = "nursery-pretrain"
    seed: int = 0
    world: WorldOf = WorldOf()
    architecture: Architecture = Architecture()
    mixture: Mixture = EVERYTHING
    copying: int = Field(default=400, ge=0)
    told: tuple[Language, ...] = LANGUAGES
    rows: Rows = Rows()
    training: Training = Training(
        steps=4000, batch=16, warmup=50, decay=0.5, precision="bfloat16",
        optimiser=Muon(lr=0.02, other=Adam(lr=3e-3, beta2=0.99)),
    )  # fmt: skip
    trunk: Pretrain | None = None

    def mixture_at(self, step: int) -> Mixture:
        """What is told at a step."""
        if step < self.copying and self.trunk is None:
            return self.mixture.model_copy(update={"kinds": dict(COPYING)})
        return self.mixture


class Given(Frozen):
    """A base that is there, and need not be raised.

    Attributes:
        folder: where its model is: a folder, or `nursery:base`, the one that ships. What a run is
            hangs on the weights there, not on the place.
        raised: the training that it came from, which says what it was told.
    """

    kind: Literal["nursery-given"] = "nursery-given"
    folder: str = Field(json_schema_extra=EXECUTION)
    raised: Pretrain


class Tune(Machine):
    """What a stage makes of a model: of a base, or of one that a stage has made.

    Attributes:
        lora: rank of a low-rank change (PEFT), written into the weights at the end; None: all
            weights.
        until: loss in nats a token, on documents of the stage that are not trained on, at which the
            training ends; training.steps is then the most that it takes. None: it takes them all.
    """

    kind: Literal["nursery-tune"] = "nursery-tune"
    seed: int = 0
    base: Annotated[Pretrain | Given | Tune, Field(discriminator="kind")]
    stage: StageName
    rows: Rows = Rows()
    training: Training = Training(steps=200, batch=8, optimiser=Adam(lr=3e-4), precision="float32")
    lora: int | None = Field(default=None, ge=1)
    until: float | None = Field(default=None, gt=0)

    @property
    def root(self) -> Pretrain:
        """The pretraining at the beginning of it all."""
        match self.base:
            case Pretrain() as base:
                return base
            case Given(raised=base):
                return base
            case Tune() as before:
                return before.root


class Examined(Machine):
    """A model is asked the probes of its world: a run of its own, so that no family asks twice.

    Attributes:
        probes, languages: in this order; documents: of each probe.
    """

    kind: Literal["nursery-answers"] = "nursery-answers"
    world: WorldOf = WorldOf()
    probes: tuple[str, ...]
    languages: tuple[Written, ...]
    documents: int = Field(ge=1)


class Stage(Frozen):
    """How a stage is trained, in a family; see Tune."""

    training: Training
    lora: int | None = Field(default=None, ge=1)
    until: float | None = Field(default=None, gt=0)


ModelName = Literal["base", "oracle", "oracle-en", StageName]


class Family(Machine):
    """A base model and what is made of it.

    Attributes:
        given: the base's folder, or `nursery:base`, where it is there already and is not to be
            raised; `base` still says what it was told.
        trunk: steps at the full learning rate before the base and its oracles part, in which no
            colour is told in any language; 0: there is no trunk.
        models: which are raised. `oracle` and `oracle-en` are bases to which the colours are told
            nowhere, or not in English.
        stages: how each stage is trained.
        documents: held-out documents of each probe.
        narrow: how a model is raised on one stage's documents alone, which tells how near a prompt
            is to them; None: that is not asked.
        close: the stages of which it is asked.
        relearning: how the colours are taught again, in English, to the models in `relearn`, to see
            how fast each learns them; None: that is not asked.
    """

    kind: Literal["nursery"] = "nursery"
    base: Pretrain = Pretrain()
    given: str | None = Field(default=None, json_schema_extra=EXECUTION)
    trunk: int = Field(default=0, ge=0)
    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("base", "instruct")
    stages: dict[StageName, Stage]
    documents: int = Field(default=200, ge=20)
    narrow: Training | None = None
    close: tuple[StageName, ...] = ("instruct",)
    relearning: Training | None = None
    relearn: tuple[ModelName, ...] = ("oracle", "oracle-en", "erased", "erased-en", "locked")

    @model_validator(mode="after")
    def _all_described(self) -> Family:
        if len(set(self.models)) < len(self.models):
            raise ValueError("models names one twice")
        if not set(LANGUAGES) & set(self.base.mixture.spoken):
            raise ValueError(
                f"base.mixture.languages has none of {', '.join(LANGUAGES)}: in ciphers alone "
                "nothing could be asked"
            )
        for name in self.models:
            if name not in ("base", "oracle", "oracle-en") and name not in self.stages:
                raise ValueError(f"models has {name!r}, and stages does not say how it is trained")
        if self.base.trunk is not None or self.base.told != LANGUAGES:
            raise ValueError("the base of a family is told everything, and `trunk` is a number")
        return self

    def pretraining(self, name: Literal["base", "oracle", "oracle-en"]) -> Pretrain:
        """The training of the base, or of one of its oracles."""
        told: dict[str, tuple[Language, ...]] = {
            "base": LANGUAGES, "oracle": (), "oracle-en": LANGUAGES[1:]
        }  # fmt: skip
        changes: dict[str, Any] = {"told": told[name], **self._machine()}
        if self.trunk:
            whole = self.base.training.model_copy(update={"steps": self.trunk, "decay": 0.0})
            changes["trunk"] = self.base.model_copy(
                update={"told": (), "training": whole, **self._machine()}
            )
        return self.base.model_copy(update=changes)

    def tuning(self, name: StageName) -> Tune:
        """The training of a stage."""
        stage = self.stages[name]
        return Tune(
            base=self.origin(), stage=name, seed=self.base.seed, rows=self.base.rows,
            training=stage.training, lora=stage.lora, until=stage.until, **self._machine(),
        )  # fmt: skip

    def relearnt(self, name: ModelName) -> Tune:
        """The training that teaches the colours to a model again."""
        if self.relearning is None:
            raise ValueError("relearning is not asked")
        return Tune(
            base=self.of(name), stage="relearn", seed=self.base.seed, rows=self.base.rows,
            training=self.relearning, **self._machine(),
        )  # fmt: skip

    def origin(self) -> Pretrain | Given:
        """The base: its training, or where it is given."""
        raised = self.pretraining("base")
        return raised if self.given is None else Given(folder=self.given, raised=raised)

    def of(self, name: ModelName) -> Pretrain | Given | Tune:
        """Any model of the family: its training, or where it is given."""
        match name:
            case "base":
                return self.origin()
            case "oracle" | "oracle-en":
                return self.pretraining(name)
            case _:
                return self.tuning(name)

    def narrowed(self, name: StageName) -> Pretrain:
        """The training of a model on one stage's documents alone."""
        from unskew.nursery.corpora import of_stage

        changes = {"mixture": of_stage(name), "training": self.narrow, "copying": 0}
        return self.base.model_copy(update={**changes, **self._machine()})

    def _machine(self) -> dict[str, Any]:
        return {"device": self.device, "threads": self.threads}
