"""Defences, one file each; `base` says what a defence is.

none         what the subject says leaves
perplexity   unlikely questions are refused, whole or by windows    input
paraphrase   the question is said in other words first              input
refusals     refused questions stand before it                      input
smoothing    random tokens are dropped, the majority decides        input
guard        what leaves satisfies the definition                   output
"""

from typing import Annotated

from pydantic import Field

from unskew.purple.defences.base import REFUSAL, Defence, Defended, Likelihoods, Reply, Setting
from unskew.purple.defences.guard import Guarding
from unskew.purple.defences.none import Undefended
from unskew.purple.defences.paraphrase import Asked, Paraphrase, Repeated, Synonyms
from unskew.purple.defences.perplexity import Perplexity
from unskew.purple.defences.refusals import Refusals
from unskew.purple.defences.smoothing import Smoothing

AnyDefence = Annotated[
    Undefended | Perplexity | Paraphrase | Refusals | Smoothing | Guarding,
    Field(discriminator="kind"),
]
"""A defence, as a configuration names it."""

__all__ = [
    "REFUSAL",
    "AnyDefence",
    "Asked",
    "Defence",
    "Defended",
    "Guarding",
    "Likelihoods",
    "Paraphrase",
    "Perplexity",
    "Refusals",
    "Repeated",
    "Reply",
    "Setting",
    "Smoothing",
    "Synonyms",
    "Undefended",
]
