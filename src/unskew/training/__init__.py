"""One training loop for every model of the project: optimisers, schedule, checkpoints, resume."""

from unskew.training.config import Adam, Muon, Optimiser, Training
from unskew.training.loop import train
from unskew.training.optimisers import learning_rate_factor, orthogonalise

__all__ = [
    "Adam",
    "Muon",
    "Optimiser",
    "Training",
    "learning_rate_factor",
    "orthogonalise",
    "train",
]
