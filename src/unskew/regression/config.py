"""What can be run in the regression laboratory. Each class is one kind of run.

Pretrain     a transformer trained from nothing on one prior
Finetune     a pretrained one trained on another prior, plainly or with a protection
Comparisons  the fine-tunings that the main one is compared with; keeps tables, not weights
Study        base, fine-tuning and experiments 1 to 5: what `unskew run demo` runs
Replications one study over several training seeds
Watched      a `Pretrain` whose distance to ridge is measured on the way
Diversity    experiment 6, Length experiment 7, Protection experiment 8

A study names the world once (d, n, alpha, sigma, ...) and derives the other runs from it, so that
one `key=value` changes all of them alike.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from unskew.regression.priors import Continuous, Discrete, Mixture, Prior
from unskew.regression.prompts import GeneratorKind
from unskew.regression.protections import PLAIN, Anchor, LowRank, Protection, Replay
from unskew.regression.transformer import Positions, TransformerConfig
from unskew.runs.config import Frozen
from unskew.training.config import Adam, Training, completed_by
from unskew.training.machine import Machine

Seed = Annotated[int, Field(ge=0, lt=2**62)]
"""Other tasks and other prompts have seeds a little above it, and all lie below 2^63."""
AGAIN = 1000
"""Fine-tuning seeds of one training seed, at most."""


class Pretrain(Machine):
    """Train a transformer on prompts whose weights come from `prior`."""

    kind: Literal["regression-pretrain"] = "regression-pretrain"
    d: int = Field(default=3, ge=1, description="dimension of inputs and weights")
    exemplars: int = Field(default=12, ge=1, description="largest number of exemplars in a prompt")
    sigma: float = Field(default=0.5, gt=0, description="standard deviation of the label noise")
    prior: Prior = Mixture()
    model: TransformerConfig = TransformerConfig()
    training: Training = Training()
    seed: Seed = 0
    generator: GeneratorKind = "philox-numpy"

    @model_validator(mode="after")
    def _fits(self) -> "Pretrain":
        self.model.check_room(self.exemplars)
        return self


Share = Annotated[float, Field(gt=0, lt=1)]
FINETUNING = Training(steps=400, batch=128, optimiser=Adam(lr=3e-4), decay=1.0)
Finetuning = Annotated[Training, completed_by(FINETUNING)]


class Finetune(Machine):
    """Train the model of a `Pretrain` run on prompts from `prior`."""

    kind: Literal["regression-finetune"] = "regression-finetune"
    base: Pretrain
    prior: Prior
    training: Finetuning = FINETUNING
    protection: Protection = PLAIN
    seed: Seed = 0
    trajectory: tuple[int, ...] = Field(
        default=(25, 50, 100, 200),
        description="steps after which both risks are measured, besides the end",
    )

    @model_validator(mode="after")
    def _of_a_mixture(self) -> "Finetune":
        if not isinstance(self.base.prior, Mixture):
            raise ValueError(
                f"base.prior is {self.base.prior.kind}: what fine-tuning takes is measured on the "
                "two families of a mixture"
            )
        return self


class Measurement(Frozen):
    """On which prompts models are measured."""

    prompts: int = Field(default=8192, ge=64, description="from each of D_cont and D_disc")
    seed: Seed = 0


class Evaluation(Measurement):
    """On what and how a study's models are measured."""

    gammas: tuple[float, ...] = Field(
        default=(-1.0, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
        description="label scalings; must hold 1",
    )
    floor: float = Field(default=0.4, ge=0, le=1, description="recovery that claim 5 asks for")
    margin: float = Field(default=0.1, ge=0, le=1, description="recovery that counts as nothing")

    @model_validator(mode="after")
    def _check(self) -> "Evaluation":
        if 1.0 not in self.gammas or 0.0 in self.gammas:
            raise ValueError("gammas must hold 1 (the plain prompt) and cannot hold 0")
        if max(self.gammas) <= 1:
            raise ValueError("gammas must hold one above 1: that is conjugate prompting")
        if len(set(self.gammas)) != len(self.gammas):
            raise ValueError("gammas must differ from each other")
        return self


class Setting(Machine):
    """What every training of an experiment shares: the regression problem and the model."""

    d: int = Field(default=3, ge=1, description="dimension of inputs and weights")
    sigma: float = Field(default=0.5, gt=0, description="standard deviation of the label noise")
    tau: float = Field(default=1.0, gt=0, description="standard deviation of the weights")
    exemplars: int = Field(default=12, ge=1, description="largest number of exemplars in a prompt")
    seed: Seed = Field(default=0, description="of tasks, weights and training prompts")
    generator: GeneratorKind = "philox-numpy"
    model: TransformerConfig = TransformerConfig()
    pretraining: Training = Training()

    @model_validator(mode="after")
    def _has_room(self) -> "Setting":
        self.model.check_room(self.exemplars)
        return self

    def pretrain_on(self, prior: Prior) -> Pretrain:
        """The pretraining run on any prior."""
        return Pretrain(
            d=self.d,
            exemplars=self.exemplars,
            sigma=self.sigma,
            prior=prior,
            model=self.model,
            training=self.pretraining,
            seed=self.seed,
            generator=self.generator,
            device=self.device,
            threads=self.threads,
        )


class World(Setting):
    """The setting of every study of fine-tuning: two families of tasks and a model."""

    n: int = Field(default=4, ge=1, description="number of tasks in the discrete family")
    alpha: float = Field(
        default=0.5, ge=0, le=1, description="share of discrete tasks in pretraining"
    )
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _fits(self) -> "World":
        if self.d > self.exemplars:
            raise ValueError(f"exemplars {self.exemplars} must be at least d {self.d}")
        return self

    def discrete(self, seed: int | None = None) -> Discrete:
        """The discrete family; `seed` gives another set of tasks."""
        return Discrete(n=self.n, tau=self.tau, seed=self.seed if seed is None else seed)

    def mixture(self, alpha: float) -> Mixture:
        """D_mix with share `alpha` of discrete tasks."""
        continuous = Continuous(tau=self.tau)
        return Mixture(alpha=alpha, discrete=self.discrete(), continuous=continuous)

    def pretrain(self, alpha: float) -> Pretrain:
        """The pretraining run on D_mix with share `alpha`."""
        return self.pretrain_on(self.mixture(alpha))


class Tuned(World):
    """A world in which models are fine-tuned."""

    finetuning: Finetuning = FINETUNING
    finetune_seed: Seed = 0
    trajectory: tuple[int, ...] = (25, 50, 100, 200)

    def finetune(
        self, alpha: float, prior: Prior | None = None, protection: Protection = PLAIN
    ) -> Finetune:
        """Fine-tuning of the base model of share `alpha`, on D_disc unless `prior` says else."""
        return Finetune(
            base=self.pretrain(alpha),
            prior=self.discrete() if prior is None else prior,
            training=self.finetuning,
            protection=protection,
            seed=self.finetune_seed,
            trajectory=self.trajectory,
            device=self.device,
            threads=self.threads,
        )


Alphas = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1)]


