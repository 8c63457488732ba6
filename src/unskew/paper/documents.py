"""Every claim of the paper and of the thesis, and the controls that stand beside them.

P: Kotha, Springer and Raghunathan, *Understanding Catastrophic Forgetting in Language Models via
Implicit Inference* (arXiv 2309.10105). T: the thesis *Fine-tuning Does Not Remove Language Model
Capabilities*, which adds Kim, Kotha and Raghunathan (arXiv 2403.14725). Each claim has a threshold
that was fixed before anything was measured: it is taken from where the experiment is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal

from unskew.errors import UserError
from unskew.nursery.claims import ABLE, FALL, FAR, RECOVERED, SPARED
from unskew.paper import laboratory, language
from unskew.paper.claims import Answer, Claim, Source, answer
from unskew.paper.findings import Scale
from unskew.paper.language import SEEDS
from unskew.paper.parts import PartName
from unskew.paper.shelf import Shelf
from unskew.paper.thesis import thesis
from unskew.regression.config import Diversity, Evaluation
from unskew.report.claims import CLOSE_TO_BAYES
from unskew.runs.mistakes import nearest

__all__ = ["answers", "chosen", "claims"]

CONTROL = "control"


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim, in the order of the documents."""
    stages = (
        *_stage(
            "icl",
            "instruct",
            "repeat_conflict",
            "P, T: instruction tuning",
            lost="instruction tuning in English loses in-context learning there",
            tasks=("unskew_icl_",),
            demo=True,
        ),
        *_stage(
            "icl",
            "instruct",
            "repeat_conflict",
            "P, T: instruction tuning, after a shorter pretraining, in fresh worlds",
            lost="the same after a shorter pretraining, in fresh worlds",
            part="fresh",
            after="-fresh",
        ),
        *_near(),
        *_stage(
            "code",
            "code",
            "entail",
            "T: code tuning",
            lost="code tuning loses reasoning in plain language",
            tasks=("unskew_xnli_", "unskew_nli_"),
        ),
        *_stage(
            "refusal",
            "refuse",
            "colour",
            "P, T: safety tuning (benign questions here)",
            lost="tuning to refuse loses the answers in English",
            tasks=("unskew_refusal_",),
        ),
    )
    return (*_regression(), *stages, *_controls(), *thesis())


def chosen(ids: Iterable[str]) -> list[Claim]:
    """The claims of these ids, or all of them where none is given. Raises UserError."""
    by_id = {claim.id: claim for claim in claims()}
    wanted = list(dict.fromkeys(ids))
    for id in wanted:
        if id not in by_id:
            raise UserError(
                f"there is no claim {id!r}{nearest(id, list(by_id))}",
                hint="`unskew paper` lists them",
            )
    return [by_id[id] for id in wanted] or list(claims())


def answers(shelf: Shelf, scale: Scale | None = None) -> list[Answer]:
    """What the tables say of every claim. Raises UserError for a damaged table."""
    return [answer(claim, shelf, scale) for claim in claims()]


# The laboratory -------------------------------------------------------------------------------


def _regression() -> Iterator[Claim]:
    def study(
        id: str,
        table: str,
        documents: str,
        text: str,
        threshold: str,
        brief: bool = True,
        models: Literal["mixture", "all"] = "mixture",
    ) -> Claim:
        """models: whether it is about models of all shares, which the studies over training seeds
        do not have: such claims are read from those of one seed."""
        read = laboratory.study(id)
        parts: dict[Scale, PartName] = (
            {"demo": "laboratory", "paper": "laboratory"}
            if models == "all"
            else {"demo": "laboratory", "small": "laboratory", "paper": "seeds"}
        )
        sources: dict[Scale, Source] = {
            scale: Source(part, table, read) for scale, part in parts.items()
        }
        return Claim(id, "regression", documents, text, threshold, brief, sources)

    rules, close = Evaluation(), f"at most {CLOSE_TO_BAYES:g} × Bayes"
    yield study(
        "bayes",
        "converge",
        "P: pretraining on one family",
        "trained on `D_cont` or `D_disc` alone, a transformer is its Bayes predictor",
        close,
        models="all",
    )
    yield study(
        "bayes-mixture",
        "converge",
        "P: pretraining on the mixture",
        "trained on a mixture, it is near Bayes on both families",
        close,
        models="all",  # one mixture alone has fewer to fail by
    )
    yield study(
        "trade-off-gain",
        "conjugate",
        "P: performance within the fine-tuning data",
        "fine-tuning on `D_disc` lowers the error there",
        "change < 0",
        brief=False,
    )
    yield study(
        "trade-off-loss",
        "conjugate",
        "P: at the expense of other tasks",
        "fine-tuning on `D_disc` raises the error on `D_cont`",
        "change > 0",
    )
    yield study(
        "closest",
        "where-it-hurts",
        "P: tasks closest to the fine-tuning data",
        "it harms most where a skew of task inference says so",
        "slope > 0",
    )
    yield study(
        "skew",
        "task-inference",
        "P, T: fine-tuning skews task inference",
        "fine-tuning moves task inference towards its own tasks",
        "rise > 0",
    )
    yield study(
        "skew-rivals",
        "task-inference",
        "P: predominantly task inference",
        "that skew foretells other answers better than each rival story",
        "difference > 0",
    )
    yield study(
        "conjugate",
        "conjugate",
        "P, T: conjugate prompting",
        "scaling the labels brings the loss back",
        f"net, more than {100 * rules.floor:g}%",
    )
    yield study(
        "conjugate-controls",
        "conjugate",
        CONTROL,
        "what should bring nothing back brings nothing back",
        f"less than {100 * rules.margin:g}%",
    )
    ratio = Diversity.model_fields["ratio"].default
    yield Claim(
        "diversity",
        "regression",
        "P: appendix C.3",
        "training on some tasks finds ridge sooner than training on all",
        f"fewer steps to {ratio:g} × ridge",
        sources={"demo": Source("diversity", "diversity", laboratory.diversity)},
    )


