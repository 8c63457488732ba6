"""What the runs of experiments 6 to 8 and of several seeds do: from finished models to tables.

Each has a kind of run of its own, with its trainings as runs that it starts from; an interrupted
one continues, as those are found again.
"""

from unskew.regression import fit
from unskew.regression.config import (
    Diversity,
    Length,
    Protections,
    Replications,
    Study,
    spelt,
)
from unskew.regression.experiments import diversity as six
from unskew.regression.experiments import length as seven
from unskew.regression.experiments import protection as eight
from unskew.regression.experiments import replications as seeds
from unskew.regression.experiments.conjugate import Risks
from unskew.regression.experiments.names import CONJUGATE, DIVERSITY, LENGTH, PROTECTION
from unskew.regression.measure import answer, errors
from unskew.regression.studies import FAMILIES, Laboratory, concat
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store


def diversity(config: Diversity, folder: RunFolder, store: Store, progress: Progress) -> None:
    """Experiment 6: read the logs of the watched trainings."""
    arms = config.arms()
    by = six.yardstick(arms["continuous"])
    logs = {arm: _run(one, store, progress).records() for arm, one in arms.items()}
    table = six.diversity(logs, by, config.ratio, config.seed)
    folder.write_table(DIVERSITY, table)
    found = table[(table["metric"] == "steps_to_ridge") & table["estimate"].notna()]
    steps = {row["arm"]: int(row["estimate"]) for _, row in found.iterrows()}
    few = {arm: at for arm, at in steps.items() if arm != "continuous"}
    parts = []
    if few:
        soonest = min(few, key=lambda arm: few[arm])
        parts.append(f"{soonest.removeprefix('discrete-')} tasks first ({few[soonest]} steps)")
    else:
        parts.append("no pool of tasks")
    there = "continuous" in steps
    parts.append(f"D_cont after {steps['continuous']} steps" if there else "D_cont never")
    _finish(folder, f"ridge found by {', by '.join(parts)}")


def length(config: Length, folder: RunFolder, store: Store, progress: Progress) -> None:
    """Experiment 7: ask every model prompts longer than those it was trained on."""
    arms = config.arms()
    one, measured = next(iter(arms.values())), config.evaluation
    prompts = six.prompts_of(one, config.longest, measured.prompts, measured.seed)
    answers = {
        arm: answer(fit.load(run, _run(run, store, progress)), prompts.x, prompts.y)
        for arm, run in arms.items()
    }
    table = seven.length(answers, prompts, config.exemplars, config.sigma, config.tau, config.seed)
    folder.write_table(LENGTH, table)
    span = f"{config.exemplars + 1}..{config.longest}"
    beyond = table[(table["metric"] == "ratio_to_ridge") & (table["span"] == span)]
    said = [
        f"{row['arm']} {row['estimate']:.2f}"
        for _, row in beyond.iterrows()
        if row["estimate"] == row["estimate"]
    ]
    listed = ", ".join(said) or "none measurable"
    _finish(folder, f"error over ridge's beyond {config.exemplars} exemplars: {listed}")


def protections(config: Protections, folder: RunFolder, store: Store, progress: Progress) -> None:
    """Experiment 8: fine-tune in every way, interpolate weights, scale labels."""
    lab = Laboratory(config, store, progress)
    base, arms = config.pretrain(config.alpha), config.arms()
    answers = {
        "base": {family: lab.answers(base, family)[1.0] for family in FAMILIES},
        **{
            arm: {family: lab.answers(one, family)[1.0] for family in FAMILIES}
            for arm, one in arms.items()
        },
    }
    for share in config.interpolation:
        ends = lab.model(base), lab.model(arms["tuned"])
        between = eight.interpolated(*ends, share, into=fit.build(base))
        answers[f"interpolation:{spelt(share)}"] = {
            family: answer(between, case.prompts.x, case.prompts.y)
            for family, case in lab.cases.items()
        }
    scaled = {f"conjugate:gamma={spelt(g)}": g for g in config.evaluation.gammas if g != 1.0}
    for arm, gamma in scaled.items():
        answers[arm] = {
            family: lab.answers(arms["tuned"], family, [gamma])[gamma] for family in FAMILIES
        }
    table = eight.protection(config.alpha, answers, scaled, lab.cases, config.seed)
    folder.write_table(PROTECTION, table)
    _finish(folder, f"{len(answers) - 2} ways to protect compared with plain fine-tuning")


def replications(config: Replications, folder: RunFolder, store: Store, progress: Progress) -> None:
    """Run the study for every seed and fine-tuning; then its tables, for training seeds."""
    studies = config.studies()
    done = [[_run(one, store, progress) for one in of_seed] for of_seed in studies]
    dim, exemplars = config.study.d, config.study.exemplars
    spans = [range(1, dim + 1), range(exemplars + 1)]
    risks = [[_risks(one, store, progress) for one in of_seed] for of_seed in studies]
    ratios = seeds.ratios(risks, spans, config.study.alpha)
    # The observer's grid is theory: it has no training seeds.
    for name in (name for name in config.study.experiments if name != "observer"):
        table = seeds.across([[run.read_table(name) for run in of_seed] for of_seed in done])
        folder.write_table(name, concat([table, ratios]) if name == CONJUGATE else table)
    from unskew.report.headline import headline

    tables = {name: folder.read_table(name) for name in folder.tables()}
    count = f"{len(studies)} training seeds x {len(config.finetune_seeds)} fine-tunings"
    _finish(folder, f"{headline(tables, config.study.alpha).sentence} ({count})")


def _risks(config: Study, store: Store, progress: Progress) -> Risks:
    """Squared errors of a study's base and tuned model on the prompts that it reports on, plain and
    at the gamma that it chose."""
    lab = Laboratory(config, store, progress)
    table = _run(config, store, progress).read_table(CONJUGATE)
    gamma = float(table.loc[table["metric"] == "gamma_chosen", "estimate"].iloc[0])
    case = lab.cases["continuous"]
    models = config.pretrain(config.alpha), config.finetune(config.alpha)
    base, tuned = (lab.answers(model, "continuous", (1.0, gamma)) for model in models)
    four = (base[1.0], tuned[1.0], base[gamma], tuned[gamma])
    return Risks(*(errors(a, case)[case.half(1)] for a in four))


def _run(config, store: Store, progress: Progress) -> RunFolder:
    """The finished run of `config`."""
    from unskew.regression.study import execute

    return execute(config, store, progress)


def _finish(folder: RunFolder, headline: str) -> None:
    from unskew.report import page

    folder.finish({"headline": headline})
    page.write([folder], folder.path / "report.html")
