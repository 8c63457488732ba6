"""Laboratory 1: in-context linear regression, where the right answer is known exactly.

    from unskew.regression import Mixture, PromptStream, mixture, predictors

    prior = Mixture(alpha=0.5)
    prompts = PromptStream(prior, dim=10, exemplars=40, sigma=1.0, seed=0, stream="look").batch(0, 64)
    p = predictors(prompts.x, prompts.y, prior.discrete.tasks(10), sigma=1.0, tau=1.0)
    optimum, skewed = mixture(p, alpha=0.5), mixture(p, alpha=0.5, delta=10.0)

Plain functions on tensors: priors and prompts, the Bayes predictors and the skewed observer.
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
from unskew.regression.priors import Continuous, Discrete, Mixture, Prior, Weights, sample
from unskew.regression.prompts import Prompts, PromptStream

__all__ = [
    "Continuous",
    "Discrete",
    "Mixture",
    "MixtureOutput",
    "Posterior",
    "Predictors",
    "Prior",
    "PromptStream",
    "Prompts",
    "Weights",
    "bayes_predict",
    "discrete",
    "mixture",
    "posterior",
    "predictors",
    "ridge",
    "sample",
]