# Language models ------------------------------------------------------------------------------


def _stage(
    id: str,
    model: str,
    probe: str,
    documents: str,
    *,
    lost: str,
    tasks: tuple[str, ...] = (),
    demo: bool = False,
    part: str = "family",
    after: str = "",
) -> Iterator[Claim]:
    """The four claims about what one kind of fine-tuning does.

    tasks: what audits of real pairs ask, by how the names begin. demo: whether such a pair ships.
    part: the families that are asked. after: what the ids of the claims end in.
    """

    def claim(
        name: str, asked: str, unit: str, text: str, threshold: str, brief: bool, real: str = ""
    ) -> Claim:
        sources: dict[Scale, Source] = {"small": _family(asked, model, unit, part)}
        if demo and name != "elsewhere":  # in English only
            sources["demo"] = Source("pair", "claims", language.family(asked, model, unit, 1))
        if real and tasks:
            read = language.drop(tasks) if real == "contrasts" else language.verdict(tasks)
            sources["paper"] = Source(f"pairs-{id}", real, read)
        return Claim(f"{id}-{name}{after}", "language", documents, text, threshold, brief, sources)

    yield claim(
        "lost",
        f"{probe}-falls",
        "points",
        lost,
        f"at least {100 * FALL:.0f} points",
        True,
        "contrasts",
    )
    yield claim(
        "elsewhere",
        f"{probe}-spared-elsewhere",
        "points",
        "... and less in other languages (the one that loses most)",
        f"at most {SPARED:g} of English",
        id == "icl",
    )
    yield claim(
        "back",
        f"{probe}-recovers",
        "%",
        "... and asked in another language, it comes back",
        f"net, at least {100 * RECOVERED:.0f}%",
        True,
    )
    yield claim(
        "suppressed",
        f"verdict-{probe}",
        "",
        "... and the audit calls it suppressed",
        "suppressed",
        False,
        "verdicts",
    )


def _near() -> Iterator[Claim]:
    """What lies close to the fine-tuning data falls more than what lies far from it."""
    slope = language.closeness("instruct", len(SEEDS))
    yield Claim(
        "likelihood",
        "language",
        "P: tasks closest to the fine-tuning data",
        "what is likelier under the fine-tuning data falls more",
        "slope > 0",
        sources={"small": Source("family", "closeness-slope", slope)},
    )
    far = ("capitalise-hardly-falls", "instruct", "points")
    yield Claim(
        "far-spared",
        "language",
        "P: the same",
        "what lies far from that data hardly falls",
        f"at most {100 * FAR:.0f} points",
        sources={
            "demo": Source("pair", "claims", language.family(*far, 1)),
            "small": _family(*far),
        },
    )
    yield Claim(
        "far-spared-fresh",
        "language",
        "P: the same, after a shorter pretraining, in fresh worlds",
        "... after a shorter pretraining, in fresh worlds",
        f"at most {100 * FAR:.0f} points",
        False,
        {"small": _family(*far, "fresh")},
    )


def _controls() -> Iterator[Claim]:
    """What must be so for the others to mean anything."""

    def control(id: str, text: str, threshold: str, source: Source) -> Claim:
        return Claim(id, "language", CONTROL, text, threshold, False, {"small": source})

    def verdicts(*cases: tuple[str, str]) -> Source:
        named = tuple((f"verdict-{probe}", model) for model, probe in cases)
        return Source("family", "claims", language.several(named, len(SEEDS)))

    yield control(
        "base-able",
        "the base can do what it was taught (its weakest ability)",
        f"each at least {100 * ABLE:.0f}%",
        _family("base-able", "base", "%"),
    )
    yield control(
        "never-taught",
        "the audit calls what was never taught not recovered",
        "not recovered; never taught in English: not retained",
        verdicts(("oracle", "colour"), ("oracle-en", "colour")),
    )
    yield control(
        "locked",
        "the audit calls what is behind a password not retained",
        "not retained",
        verdicts(("locked", "colour")),
    )
    probes = ("repeat_conflict", "colour", "entail")
    yield control(
        "continued",
        "the audit calls what is left by more of the same training retained",
        "retained",
        verdicts(*(("continued", probe) for probe in probes)),
    )


def _family(claim: str, model: str, unit: str, part: str = "family") -> Source:
    return Source(part, "claims", language.family(claim, model, unit, len(SEEDS)))
