"""What a study measures: from finished models to the tables of experiments 1 to 5 and the page.

Every model answers every prompt once per gamma (`_Answers`); the experiments share these answers.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from unskew.regression import fit
from unskew.regression.config import (
    Comparisons,
    Evaluation,
    ExperimentName,
    Finetune,
    Pretrain,
    Study,
    Tuned,
    World,
)
from unskew.regression.experiments import conjugate, controls, converge, task_inference, tradeoff
from unskew.regression.experiments import where_it_hurts as hurts
from unskew.regression.experiments.names import CONJUGATE, CONTROLS, TRADEOFF
from unskew.regression.experiments.observer import observer
from unskew.regression.finetune import trajectory_cases
from unskew.regression.measure import Case, answer
from unskew.regression.priors import Continuous, Prior
from unskew.regression.transformer import Transformer
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = ("continuous", "discrete")
OTHER_TASKS = 1_000_003  # added to the seed: the pool of tasks that no base model has seen


def cases(world: World, evaluation: Evaluation) -> dict[str, Case]:
    """The evaluation prompts of both families; their stream is no training's."""
    priors: dict[str, Prior] = {
        "continuous": Continuous(tau=world.tau),
        "discrete": world.discrete(),
    }
    found = {}
    for family, prior in priors.items():
        config = world.pretrain_on(prior).model_copy(update={"generator": "philox-numpy"})
        prompts = fit.stream(config, "evaluation", evaluation.seed).batch(0, evaluation.prompts)
        found[family] = Case(prompts, world.discrete().tasks(world.d), world.sigma, world.tau)
    return found


class Laboratory:
    """A study's models and prompts, each made once, when first asked for."""

    def __init__(self, config: Tuned, store: Store, progress: Progress) -> None:
        self.config, self.store, self.progress = config, store, progress
        self._models: dict[str, Transformer] = {}
        self._answers: dict[tuple[str, str, float], Tensor] = {}

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The evaluation prompts, by family."""
        return cases(self.config, self.config.evaluation)

    def folder(self, config: Pretrain | Finetune) -> RunFolder:
        """The finished run of a model."""
        from unskew.regression.study import execute

        return execute(config, self.store, self.progress)

    def model(self, config: Pretrain | Finetune) -> Transformer:
        """The trained model, ready to answer."""
        folder = self.folder(config)
        if folder.id not in self._models:
            base = config.base if isinstance(config, Finetune) else config
            self._models[folder.id] = fit.load(base, folder)
        return self._models[folder.id]

    def answers(
        self, config: Pretrain | Finetune, family: str, gammas: Iterable[float] = (1.0,)
    ) -> dict[float, Tensor]:
        """The model's answers (N, P) to the prompts of a family, by gamma."""
        name, prompts = self.folder(config).id, self.cases[family].prompts
        found = {}
        for gamma in gammas:
            key = (name, family, gamma)
            if key not in self._answers:
                model = self.model(config)
                self._answers[key] = answer(model, prompts.x, prompts.y, gamma)
            found[gamma] = self._answers[key]
        return found

    def comparisons(self) -> RunFolder:
        """The finished run of the fine-tunings beside the main one."""
        from unskew.regression.study import execute

        if not isinstance(self.config, Study):
            raise TypeError("only a study has comparisons")
        return execute(self.config.comparisons(), self.store, self.progress)

    def pairs(self, base: Pretrain, tuned: Finetune) -> dict[str, conjugate.Pair]:
        """Answers of base and tuned model on both families under every gamma."""
        gammas = self.config.evaluation.gammas
        return {
            family: conjugate.Pair(
                self.answers(base, family, gammas), self.answers(tuned, family, gammas)
            )
            for family in FAMILIES
        }


