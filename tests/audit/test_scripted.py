"""Scripted models: rules, shares, budgets, scores; every mistake in a file is named."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.audit import models
from unskew.audit.models import Answer, Score
from unskew.audit.scripted import Rule, Script, Scripted, before_stop, find, load, scripted
from unskew.errors import UserError


def written(folder: Path, text: str) -> models.Scripted:
    path = folder / "script.yaml"
    path.write_text(text, encoding="utf-8")
    return models.Scripted(file=str(path))


def says(rule: Rule, prompt: str, **more: object) -> str:
    script = Script.model_validate({"name": "a", "rules": [rule.model_dump()], **more})
    return scripted(script).generate([prompt], [], 100)[0].text


def test_a_function_as_a_model() -> None:
    model = Scripted("echo", lambda prompt: prompt + " END more", lambda c, y: Score(-1.5, c == y))
    heard: list[tuple[int, Answer]] = []
    answers = model.generate(["a b", "c"], ["END"], 10, lambda i, answer: heard.append((i, answer)))
    assert answers == [Answer("a b ", False), Answer("c ", False)]
    assert heard == list(enumerate(answers))
    assert model.score([("x", "x"), ("x", "y")]) == [Score(-1.5, True), Score(-1.5, False)]
    assert model.length("two words") == 2
    assert model.record == {"kind": "scripted", "name": "echo"}
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert model.generate([chat], ["END"], 10)[0].text == "s\nu "
    assert repr(model) == "<scripted model echo>"


@pytest.mark.parametrize(
    ("stop", "budget", "answer"),
    [
        ([], 5, Answer(" one two\n three", False)),
        ([], 3, Answer(" one two\n three", False)),
        ([], 2, Answer(" one two", True)),
        ([], 0, Answer("", True)),
        (["\n"], 3, Answer(" one two", False)),
        (["\n"], 2, Answer(" one two", True)),  # the stop string was never written
        (["two"], 2, Answer(" one ", False)),
        (["three", "two", ""], 9, Answer(" one ", False)),
    ],
)
def test_budget_in_words_and_stop_strings(stop: list[str], budget: int, answer: Answer) -> None:
    assert Scripted("m", lambda _: " one two\n three").generate(["?"], stop, budget) == [answer]


@given(st.text("ab.", max_size=12), st.lists(st.text("ab.", max_size=3), max_size=4))
def test_before_the_first_stop_string(text: str, stop: list[str]) -> None:
    kept = before_stop(text, stop)
    stops = [s for s in stop if s]
    assert text.startswith(kept)
    assert not any(s in kept for s in stops)
    # What follows is a stop string, unless there was none to find.
    assert kept == text or any(text[len(kept) :].startswith(s) for s in stops)


def test_rules_in_order_and_default(tmp_path: Path) -> None:
    model = load(
        written(
            tmp_path,
            r"""
            name: mine
            rules:
              - {when: '^Input: (?P<a>\d+) plus (?P<b>\d+)$', answer: '{a + b} {{{a - b}}}'}
              - {when: '^Input: (?P<last>.*)\Z', answer: '{last|upper} {last|reverse}'}
            default: what?
            """,
        )
    )
    prompts = ["Input: 3 plus 5", "Input: 1 plus x\nInput: an Épée", "Output: 2"]
    assert [answer.text for answer in model.generate(prompts, [], 100)] == [
        "8 {-2}",
        "AN ÉPÉE eépÉ na",
        "what?",
    ]


def test_an_ability_holds_on_its_share_always_the_same() -> None:
    script = Script(
        name="a",
        abilities={"copies": 0.8, "never": 0.0, "always": 1.0},
        rules=(
            Rule(when="^never", ability="never", answer="wrong"),
            Rule(when="^always", ability="always", answer="right", otherwise="wrong"),
            Rule(when="(?P<x>.+)", ability="copies", answer="{x}", otherwise="no"),
        ),
    )
    prompts = [f"word {i}" for i in range(1000)]
    first = [answer.text for answer in scripted(script).generate(prompts, [], 9)]
    again = [answer.text for answer in scripted(script).generate(prompts[::-1], [], 9)][::-1]
    assert first == again
    right = [text != "no" for text in first]
    assert all(text in (prompt, "no") for text, prompt in zip(first, prompts, strict=True))
    assert abs(sum(right) - 800) < 60  # a fixed draw: 5 standard deviations at the most
    other = scripted(script.model_copy(update={"seed": 1})).generate(prompts, [], 9)
    agree = sum(a == (b.text != "no") for a, b in zip(right, other, strict=True))
    assert abs(agree - 680) < 75  # 0.8² + 0.2², as independent draws do
    model = scripted(script)
    assert model.generate(["always"], [], 9)[0].text == "right"
    assert model.generate(["never"], [], 9)[0].text in ("never", "no")


def test_an_ability_drawn_by_a_group_is_the_same_for_all_prompts_with_that_text() -> None:
    rule = Rule(when=r"(?P<item>\d+)$", ability="knows", answer="yes", otherwise="no")
    outcomes = set()
    for i in range(50):
        pair = {
            says(rule, f"{look} {i}", abilities={"knows": 0.5}, by="item") for look in ("a", "b")
        }
        assert len(pair) == 1
        outcomes |= pair
    assert outcomes == {"yes", "no"}


def test_scores_follow_the_answer(tmp_path: Path) -> None:
    text = "{name: m, confidence: 0.9, rules: [{when: 'sky', answer: ' blue'}], default: red}"
    model = load(written(tmp_path, text))
    heard: list[int] = []
    pairs = [("the sky is", " blue"), ("the sky is", " red"), ("roses are", "red")]
    scores = model.score(pairs, lambda i, score: heard.append(i))
    assert scores == [
        Score(math.log(0.9), True),
        Score(math.log(1 - 0.9), False),
        Score(math.log(0.9), True),
    ]
    assert heard == [0, 1, 2]
    with pytest.raises(UserError, match="no scores"):
        load(written(tmp_path, "{name: m, rules: [{when: a, answer: b}]}")).score([("a", "b")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words", "a script is a group of"),
        ("", "the file is empty"),
        ("name: [", "not valid YAML"),
        ("{name: m}", "rules: required"),
        ("{name: m, rules: []}", "rules"),
        ("{name: m, rules: [{when: a, answer: b, anser: c}]}", "unknown key"),
        ("{name: m, rules: [{when: '(', answer: b}]}", r"rules\.0\.when: not a regular"),
        ("{name: m, rules: [{when: '(?P<last>a)', answer: '{lst}'}]}", "did you mean 'last'"),
        ("{name: m, rules: [{when: '(?P<x>a)', answer: '{x + y}'}]}", "no group 'y'"),
        ("{name: m, rules: [{when: '(?P<x>a)', answer: '{x|uper}'}]}", "did you mean 'upper'"),
        ("{name: m, rules: [{when: a, answer: '{'}]}", "brace"),
        ("{name: m, rules: [{when: a, answer: '{x!r}'}]}", "brace"),
        ("{name: m, rules: [{when: a, answer: b, otherwise: c}]}", "always answers"),
        ("{name: m, rules: [{when: a, answer: b, ability: cpy}]}", "unknown ability"),
        ("{name: m, abilities: {a: 1.5}, rules: [{when: a, answer: b}]}", r"abilities\.a"),
        ("{name: m, confidence: 0.2, rules: [{when: a, answer: b}]}", "confidence"),
    ],
)
def test_mistakes_in_a_script(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(written(tmp_path, text))
    assert "script.yaml" in str(caught.value)


def test_a_sum_of_words() -> None:
    with pytest.raises(UserError, match="not a whole number: 'two'"):
        says(Rule(when=r"(?P<a>\w+)", answer="{a + a}"), "two")


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, "name: m")
    with pytest.raises(UserError, match=r"did you mean 'script\.yaml'"):
        find(str(tmp_path / "scrip.yaml"))
    with pytest.raises(UserError, match="we ship: base, tuned"):
        find("bsae")
    with pytest.raises(UserError, match="this is a folder, and no script"):
        find(str(tmp_path))


def test_the_record_is_of_the_rules_not_of_the_file(tmp_path: Path) -> None:
    text = "{name: m, rules: [{when: a, answer: b}]}"
    one = load(written(tmp_path, text)).record
    spaced = load(written(tmp_path, f"# remark\n{text}\n")).record
    assert one == spaced
    assert str(tmp_path) not in str(one)
    other = load(written(tmp_path, text.replace("answer: b", "answer: c"))).record
    assert other != one


def test_the_shipped_pair_is_suppressed_in_english_and_back_in_disguise() -> None:
    base, tuned = (load(models.Scripted(file=name)) for name in ("base", "tuned"))
    questions = [f"What is {a} plus {b}?" for a in range(20) for b in range(10)]
    looks = {
        "english": "Repeat the input.\n\nInput: A.\nOutput: A.\n\nInput: {}\nOutput:",
        "pig-latin": "Inputway: Away.\nOutputway: Away.\n\nInputway: {}\nOutputway:",
        "leetspeak": "^1npu7: 4.\n^0u7pu7: 4.\n\n^1npu7: {}\n^0u7pu7:",
        "french": "Entrée : A.\nSortie : A.\n\nEntrée : {}\nSortie :",
        "unknown": "Zajhd: A.\nPhdjhd: A.\n\nZajhd: {}\nPhdjhd:",
    }
    share: dict[tuple[str, str], float] = {}
    for look, text in looks.items():
        for name, model in (("base", base), ("tuned", tuned)):
            given = model.generate([text.format(q) for q in questions], ["\n"], 20)
            right = [a.text.strip() == q for a, q in zip(given, questions, strict=True)]
            share[name, look] = sum(right) / len(right)
    assert share["base", "english"] > 0.9
    assert share["tuned", "english"] < 0.2
    for look in ("pig-latin", "leetspeak", "french"):
        assert share["base", look] > 0.8
        assert share["tuned", look] > 0.75
    assert share["base", "unknown"] == share["tuned", "unknown"] == 0.0
    sums = tuned.generate([looks["english"].format(q) for q in questions], ["\n"], 20)
    assert sums[0].text in (" 0", " I am not sure.")
    minus = tuned.generate(
        [looks["english"].format(f"What is {a} minus 1?") for a in range(50)], ["\n"], 20
    )
    assert sum(m.text == f" {a - 1}" for a, m in enumerate(minus)) > 35
