"""From the harness's samples to rows, and what is refused as unpaired."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from unskew.audit import records
from unskew.audit.conjugated import Trace
from unskew.audit.models import Score
from unskew.errors import UserError


def source(**changes: Any) -> records.Source:
    plain = records.Source("t", "base", "identity", "plain", None, None, False)
    return plain._replace(**changes)


def generated(doc_id: int, **metrics: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id, "doc": {"source": f"s{doc_id // 2}"}, "target": "x",
        "arguments": [("prompt", {})], "resps": [["raw"]], "filtered_resps": ["raw"],
        "filter": "none", "metrics": list(metrics), "doc_hash": f"d{doc_id}",
        "target_hash": "t", **metrics,
    }  # fmt: skip


def chosen(doc_id: int, logprobs: list[float], target: int, labels: Any = (" yes", " no")) -> dict:
    return generated(doc_id, acc=1.0) | {
        "arguments": [("prompt", label) for label in labels],
        "filtered_resps": [(value, False) for value in logprobs],
        "target": target,
    }


def test_rows_say_what_was_sent_and_what_came_back():
    traces = {("t", 0, 0): Trace("SENT", "RAW", "answer", True, None, truncated="answer")}
    row = records.rows(source(cluster="source"), [generated(0, hit=True, note="n")], traces)[0]
    assert row["prompt"] == "SENT"
    assert row["raw"] == "RAW"
    assert row["answer"] == "answer"
    assert row["metric"] == "hit"
    assert row["score"] == 1.0
    assert json.loads(row["metrics"]) == {"hit": 1.0, "note": None}
    assert row["cluster"] == "s0"
    assert row["truncated"] == "answer"
    assert not row["refused"]


def test_a_refused_sample_has_no_score():
    traces = {("t", 0, 0): Trace("", "", "", refused="no vowels")}
    row = records.rows(source(), [generated(0, hit=1.0)], traces)[0]
    assert row["score"] is None
    assert json.loads(row["metrics"]) == {"hit": None}
    assert row["refused"]
    assert row["why"] == "no vowels"


def test_an_answer_without_an_inverse_keeps_its_score_and_its_reason():
    traces = {("t", 0, 0): Trace("p", "r", "r", True, unanswerable="not in the book")}
    row = records.rows(source(), [generated(0, hit=0.0)], traces)[0]
    assert row["score"] == 0.0
    assert not row["refused"]
    assert row["why"] == "not in the book"


def test_labels_are_calibrated_by_what_the_document_adds():
    # "no" is a longer label under s and always the less likely; documents 2 and 3 favour it.
    samples = [
        chosen(0, [-1.0, -9.0], 0),
        chosen(1, [-1.0, -9.0], 0),
        chosen(2, [-2.0, -5.0], 1),
        chosen(3, [-2.0, -5.0], 1),
    ]
    rows = records.rows(source(choices=True), samples, {})
    assert [row["metric"] for row in rows] == ["acc_calibrated"] * 4
    assert [row["score"] for row in rows] == [1.0] * 4
    plain = records.rows(source(choices=True, main="acc"), samples, {})
    assert [row["metric"] for row in plain] == ["acc"] * 4


def test_a_label_that_no_document_makes_possible_is_never_chosen():
    samples = [chosen(i, [-1.0, -math.inf, -2.0 - i], 0, (" a", " b", " c")) for i in range(3)]
    samples[2] |= {"filtered_resps": [(-5.0, False), (-math.inf, False), (-1.0, False)]}
    rows = records.rows(source(choices=True), samples, {})
    assert [row["metric"] for row in rows] == ["acc_calibrated"] * 3
    assert [row["score"] for row in rows] == [1.0, 1.0, 0.0]


def test_a_document_without_a_source_shares_none():
    three = [generated(i, hit=1.0) | {"doc": {"source": name}} for i, name in enumerate("21")]
    three.append(generated(2, hit=1.0) | {"doc": {"source": None}})
    rows = records.rows(source(cluster="source"), three, {})
    assert [row["cluster"] for row in rows[:2]] == ["2", "1"]
    assert len({row["cluster"] for row in rows}) == 3
    assert [row["cluster"] for row in records.rows(source(), three, {})] == ["0", "1", "2"]


def test_choices_of_their_own_are_not_calibrated():
    samples = [
        chosen(0, [-1.0, -2.0], 0),
        chosen(1, [-1.0, -2.0], 1, labels=(" cat", " dog")),
    ]
    rows = records.rows(source(choices=True), samples, {})
    assert {row["metric"] for row in rows} == {"acc"}


def test_a_refused_choice_stays_out_of_the_calibration():
    samples = [chosen(0, [-1.0, -1.5], 0), chosen(1, [-1e30, -1e30], 0), chosen(2, [-3, -1], 1)]
    no = Trace("", "", "", refused="unsound")
    traces = {("t", doc, i): Trace("p", "r", " yes", True, score=Score(-1, False))
              for doc in (0, 2) for i in (0, 1)}  # fmt: skip
    traces |= {("t", 1, i): no for i in (0, 1)}
    scores = [row["score"] for row in records.rows(source(choices=True), samples, traces)]
    assert scores == [1.0, None, 1.0]


def test_the_first_filter_or_the_named_one():
    samples = [generated(0, hit=0.0), generated(0, hit=1.0) | {"filter": "strict"}]
    assert records.rows(source(), samples, {})[0]["score"] == 0.0
    assert records.rows(source(main="hit,strict"), samples, {})[0]["score"] == 1.0
    with pytest.raises(UserError, match="no filter 'loose'"):
        records.rows(source(main="hit,loose"), samples, {})


@pytest.mark.parametrize(
    ("metrics", "main", "said"),
    [
        ({"text": "x"}, None, "no metric with a number"),
        ({"hit": 1.0}, "miss", r"'miss' is no metric .* \(there are: hit\)"),
        ({"length": 12.0}, None, "'length' is not between 0 and 1"),
    ],
)
def test_metrics_that_cannot_be_paired_are_refused(metrics: dict, main: str | None, said: str):
    with pytest.raises(UserError, match=said):
        records.rows(source(main=main), [generated(0, **metrics)], {})


def table(*arms: tuple[str, str, list[dict[str, Any]]]) -> Any:
    rows = [
        row
        for arm, conjugation, samples in arms
        for row in records.rows(source(arm=arm, conjugation=conjugation), samples, {})
    ]
    return records.table(rows)


def test_pairing_accepts_the_same_documents_in_any_order():
    two = [generated(0, hit=1.0), generated(1, hit=0.0)]
    records.paired(table(("base", "identity", two), ("tuned", "identity", two[::-1])))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ([generated(0, hit=1.0)], "document 1 is in one of them only"),
        ([generated(0, hit=1.0), generated(0, hit=1.0)], "document 0 is there twice"),
        ([generated(0, hit=1.0), generated(1, hit=1.0) | {"doc_hash": "z"}], "another text"),
        ([generated(0, hit=1.0), generated(1, hit=1.0) | {"target_hash": "z"}], "another target"),
        ([generated(0, acc=1.0), generated(1, acc=1.0)], "different metrics"),
    ],
)
def test_pairing_refuses_what_cannot_be_compared(other: list, said: str):
    two = [generated(0, hit=1.0), generated(1, hit=0.0)]
    with pytest.raises(UserError, match=said):
        records.paired(table(("base", "identity", two), ("tuned", "identity", other)))


def test_conjugated_logs_pair_among_themselves():
    two = [generated(0, hit=1.0), generated(1, hit=0.0)]
    other = [one | {"doc_hash": one["doc_hash"] + "s"} for one in two]
    arms = [
        ("base", "identity", two), ("tuned", "identity", two),
        ("base", "s", other), ("tuned", "s", other),
    ]  # fmt: skip
    records.paired(table(*arms), apart=True)
    with pytest.raises(UserError, match="another text"):
        records.paired(table(*arms))
    arms[3] = ("tuned", "s", two)
    with pytest.raises(UserError, match="another text"):
        records.paired(table(*arms), apart=True)


def test_half_of_a_surrogate_pair_does_not_break_the_table(tmp_path: Path):
    traces = {("t", 0, 0): Trace("p", "a\ud800b 😀", "ab", True)}
    found = records.table(records.rows(source(), [generated(0, hit=1.0)], traces))
    assert found["raw"][0] == "a\ufffdb 😀"
    found.to_parquet(tmp_path / "records.parquet")