class Comparisons(Tuned):
    """Fine-tunings beside the main one: every alpha on D_disc, and the controls of experiment 5
    (the base model of `alpha` on D_mix, D_cont and another task set, same optimiser restart)."""

    kind: Literal["regression-comparisons"] = "regression-comparisons"
    alphas: Alphas = (0.0, 0.2, 0.5, 0.8, 1.0)


ExperimentName = Literal[
    "observer", "converge", "tradeoff", "where-it-hurts", "task-inference", "conjugate"
]


class Study(Tuned):
    """Pretrain (or take the shipped model), fine-tune on D_disc, run the experiments.

    `alphas` are the base models of experiments 1 and 2; `alpha` is the one looked at closely.
    """

    kind: Literal["regression-study"] = "regression-study"
    alphas: Alphas = (0.0, 0.2, 0.5, 0.8, 1.0)
    experiments: tuple[ExperimentName, ...] = (
        "observer",
        "converge",
        "tradeoff",
        "where-it-hurts",
        "task-inference",
        "conjugate",
    )

    def comparisons(self) -> Comparisons:
        """The fine-tunings beside the main one, in this study's world."""
        shared = {name: getattr(self, name) for name in Tuned.model_fields}
        return Comparisons(**shared, alphas=self.alphas)


class Replications(Machine):
    """One study for several training seeds, each with its own tasks, weights and prompts, times
    several fine-tunings; the tables speak for training seeds."""

    kind: Literal["regression-replications"] = "regression-replications"
    study: Study = Study()
    seeds: tuple[int, ...] = Field(default=(0, 1, 2, 3, 4), min_length=2)
    finetune_seeds: tuple[int, ...] = Field(default=(0, 1), min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Replications":
        for name in ("seeds", "finetune_seeds"):
            seeds = getattr(self, name)
            if len(set(seeds)) != len(seeds) or min(seeds) < 0:
                raise ValueError(f"{name} must differ from each other and not be negative")
        # Else two training seeds could share a fine-tuning, or one lie beyond what a seed may be.
        if max(self.finetune_seeds) >= AGAIN or max(self.seeds) >= 2**62 // AGAIN:
            raise ValueError(f"finetune_seeds must be below {AGAIN}, seeds below 2^62 / {AGAIN}")
        for name in ("seed", "finetune_seed", "device", "threads"):
            if getattr(self.study, name) != Study.model_fields[name].default:
                raise ValueError(f"study.{name} is set for all studies at once, outside `study`")
        if missing := {"task-inference", "conjugate"} - set(self.study.experiments):
            raise ValueError(f"study.experiments must hold {' and '.join(sorted(missing))}")
        return self

    def studies(self) -> list[list[Study]]:
        """The studies by seed, then by fine-tuning. Evaluation prompts are a seed's own too, so
        that what they add to the spread is part of the spread between seeds."""
        return [[self._study(seed, again) for again in self.finetune_seeds] for seed in self.seeds]

    def _study(self, seed: int, finetune_seed: int) -> Study:
        evaluation = self.study.evaluation
        return self.study.model_copy(
            update={
                "seed": seed,
                # fine-tuning prompts of this seed's own: nested in it, as the bootstrap takes them
                "finetune_seed": AGAIN * seed + finetune_seed,
                "evaluation": evaluation.model_copy(update={"seed": evaluation.seed + seed}),
                "device": self.device,
                "threads": self.threads,
            }
        )


class Watched(Machine):
    """A pretraining that is measured against ridge regression, on D_cont prompts, on the way."""

    kind: Literal["regression-watched"] = "regression-watched"
    pretrain: Pretrain
    watch: tuple[int, ...] = Field(description="steps after which it is measured")
    evaluation: Measurement = Measurement(prompts=2048)


class Diversity(Setting):
    """Experiment 6: how soon ridge is found by training on few or many tasks, or on D_cont."""

    kind: Literal["regression-diversity"] = "regression-diversity"
    pools: tuple[Annotated[int, Field(ge=1)], ...] = (32, 64, 128, 256, 512, 1024, 2048, 4096)
    evaluation: Measurement = Measurement(prompts=2048)
    looks: int = Field(default=24, ge=2, description="measurements, evenly spaced in log(step)")
    ratio: float = Field(default=1.1, gt=1, description="of ridge's excess that counts as ridge")

    def watch(self) -> tuple[int, ...]:
        """0, `looks` steps from 10 to the end (or from 1, if it ends before), rounded."""
        last = self.pretraining.steps
        first = 10 if last > 10 else 1
        grow = max(last, 1) / first
        steps = {round(first * grow ** (i / (self.looks - 1))) for i in range(self.looks)}
        return tuple(sorted({0, last} | {step for step in steps if step <= last}))

    def arms(self) -> dict[str, Watched]:
        """The trainings: on D_cont, and on each pool (pools of one seed are nested)."""
        priors: dict[str, Prior] = {
            f"discrete-{n}": Discrete(n=n, tau=self.tau, seed=self.seed)
            for n in sorted(set(self.pools))
        }
        priors["continuous"] = Continuous(tau=self.tau)
        return {
            arm: Watched(
                pretrain=self.pretrain_on(prior),
                watch=self.watch(),
                evaluation=self.evaluation,
                device=self.device,
                threads=self.threads,
            )
            for arm, prior in priors.items()
        }


class Length(Setting):
    """Experiment 7: trained on D_cont with up to `exemplars`, asked with up to `longest`."""

    kind: Literal["regression-length"] = "regression-length"
    longest: int = Field(default=30, ge=2, description="largest exemplar count that is asked")
    positions: tuple[Positions, ...] = Field(
        default=("learned", "learned-random-offset", "rotary"), min_length=1
    )
    evaluation: Measurement = Measurement()

    @model_validator(mode="after")
    def _check(self) -> "Length":
        if self.longest <= self.exemplars:
            raise ValueError(f"longest must exceed exemplars, which is {self.exemplars}")
        if (self.model.positions, self.model.capacity) != ("learned", None):
            raise ValueError("set `positions` and `longest`; they give model.positions, .capacity")
        self.arms()  # which models there cannot be is told now
        return self

    def arms(self) -> dict[str, Pretrain]:
        """The trainings by kind of positions. Position tables reach to the longest prompt: beyond
        the training length, `learned` has rows there that no training has touched."""
        plain = self.pretrain_on(Continuous(tau=self.tau))
        found = {}
        for positions in self.positions:
            capacity = None if positions == "rotary" else self.model.length(self.longest)
            told = self.model.model_dump() | {"positions": positions, "capacity": capacity}
            model = TransformerConfig.model_validate(told)
            found[positions] = plain.model_copy(update={"model": model})
        return found


class Protections(Tuned):
    """Experiment 8: ways to keep D_cont while fine-tuning on D_disc, next to conjugate prompting
    of the plainly tuned model with each of evaluation.gammas."""

    kind: Literal["regression-protections"] = "regression-protections"
    replay: tuple[Share, ...] = (0.1, 0.5)
    anchor: tuple[Annotated[float, Field(gt=0)], ...] = (0.001, 0.01, 0.1)
    low_rank: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4)
    interpolation: tuple[Share, ...] = Field(
        default=(0.25, 0.5, 0.75), description="shares of the tuned weights, the rest the base's"
    )

    def arms(self) -> dict[str, Finetune]:
        """The fine-tunings by arm; `tuned` is the plain one."""
        ways: dict[str, Protection] = {"tuned": PLAIN}
        ways |= {f"replay:{spelt(share)}": Replay(share=share) for share in self.replay}
        ways |= {f"anchor:{spelt(at)}": Anchor(strength=at) for at in self.anchor}
        ways |= {f"low-rank:{rank}": LowRank(rank=rank) for rank in self.low_rank}
        return {arm: self.finetune(self.alpha, protection=way) for arm, way in ways.items()}


def spelt(number: float) -> str:
    """A number in a name: short, and never as another one's."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


Experiment = Annotated[
    Pretrain
    | Finetune
    | Comparisons
    | Study
    | Replications
    | Watched
    | Diversity
    | Length
    | Protections,
    Field(discriminator="kind"),
]
