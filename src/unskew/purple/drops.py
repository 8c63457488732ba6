"""Tokens that are dropped at random: by the defence that answers copies of a question, and by the
attacker who tries a suffix on such copies. They have the same rule and other draws."""

from __future__ import annotations

import hashlib
from random import Random

from unskew.nursery.sampling import generator

__all__ = ["draws", "kept"]


def draws(seed: int, whose: str, question: str, copy: int) -> Random:
    """The generator of one copy: a function of the seed, of who draws and of the question."""
    key = hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()
    return generator(seed, f"purple {whose} {key}", copy)


def kept(rng: Random, count: int, drop: float) -> list[int]:
    """Which of `count` tokens are left where each is dropped with this chance; one at least."""
    left = [i for i in range(count) if rng.random() >= drop]
    return left or ([int(rng.random() * count)] if count else [])
