"""Laboratory 1: in-context linear regression, where the right answer is known exactly.

    from unskew.regression import Mixture, PromptStream, mixture, predictors

    prior = Mixture(alpha=0.5)
    stream = PromptStream(prior, dim=10, exemplars=40, sigma=1.0, seed=0, stream="look")
    prompts = stream.batch(0, 64)
    p = predictors(prompts.x, prompts.y, prior.discrete.tasks(10), sigma=1.0, tau=1.0)
    optimum, skewed = mixture(p, alpha=0.5), mixture(p, alpha=0.5, delta=10.0)

Plain functions on tensors: priors and prompts, the Bayes predictors and the skewed observer, the
model, the skew of any model's answers, and the experiments, each returning one tidy table.
"""

from unskew.regression.bayes import (
    MixtureOutput,
    Posterior,
    Predictors,
    bayes_predict,
    discrete,
    mixture,
    posterior,
    predictors,
    ridge,
)
from unskew.regression.experiments.conjugate import Pair, conjugate
from unskew.regression.experiments.converge import converge
from unskew.regression.experiments.observer import observer
from unskew.regression.experiments.task_inference import task_inference
from unskew.regression.experiments.where_it_hurts import where_it_hurts
from unskew.regression.measure import Case, answer
from unskew.regression.priors import Continuous, Discrete, Mixture, Prior, Weights, sample
from unskew.regression.prompts import Prompts, PromptStream
from unskew.regression.shipped import shipped_model
from unskew.regression.skew import fit_skew, skew_rise, weight_on_discrete
from unskew.regression.transformer import Transformer, TransformerConfig

__all__ = [
    "Case",
    "Continuous",
    "Discrete",
    "Mixture",
    "MixtureOutput",
    "Pair",
    "Posterior",
    "Predictors",
    "Prior",
    "PromptStream",
    "Prompts",
    "Transformer",
    "TransformerConfig",
    "Weights",
    "answer",
    "bayes_predict",
    "conjugate",
    "converge",
    "discrete",
    "fit_skew",
    "mixture",
    "observer",
    "posterior",
    "predictors",
    "ridge",
    "sample",
    "shipped_model",
    "skew_rise",
    "task_inference",
    "weight_on_discrete",
    "where_it_hurts",
]
