"""Attacks, one file each; `base` says what an attack is.

none       the questions as they are                       black box
redteam    prompts by hand                                 black box
suffix     GCG, universal or for each question             gradients
transfer   GCG on another model                            black box
lowppl     GCG behind a natural passage                    gradients
adaptive   GCG with the defence in its objective           gradients
conjugate  translation and ciphers, answers carried back   black box
prefill    the beginning of the answer is given            black box
"""

from typing import Annotated

from pydantic import Field

from unskew.purple.attacks.adaptive import Adaptive
from unskew.purple.attacks.base import Access, Aim, Ask, Attack, Readings, Scene, View
from unskew.purple.attacks.conjugate import Conjugate
from unskew.purple.attacks.lowppl import LowPerplexity
from unskew.purple.attacks.none import Nothing
from unskew.purple.attacks.prefill import Prefill
from unskew.purple.attacks.redteam import RedTeam
from unskew.purple.attacks.suffix import Suffix
from unskew.purple.attacks.transfer import Transfer

AnyAttack = Annotated[
    Nothing | RedTeam | Suffix | Transfer | LowPerplexity | Adaptive | Conjugate | Prefill,
    Field(discriminator="kind"),
]
"""An attack, as a configuration names it."""

__all__ = [
    "Access",
    "Adaptive",
    "Aim",
    "AnyAttack",
    "Ask",
    "Attack",
    "Conjugate",
    "LowPerplexity",
    "Nothing",
    "Prefill",
    "Readings",
    "RedTeam",
    "Scene",
    "Suffix",
    "Transfer",
    "View",
]
