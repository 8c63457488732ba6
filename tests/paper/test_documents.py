"""The list of claims: every one has its place, its threshold and a way to its table."""

import re

import pytest

from unskew.errors import UserError
from unskew.paper.claims import AREAS
from unskew.paper.documents import answers, chosen, claims
from unskew.paper.laboratory import ORDER
from unskew.paper.parts import parts
from unskew.paper.shelf import Shelf
from unskew.report.claims import claims as laboratory
from unskew.runs.config import presets


def test_ids_are_words_and_differ() -> None:
    ids = [claim.id for claim in claims()]
    assert len(set(ids)) == len(ids) > 30
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", id) for id in ids)
    assert {claim.area for claim in claims()} == set(AREAS)
    for claim in claims():
        assert claim.text
        assert claim.threshold
        assert claim.documents
        assert claim.sources


def test_every_part_is_used_and_every_source_has_one() -> None:
    asked = {(s.part, scale) for claim in claims() for scale, s in claim.sources.items()}
    assert asked == set(parts())


def test_the_laboratory_claims_are_in_the_order_of_their_verdicts() -> None:
    words = {
        "bayes": "one family alone", "bayes-mixture": "mixture", "trade-off-gain": "lowers",
        "trade-off-loss": "raises", "closest": "hurts", "skew": "skews", "skew-rivals": "rival",
        "conjugate": "brings back", "conjugate-controls": "nothing back",
    }  # fmt: skip
    assert tuple(words) == ORDER
    for id, said in zip(ORDER, laboratory({}), strict=True):
        assert words[id] in said.text


def test_commands_name_presets_that_ship() -> None:
    for part in parts().values():
        assert part.takes
        for command in part.commands:
            if (found := re.fullmatch(r"unskew (run|purple) (\S+)", command)) is not None:
                prefix = "purple-" if found[1] == "purple" else ""
                assert prefix + found[2] in presets()


def test_thresholds_are_those_of_the_experiments() -> None:
    asked = {claim.id: claim.threshold for claim in claims()}
    assert asked["bayes"] == "at most 1.1 × Bayes"
    assert asked["conjugate"] == "net, more than 40%"
    assert asked["icl-lost"] == "at least 40 points"
    assert asked["icl-back"] == "net, at least 30%"
    assert asked["dpo-passes"] == "at least 95% defended"
    assert asked["perplexity-falls"] == "at least 20 points taken"


def test_unknown_ids_are_mistakes_with_the_nearest() -> None:
    assert [claim.id for claim in chosen(["skew", "bayes", "skew"])] == ["skew", "bayes"]
    assert chosen([]) == list(claims())
    with pytest.raises(UserError, match="did you mean 'conjugate'"):
        chosen(["conjugat"])


def test_nothing_there_is_not_run() -> None:
    found = answers(Shelf(None))
    assert {one.finding.word for one in found} == {"not run"}
    assert all(one.part is not None and one.places == () for one in found)
    at_paper = {one.claim.id: one.part for one in answers(Shelf(None), "paper")}
    assert at_paper["likelihood"] is None
    assert at_paper["code-lost"] is not None
