"""What the page says about each experiment: its question, its chart, what to see in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


class Section(NamedTuple):
    """One experiment. name: its table; draw: table and the run's alpha -> chart."""

    name: str
    title: str
    caption: str
    draw: Callable[[pd.DataFrame, float | None], alt.ConcatChart]


def sections() -> list[Section]:
    """Every experiment's section, in reading order (altair is imported here, not before)."""
    from unskew.report import charts, further

    return [
        Section(
            "converge",
            "Before: does the transformer find the right answer?",
            "Each dot is the transformer's error after k examples in its prompt; the dashes of "
            "the same shade are the best that any predictor can do under the prior it was "
            "trained on. Where dots lie on dashes, nothing is left to learn.",
            lambda df, alpha: charts.converge(df),
        ),
        Section(
            "tradeoff",
            "What fine-tuning buys, and what it pays",
            "Down is better on other tasks, left is better on the fine-tuning tasks. The dashes"
            " are the best possible for every training mixture. Fine-tuning moves to the left, "
            "as it should, and up: it pays with the other tasks. The dots on its path are its "
            "checkpoints.",
            lambda df, alpha: charts.tradeoff(df),
        ),
        Section(
            "where-it-hurts",
            "Where it hurts",
            "Prompts of other tasks, sorted by how much they look like a fine-tuning task. If "
            "only the guess about the task has shifted, the rise follows the prediction in "
            "violet: most where a prompt could be either, little where it could be neither, and"
            " less again at the very top, where both predictors give the same answer.",
            charts.where_it_hurts,
        ),
        Section(
            "task-inference",
            "Which task does the model think it is in?",
            "A model's answers, read as a blend of the two ideal predictors. g is the weight on"
            " the fine-tuning tasks. The skew is the shift of its prior, in nats, that explains"
            " the answers best. It was fitted on plain prompts only, so the scaled ones test it"
            " against other stories. The last panel says how much of the damage is wrong "
            "inference and how much is lost ability.",
            charts.task_inference,
        ),
        Section(
            "conjugate",
            "Conjugate prompting: bringing it back",
            "Multiply the labels by γ, ask, divide the answer by γ. The regression needed is "
            "the same, but the prompt no longer looks like a fine-tuning task. Net recovery is "
            "the share of the rise that is taken back, less what γ gives the base model anyway."
            " The controls change the prompt in ways that theory says cannot help.",
            charts.conjugate,
        ),
        Section(
            "controls",
            "Controls: fine-tuning on something else",
            "The same optimiser and the same steps, on other data. Restarting the optimiser "
            "alone should change nothing; fine-tuning on other tasks should skew inference "
            "towards those.",
            lambda df, alpha: further.controls(df),
        ),
        Section(
            "diversity",
            "Few training tasks find ridge regression sooner",
            "Error on other tasks along training. Few tasks are memorised, many behave like "
            "all; in between, ridge regression is found early.",
            lambda df, alpha: charts.diversity(df),
        ),
        Section(
            "length",
            "Beyond the training length",
            "Error at exemplar counts longer than any in training, by kind of position code.",
            lambda df, alpha: charts.length(df),
        ),
        Section(
            "protection",
            "What protects, and how it compares",
            "Each way to protect the other tasks while fine-tuning, next to conjugate "
            "prompting, which needs no training: what it costs on the one side and saves on the"
            " other.",
            lambda df, alpha: charts.protection(df),
        ),
    ]