def comparisons(config: Comparisons, folder: RunFolder, store: Store, progress: Progress) -> None:
    """Fine-tune every alpha on D_disc, and `alpha` on the controls' data; tables `tradeoff` (the
    trajectories) and `controls`."""
    lab = Laboratory(config, store, progress)
    paths = [
        tradeoff.trajectory(
            lab.folder(config.finetune(alpha)).records(), alpha, config.exemplars, config.seed
        )
        for alpha in config.alphas
    ]
    folder.write_table(TRADEOFF, concat(paths))

    others: dict[str, Prior] = {
        "finetuned-on-mix": config.mixture(config.alpha),
        "finetuned-on-continuous": Continuous(tau=config.tau),
        "finetuned-on-other-tasks": config.discrete(config.seed + OTHER_TASKS),
    }
    base = config.pretrain(config.alpha)
    tables = []
    for name, prior in others.items():
        pairs = lab.pairs(base, config.finetune(config.alpha, prior))
        tables.append(controls.other_finetuning(name, config.alpha, pairs, lab.cases, config.seed))
    if 0.0 in config.alphas and config.alpha != 0.0:
        answers = lab.answers(config.pretrain(0.0), "continuous", config.evaluation.gammas)
        case = lab.cases["continuous"]
        tables.append(controls.base_gain("alpha-0-base", 0.0, answers, case, config.seed))
    folder.write_table(CONTROLS, concat(tables))
    folder.finish({"headline": f"{len(config.alphas) + len(others)} fine-tunings compared"})


def study(config: Study, folder: RunFolder, store: Store, progress: Progress) -> None:
    """Run the experiments that `config` names, each into its table; then draw the page."""
    from unskew.report import page
    from unskew.report.headline import headline

    lab = Laboratory(config, store, progress)
    for name in config.experiments:
        if not folder.has_table(name):
            with progress.task(f"experiment {name}", total=1) as task:
                folder.write_table(name, experiment(name, config, lab))
                task.advance(1)
    tables = {name: folder.read_table(name) for name in folder.tables()}
    folder.finish({"headline": headline(tables, config.alpha).sentence})
    page.write([folder], folder.path / "report.html")


def experiment(name: ExperimentName, config: Study, lab: Laboratory) -> "pd.DataFrame":
    """The table of one experiment of a study."""
    alpha, seed, evaluation = config.alpha, config.seed, config.evaluation
    base, tuned = config.pretrain(alpha), config.finetune(alpha)
    match name:
        case "observer":
            return observer(
                dim=config.d,
                exemplars=config.exemplars,
                sigma=config.sigma,
                discrete=config.discrete(),
                tau=config.tau,
                alpha=alpha,
                seed=evaluation.seed,
            )
        case "converge":
            return concat(
                converge.converge(a, lab.answers(config.pretrain(a), f)[1.0], lab.cases[f], f, seed)
                for a in sorted({*config.alphas, alpha})
                for f in FAMILIES
            )
        case "tradeoff":
            # on the trajectory's own prompts, so that no path dips below the best by chance
            ideal = tradeoff.ideal(config.alphas, alpha, trajectory_cases(tuned), seed)
            main = lab.folder(tuned).records()
            path = tradeoff.trajectory(main, alpha, config.exemplars, seed)
            others = lab.comparisons().read_table(TRADEOFF)
            return concat([ideal, path, others[others["alpha"] != alpha]])
        case "where-it-hurts":
            b, t = (lab.answers(m, "continuous")[1.0] for m in (base, tuned))
            return hurts.where_it_hurts(alpha, b, t, lab.cases["continuous"], seed)
        case "task-inference":
            pair = lab.pairs(base, tuned)["continuous"]
            ratios = {
                f: float(
                    converge.ratio_to_bayes(alpha, lab.answers(base, f)[1.0], lab.cases[f]).estimate
                )
                for f in FAMILIES
            }
            case = lab.cases["continuous"]
            return task_inference.task_inference(alpha, pair.base, pair.tuned, case, ratios, seed)
        case "conjugate":
            pairs = lab.pairs(base, tuned)
            symmetries = controls.symmetries(
                lab.model(base),
                lab.model(tuned),
                pairs["continuous"],
                lab.cases["continuous"],
                seed,
            )
            table = conjugate.conjugate(
                alpha, pairs, lab.cases, symmetries, evaluation.floor, evaluation.margin, seed
            )
            others = lab.comparisons().read_table(CONTROLS)
            return concat([table, others.assign(experiment=CONJUGATE)])


def concat(tables: "Iterable[pd.DataFrame]") -> "pd.DataFrame":
    """One table of several tidy ones."""
    import pandas as pd

    return pd.concat(list(tables), ignore_index=True)
