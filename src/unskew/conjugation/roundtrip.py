"""How well a conjugation can be undone on given texts: the share that comes back, else chrF.

chrF (Popović 2015, https://aclanthology.org/W15-3049) compares character n-grams of what came back
with the text itself; sacrebleu computes it, with its defaults, over the whole corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from unskew.conjugation.base import Conjugation
from unskew.errors import UserError

EXAMPLES = 5


class Failure(NamedTuple):
    """A text that was refused or did not come back.

    Attributes:
        at: its place among the texts, from 0.
        text: the text.
        back: what the round trip made of it; None where a direction refused.
        why: the reason of the refusal; None where there was none.
    """

    at: int
    text: str
    back: str | None
    why: str | None


class RoundTrip(NamedTuple):
    """The round trip inverse(forward(text)) over n texts.

    Attributes:
        n: texts.
        admissible: those that forward accepted.
        exact: those that came back as they were.
        share: exact / n; None without texts.
        chrf: corpus chrF of the admissible texts, 0 to 100; where an image has no inverse, an empty
            text is counted. 100 if all of them came back exactly, None if there are none.
        failures: the first few texts that did not come back exactly, refused ones included.
    """

    n: int
    admissible: int
    exact: int
    share: float | None
    chrf: float | None
    failures: list[Failure]


def roundtrip_report(conjugation: Conjugation, texts: Sequence[str]) -> RoundTrip:
    """The round trip of each text. Raises UserError if chrF is needed and sacrebleu is missing."""
    texts = list(texts)
    images = conjugation.forward_all(texts)
    sent = [i for i, image in enumerate(images) if isinstance(image, str)]
    returned = conjugation.inverse_all([image for image in images if isinstance(image, str)])
    backs = dict(zip(sent, returned, strict=True))
    exact, failures = 0, []
    for i, text in enumerate(texts):
        back = backs.get(i, images[i])  # where there is none, the image is the refusal
        if back == text:
            exact += 1
        elif isinstance(back, str):
            failures.append(Failure(i, text, back, None))
        else:
            failures.append(Failure(i, text, None, back.why))
    chrf = None
    if sent:
        came = [back if isinstance(back, str) else "" for back in returned]
        chrf = 100.0 if exact == len(sent) else chrf_of(came, [texts[i] for i in sent])
    share = exact / len(texts) if texts else None
    return RoundTrip(len(texts), len(sent), exact, share, chrf, failures[:EXAMPLES])


def chrf_of(texts: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF, 0 to 100. Raises UserError where sacrebleu is missing."""
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise UserError(
            "some texts do not come back exactly, and to say how close they come needs sacrebleu",
            hint="install it with: pip install 'unskew[lm]'",
        ) from None
    return float(CHRF().corpus_score(list(texts), [list(references)]).score)
