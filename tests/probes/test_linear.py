"""Linear probes find what is there, and nothing in shuffled labels."""

import numpy as np
import pytest

from probes import facts
from unskew.probes.documents import Document
from unskew.probes.linear import _shuffled, decoded, linear, why_not


def told(n: int, classes: int, width: int, signal: float, seed: int = 0):
    """States that hold the class in a direction each, under noise: states, labels, clusters."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(classes, size=n)
    states = signal * np.eye(classes, width)[codes] + rng.normal(size=(n, width)) / np.sqrt(width)
    return states, [f"l{c}" for c in codes], [f"d{i}" for i in range(n)]


def test_it_reads_what_is_there_and_shuffled_labels_read_chance() -> None:
    states, labels, clusters = told(300, 4, 40, signal=2.0)
    assert decoded(states, labels, clusters, seed=0).mean() > 0.95
    rng = np.random.default_rng(1)
    found = [decoded(states, list(rng.permutation(labels)), clusters, 0).mean() for _ in range(20)]
    assert abs(np.mean(found) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 300 / 20) + 0.02


def test_the_dual_form_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    states, labels, clusters = told(40, 3, 90, signal=0.5)
    right = decoded(states, labels, clusters, seed=3, ridge=0.1, folds=4)
    order = np.random.default_rng(3).permutation(40)
    names, codes = np.unique(labels, return_inverse=True)
    fold = (order % 4)[np.unique(clusters, return_inverse=True)[1]]
    wanted = np.zeros(40)
    for held in range(4):
        train, test = fold != held, fold == held
        scaler = StandardScaler().fit(states[train])
        model = Ridge(alpha=0.1 * 90).fit(scaler.transform(states[train]), np.eye(3)[codes[train]])
        wanted[test] = model.predict(scaler.transform(states[test])).argmax(1) == codes[test]
    assert names.size == 3
    np.testing.assert_array_equal(right, wanted)


def test_a_cluster_is_never_predicted_from_itself() -> None:
    # Each cluster has its own state, and a label by chance: seen before, it would be known.
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(60, 90))
    labels = [f"l{c}" for c in rng.integers(2, size=60) for _ in range(5)]
    clusters = [f"d{i}" for i in range(60) for _ in range(5)]
    right = decoded(np.repeat(centre, 5, axis=0), labels, clusters, seed=0)
    assert right.reshape(60, 5).mean(1).mean() < 0.75
    single = decoded(np.repeat(centre, 5, axis=0), labels, [f"{i}" for i in range(300)], seed=0)
    assert single.mean() > 0.95


def test_constant_states_predict_the_commonest_class() -> None:
    labels = ["a"] * 30 + ["b"] * 10
    right = decoded(np.ones((40, 5)), labels, [str(i) for i in range(40)], seed=0)
    assert right.tolist() == [1.0] * 30 + [0.0] * 10


def test_a_model_that_knows_is_told_from_one_that_does_not() -> None:
    knows, not_ = (facts.family()[name] for name in ("original", "oracle"))
    found, none = (linear(m, facts.colours(), seed=0) for m in (knows, not_))
    assert found.scores.shape == found.control.shape == (3, facts.THINGS)
    assert found.scores[-1].mean() > 0.9
    assert found.scores[0].mean() < 0.4  # the last token itself is the same in all of them
    assert none.scores.mean(1).max() < 0.45
    assert found.control.mean(1).max() < 0.35


def test_labels_that_differ_in_a_cluster_are_shuffled_too() -> None:
    """A premise with three hypotheses: the first label of each is the same."""
    documents = [Document(f"p{c} {k}", k, f"c{c}") for c in range(42) for k in "tfn"]
    assert why_not(documents) is None
    labels, clusters = [d.kind for d in documents], [d.cluster for d in documents]
    states = np.eye(3)[["tfn".index(k) for k in labels]]
    assert decoded(states, labels, clusters, 0).mean() == 1.0
    dealt = [_shuffled(labels, clusters, 0, draw) for draw in range(20)]
    assert all(sorted(one) == sorted(labels) for one in dealt)
    control = np.mean([decoded(states, one, clusters, 0).mean() for one in dealt])
    assert abs(control - 1 / 3) < 0.05


def test_what_shares_a_label_in_a_cluster_still_does_and_draws_are_as_ever() -> None:
    labels, clusters = list("aabbcca"), ["u", "u", "v", "v", "w", "w", "x"]
    found = _shuffled(labels, clusters, 1, 2)
    order = np.random.default_rng([1, 2]).permutation(4)
    assert found[::2] == ["abca"[i] for i in order]
    assert found[1::2] == found[:5:2]


def test_why_not() -> None:
    assert why_not(facts.colours()) is None
    distinct = [Document(f"p{i}", f"a{i}", f"c{i}") for i in range(30)]
    assert "no classes" in (why_not(distinct) or "")
    same = [Document(f"p{i}", f"a{i % 2}", f"a{i % 2}") for i in range(30)]
    assert "no classes" in (why_not(same) or "")
    few = [Document(f"p{i}", f"a{i % 2}", f"c{i}") for i in range(4)]
    assert "fewer than 5" in (why_not(few) or "")
    with pytest.raises(ValueError, match="no classes"):
        linear(facts.untrained(), distinct, 0)


def test_of_answers_that_are_sentences_the_labels_are_the_classes() -> None:
    from unskew.probes.documents import Document
    from unskew.probes.linear import why_not

    told = [Document(f"What of {i}?", f"Thing {i} is c{i % 3}.", f"{i}") for i in range(30)]
    assert "no classes to tell" in str(why_not(told))
    assert why_not([d._replace(label=d.answer[-3:-1]) for d in told]) is None
