"""Documents: read with file and line where they are wrong, split by clusters, dealt anew."""

import json
from pathlib import Path

import numpy as np
import pytest

from unskew.errors import UserError
from unskew.probes.documents import Document, dealt_anew, parts, read


def some(clusters: int, answers: int = 3, each: int = 2) -> list[Document]:
    return [
        Document(f"What is {c}, asked {i}?", f"a{c % answers}", f"c{c}")
        for c in range(clusters)
        for i in range(each)
    ]


def test_a_file_is_read_in_order_and_clusters_may_be_left_out(tmp_path: Path) -> None:
    rows = [
        {"prompt": "P", "answer": "A", "cluster": "x"},
        {"prompt": "Q", "answer": "B"},
        {"prompt": "Q", "answer": "C"},
        {"prompt": "Q", "answer": "B"},
    ]
    file = tmp_path / "d.jsonl"
    file.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n")
    found = read(file)
    assert [(d.prompt, d.answer) for d in found] == [(r["prompt"], r["answer"]) for r in rows]
    assert found[0].cluster == "x"
    assert found[1].cluster == found[3].cluster != found[2].cluster


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not JSON"),
        ("[1]", "not an object"),
        ('{"prompt": "P"}', "'answer'"),
        ('{"prompt": " ", "answer": "A"}', "'prompt'"),
        ('{"prompt": "P", "answer": 3}', "'answer'"),
        ('{"prompt": "P", "answer": "A", "label": 1}', "'label'"),
        ('{"prompt": "P", "answer": "A", "cluster": 1}', "'cluster'"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path, line: str, what: str) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text('{"prompt": "P", "answer": "A"}\n' + line + "\n")
    with pytest.raises(UserError, match=what) as caught:
        read(file)
    assert "d.jsonl, line 2" in str(caught.value)


def test_a_line_ends_where_json_lines_end(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    texts = ["a\u2028b", "c\x85d"]  # ends of lines to `splitlines`, not to JSON
    lines = [json.dumps({"prompt": t, "answer": "A"}, ensure_ascii=False) + "\r\n" for t in texts]
    file.write_text("".join(lines), "utf-8")
    assert [document.prompt for document in read(file)] == texts


def test_a_file_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n \n")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    for name in ("none", "empty", "binary"):
        with pytest.raises(UserError, match=rf"{name}\.jsonl"):
            read(tmp_path / f"{name}.jsonl")


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.99])
def test_no_cluster_is_both_taught_and_asked(share: float) -> None:
    documents = some(20)
    found = parts(documents, share, seed=3)
    taught, asked = ({d.cluster for d in part} for part in found)
    assert taught
    assert asked
    assert not taught & asked
    assert sorted([*found.taught, *found.asked]) == sorted(documents)
    assert len(taught) == min(max(1, round(share * 20)), 19)
    assert parts(documents, share, seed=3) == found
    with pytest.raises(UserError, match="one cluster"):
        parts(some(1), share, seed=0)


@pytest.mark.parametrize(("clusters", "answers"), [(12, 3), (7, 3), (9, 9), (5, 2)])
def test_dealt_anew_every_answer_comes_as_often_and_none_is_kept(
    clusters: int, answers: int
) -> None:
    documents = some(clusters, answers)
    found = dealt_anew(documents, seed=1)
    assert [(d.prompt, d.cluster) for d in found] == [(d.prompt, d.cluster) for d in documents]
    assert sorted(d.answer for d in found) == sorted(d.answer for d in documents)
    if 2 * max(sum(d.answer == a for d in documents) for a in ("a0", "a1")) <= len(documents):
        assert all(a.answer != b.answer for a, b in zip(found, documents, strict=True))
    assert len({(d.cluster, d.answer) for d in found}) == clusters
    with pytest.raises(UserError, match="the same"):
        dealt_anew(some(4, 1), seed=0)


LABELS = ("True", "False", "Neither")


def labelled(clusters: int, seed: int | None) -> list[Document]:
    """A premise with three hypotheses each; the right labels in one order, or in any."""
    rng = np.random.default_rng(seed)
    return [
        Document(f"{c} {label}", label, f"c{c}")
        for c in range(clusters)
        for label in (LABELS if seed is None else rng.permutation(LABELS).tolist())
    ]


@pytest.mark.parametrize("order", [None, 3])
def test_labels_that_clusters_share_are_dealt_one_by_one(order: int | None) -> None:
    documents = labelled(42, order)
    found = dealt_anew(documents, seed=0)
    assert found == dealt_anew(documents, seed=0) != dealt_anew(documents, seed=1)
    assert [(d.prompt, d.cluster) for d in found] == [(d.prompt, d.cluster) for d in documents]
    assert sorted(d.answer for d in found) == sorted(d.answer for d in documents)
    assert not any(a.answer == b.answer for a, b in zip(found, documents, strict=True))
    # Whoever knows the right label knows no more than that it is another: of two each is as likely.
    pairs = [pair for seed in range(20)
             for pair in zip(documents, dealt_anew(documents, seed), strict=True)]  # fmt: skip
    for label in LABELS:
        new = [after.answer for before, after in pairs if before.answer == label]
        first = new.count(LABELS[label == LABELS[0]]) / len(new)
        assert abs(first - 0.5) < 4 * 0.5 / len(new) ** 0.5


def test_an_answer_that_most_have_is_left_to_as_few_as_can_be() -> None:
    documents = [Document(f"{c} {i}", "b" if i else "a", f"c{c}") for c in range(9) for i in (0, 1)]
    more = [Document(f"m{c}", "a", f"m{c}") for c in range(4)]
    found = dealt_anew([*documents, *more], seed=0)
    kept = [
        d.answer for d, e in zip(found, [*documents, *more], strict=True) if d.answer == e.answer
    ]
    assert kept == ["a"] * 4  # 13 of 22 have it: only 9 others can be had


def test_where_clusters_share_no_answer_each_gets_one_of_another_cluster() -> None:
    """As sentences that say one fact in two ways: what a cluster is told stays one thing."""
    documents = [Document(f"{c} {i}", f"it is {c}, {i}", f"c{c}") for c in range(9) for i in (0, 1)]
    found = dealt_anew(documents, seed=0)
    firsts = {f"it is {c}, 0": f"c{c}" for c in range(9)}
    assert not set(dealt_anew(documents[:2], 0)) & set(
        documents
    )  # of one cluster they change places
    assert {d.answer for d in found} == set(firsts)
    assert all(firsts[d.answer] != d.cluster for d in found)
    assert [d.answer for d in found[::2]] == [d.answer for d in found[1::2]]


def test_what_is_dealt_where_a_cluster_has_one_answer_stays_the_same() -> None:
    """Tables that are kept were made with these draws."""
    found = dealt_anew(some(7, 3), seed=1)
    assert [d.answer for d in found[::2]] == ["a1", "a2", "a0", "a2", "a0", "a0", "a1"]


def test_a_label_is_the_class_of_a_sentence(tmp_path: Path) -> None:
    line = '{"prompt": "P", "answer": "It is red.", "label": "red"}'
    (tmp_path / "one.jsonl").write_text(line + '\n{"prompt": "Q", "answer": "red"}\n')
    assert [document.kind for document in read(tmp_path / "one.jsonl")] == ["red", "red"]
