"""What can be run in the regression laboratory. Each class is one kind of run.

Pretrain     a transformer trained from nothing on one prior
Finetune     a pretrained one trained on another prior, plainly or with a protection
Comparisons  the fine-tunings that the main one is compared with; keeps tables, not weights
Study        base, fine-tuning and the experiments: what `unskew run demo` runs

A study names the world once (d, n, alpha, sigma, ...) and derives the other runs from it, so that
one `key=value` changes all of them alike.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from unskew.regression.priors import Continuous, Discrete, Mixture, Prior
from unskew.regression.prompts import GeneratorKind
from unskew.regression.transformer import TransformerConfig
from unskew.runs.config import Frozen
from unskew.training.config import Adam, Training

EXECUTION: JsonDict = {"execution": True}


class Machine(Frozen):
    """Where things run; never part of a run's identity."""

    device: Literal["cpu", "cuda"] = Field(default="cpu", json_schema_extra=EXECUTION)
    threads: int | None = Field(
        default=None, ge=1, json_schema_extra=EXECUTION, description="CPU threads; null: all cores"
    )


class Pretrain(Machine):
    """Train a transformer on prompts whose weights come from `prior`."""

    kind: Literal["regression-pretrain"] = "regression-pretrain"
    d: int = Field(default=3, ge=1, description="dimension of inputs and weights")
    exemplars: int = Field(default=12, ge=1, description="largest number of exemplars in a prompt")
    sigma: float = Field(default=0.5, gt=0, description="standard deviation of the label noise")
    prior: Prior = Mixture()
    model: TransformerConfig = TransformerConfig()
    training: Training = Training()
    seed: int = Field(default=0, ge=0)
    generator: GeneratorKind = "philox-numpy"


class Plain(Frozen):
    """Fine-tuning with no protection."""

    kind: Literal["plain"] = "plain"


class Replay(Frozen):
    """Each fine-tuning prompt comes from the pretraining prior with probability `share`."""

    kind: Literal["replay"] = "replay"
    share: float = Field(default=0.1, gt=0, lt=1)


class Anchor(Frozen):
    """Penalty `strength` / 2 times the squared distance of the weights from the base model's."""

    kind: Literal["anchor"] = "anchor"
    strength: float = Field(default=1.0, gt=0)


class LowRank(Frozen):
    """Only a rank-`rank` change of each hidden matrix is trained (LoRA, Hu et al. 2021)."""

    kind: Literal["low-rank"] = "low-rank"
    rank: int = Field(default=4, ge=1)


Protection = Annotated[Plain | Replay | Anchor | LowRank, Field(discriminator="kind")]

PLAIN = Plain()
FINETUNING = Training(steps=400, batch=128, optimiser=Adam(lr=3e-4), decay=1.0)


class Finetune(Machine):
    """Train the model of a `Pretrain` run on prompts from `prior`."""

    kind: Literal["regression-finetune"] = "regression-finetune"
    base: Pretrain
    prior: Prior
    training: Training = FINETUNING
    protection: Protection = PLAIN
    seed: int = Field(default=0, ge=0)
    trajectory: tuple[int, ...] = Field(
        default=(25, 50, 100, 200),
        description="steps after which both risks are measured, besides the end",
    )


class Evaluation(Frozen):
    """On what and how the models are measured."""

    prompts: int = Field(default=8192, ge=64, description="from each of D_cont and D_disc")
    gammas: tuple[float, ...] = Field(
        default=(-1.0, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
        description="label scalings; must hold 1",
    )
    seed: int = Field(default=0, ge=0)
    floor: float = Field(default=0.4, ge=0, le=1, description="recovery that claim 5 asks for")
    margin: float = Field(default=0.1, ge=0, le=1, description="recovery that counts as nothing")

    @model_validator(mode="after")
    def _check(self) -> "Evaluation":
        if 1.0 not in self.gammas or 0.0 in self.gammas:
            raise ValueError("gammas must hold 1 (the plain prompt) and cannot hold 0")
        if len(set(self.gammas)) != len(self.gammas):
            raise ValueError("gammas must differ from each other")
        return self


class World(Machine):
    """The setting that every study shares: two families of tasks and a model."""

    d: int = Field(default=3, ge=1, description="dimension of inputs and weights")
    n: int = Field(default=4, ge=1, description="number of tasks in the discrete family")
    alpha: float = Field(
        default=0.5, ge=0, le=1, description="share of discrete tasks in pretraining"
    )
    sigma: float = Field(default=0.5, gt=0, description="standard deviation of the label noise")
    tau: float = Field(default=1.0, gt=0, description="standard deviation of the weights")
    exemplars: int = Field(default=12, ge=1, description="largest number of exemplars in a prompt")
    seed: int = Field(default=0, ge=0, description="of tasks, weights and training prompts")
    generator: GeneratorKind = "philox-numpy"
    model: TransformerConfig = TransformerConfig()
    pretraining: Training = Training()
    evaluation: Evaluation = Evaluation()

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


class Tuned(World):
    """A world in which models are fine-tuned."""

    finetuning: Training = FINETUNING
    finetune_seed: int = Field(default=0, ge=0)
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


class Comparisons(Tuned):
    """Fine-tunings beside the main one: every alpha on D_disc, and the controls of experiment 5
    (the base model of `alpha` on D_mix, D_cont and another task set, same optimiser restart)."""

    kind: Literal["regression-comparisons"] = "regression-comparisons"
    alphas: tuple[float, ...] = (0.0, 0.2, 0.5, 0.8, 1.0)


ExperimentName = Literal[
    "observer", "converge", "tradeoff", "where-it-hurts", "task-inference", "conjugate"
]


class Study(Tuned):
    """Pretrain (or take the shipped model), fine-tune on D_disc, run the experiments.

    `alphas` are the base models of experiments 1 and 2; `alpha` is the one looked at closely.
    """

    kind: Literal["regression-study"] = "regression-study"
    alphas: tuple[float, ...] = (0.0, 0.2, 0.5, 0.8, 1.0)
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


Experiment = Annotated[Pretrain | Finetune | Comparisons | Study, Field(discriminator="kind")]
