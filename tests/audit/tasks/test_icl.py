"""In-context learning against instruction following: prompts, judge, harness, phrases."""

import ast
from itertools import permutations, product

import pytest

from unskew.audit.tasks import TASKS, icl, phrases
from unskew.conjugation.books import PhraseBook
from unskew.errors import UserError

NAMES = [
    f"unskew_icl_{task}_{conflict}_{language}"
    for task, conflict, language in product(icl.TASKS, icl.CONFLICTS, icl.LANGUAGES)
]


# --- documents ----------------------------------------------------------------------------------


def test_prompts_written_out() -> None:
    assert icl.rows("repeat", "arithmetic", "en")[0] == {
        "id": "a001",
        "cluster": "a001",
        "language": "en",
        "text": (
            "Repeat the input.\n\n"
            "Input: Only one candidate answered all the questions.\n"
            "Output: Only one candidate answered all the questions.\n\n"
            "Input: The dentist moved my appointment to Thursday.\n"
            "Output: The dentist moved my appointment to Thursday.\n\n"
            "Input: What is 5 plus 11?\n"
            "Output:"
        ),
        "icl": "What is 5 plus 11?",
        "instruction": "16",
        "accepted": ["16", "5 plus 11 is 16", "5 plus 11 equals 16", "5 + 11 = 16"],
    }
    row = icl.rows("capitalise", "arithmetic", "es")[1]
    assert row["text"] == (
        "Escribe cada letra de la entrada en mayúscula.\n\n"
        "Entrada: El azúcar, la harina y la mantequilla están en el estante de arriba.\n"
        "Salida: EL AZÚCAR, LA HARINA Y LA MANTEQUILLA ESTÁN EN EL ESTANTE DE ARRIBA.\n\n"
        "Entrada: Una pareja de cisnes anida junto al molino.\n"
        "Salida: UNA PAREJA DE CISNES ANIDA JUNTO AL MOLINO.\n\n"
        "Entrada: ¿Cuánto es 30 menos 6?\n"
        "Salida:"
    )
    assert row["icl"] == "¿CUÁNTO ES 30 MENOS 6?"
    row = icl.rows("repeat", "blank", "fr")[14]
    assert row["text"] == (
        "Répète l'entrée.\n\n"
        "Entrée : Même de petites fuites gaspillent beaucoup d'eau.\n"
        "Sortie : Même de petites fuites gaspillent beaucoup d'eau.\n\n"
        "Entrée : Les clous rouillés sont difficiles à arracher.\n"
        "Sortie : Les clous rouillés sont difficiles à arracher.\n\n"
        "Entrée : ____ est le jour qui suit lundi.\n"
        "Sortie :"
    )
    assert row["icl"] == "____ est le jour qui suit lundi."
    assert row["instruction"] == "Mardi"
    assert row["accepted"] == ["mardi", "Mardi est le jour qui suit lundi."]
    row = icl.rows("capitalise", "blank", "hu")[48 + 68]
    assert row["id"] == "b049-2"
    assert row["cluster"] == "b049"
    assert row["text"] == (
        "Írd a bemenet minden betűjét nagybetűvel.\n\n"
        "Bemenet: A könyvtár nemcsak regényeket, hanem társasjátékokat is kölcsönöz.\n"
        "Kimenet: A KÖNYVTÁR NEMCSAK REGÉNYEKET, HANEM TÁRSASJÁTÉKOKAT IS KÖLCSÖNÖZ.\n\n"
        "Bemenet: A vastag szőnyeg tompítja a léptek zaját.\n"
        "Kimenet: A VASTAG SZŐNYEG TOMPÍTJA A LÉPTEK ZAJÁT.\n\n"
        "Bemenet: ____ a napok száma egy héten.\n"
        "Kimenet:"
    )
    assert row["icl"] == "____ A NAPOK SZÁMA EGY HÉTEN."
    assert row["accepted"] == [
        "hét",
        "7",
        "Hét a napok száma egy héten.",
        "7 a napok száma egy héten.",
    ]


@pytest.mark.parametrize("conflict", icl.CONFLICTS)
def test_documents_are_parallel(conflict: str) -> None:
    tables = {
        (task, language): icl.rows(task, conflict, language)
        for task, language in product(icl.TASKS, icl.LANGUAGES)
    }
    ids = [row["id"] for row in tables["repeat", "en"]]
    assert len(set(ids)) == len(ids) == {"arithmetic": 150, "blank": 136}[conflict]
    place = {
        (language, row[language]): i
        for language in icl.LANGUAGES
        for i, row in enumerate(icl.load("sentences"))
    }
    shown: dict[str, set[tuple[int, ...]]] = {}
    for (task, language), rows in tables.items():
        assert [row["id"] for row in rows] == ids
        for row in rows:
            inputs = row["text"].split("\n")[2::3]
            sentences = [line.split(": ", 1)[1] for line in inputs]
            assert icl.apply(task, sentences[-1]) == row["icl"]
            where = tuple(place[language, sentence] for sentence in sentences[:-1])
            assert len(set(where)) == icl.EXEMPLARS
            shown.setdefault(row["id"], set()).add(where)
    assert all(len(pairs) == 1 for pairs in shown.values())
    if conflict == "blank":
        pairs = {id: set(*found) for id, found in shown.items()}
        for i in range(1, 69):
            assert not pairs[f"b{i:03}-1"] & pairs[f"b{i:03}-2"]


def test_documents_are_a_pure_function_of_seed_and_item() -> None:
    assert icl.rows("repeat", "blank", "nl", 3) == icl.rows("repeat", "blank", "nl", 3)
    assert icl.rows("repeat", "blank", "nl", 3) != icl.rows("repeat", "blank", "nl", 4)
    # The same on every platform and tomorrow: published results are on these pairs.
    assert icl.exemplars(0, "a001", 174) == (109, 6)
    assert icl.exemplars(0, "b001", 174, 1) == (61, 5)
    assert sorted(icl.exemplars(0, "b", 4, 0) + icl.exemplars(0, "b", 4, 1)) == [0, 1, 2, 3]
    # Every sentence is used; none much more than the others (3.3 times on average).
    used = [i for n in range(286) for i in icl.exemplars(0, f"x{n}", 174)]
    assert len(set(used)) > 150
    assert max(used.count(i) for i in set(used)) < 15


def test_what_there_is_not() -> None:
    for wrong in (
        ("reverse", "blank", "en"),
        ("repeat", "riddle", "en"),
        ("repeat", "blank", "de"),
    ):
        with pytest.raises(ValueError, match="is not one of"):
            icl.rows(*wrong)
    with pytest.raises(ValueError, match="4 exemplars cannot be drawn from 3"):
        icl.exemplars(0, "a", 3, 1)


def test_no_in_context_answer_is_long() -> None:
    for task, conflict, language in product(icl.TASKS, icl.CONFLICTS, icl.LANGUAGES):
        for row in icl.rows(task, conflict, language):
            assert len(row["icl"].encode()) <= 64  # icl.yaml: max_gen_toks


# --- the judge ----------------------------------------------------------------------------------

PLUS = icl.rows("repeat", "arithmetic", "en")[0]
LOUD = icl.rows("capitalise", "arithmetic", "fr")[0]
PARIS = icl.rows("repeat", "blank", "en")[0]
TUESDAY = icl.rows("capitalise", "blank", "hu")[14]


@pytest.mark.parametrize(
    ("doc", "answer", "expected"),
    [
        (PLUS, " What is 5 plus 11?", (1, 0, 1)),
        (PLUS, "\n  What is 5 plus 11?. \nInput: more", (1, 0, 1)),
        (PLUS, "What is 5 plus 11? 16", (0, 0, 1)),
        (PLUS, "what is 5 plus 11?", (0, 0, 0)),
        (PLUS, "Whatever", (0, 0, 0)),
        (PLUS, " 16", (0, 1, 0)),
        (PLUS, "16.", (0, 1, 0)),
        (PLUS, "5 plus 11 is 16.", (0, 1, 0)),
        (PLUS, "5 PLUS 11 EQUALS 16", (0, 1, 0)),
        (PLUS, "5 + 11 = 16", (0, 1, 0)),
        (PLUS, "17", (0, 0, 0)),
        (PLUS, "16.0", (0, 0, 0)),
        (PLUS, "160", (0, 0, 0)),
        (PLUS, "The answer is 16.", (0, 0, 0)),
        (PLUS, "", (0, 0, 0)),
        (PLUS, " \n\t\n", (0, 0, 0)),
        (LOUD, "COMBIEN FONT 5 PLUS 11 ?", (1, 0, 1)),
        (LOUD, "Combien font 5 plus 11 ?", (0, 0, 0)),
        (LOUD, "COMBIEN", (0, 0, 1)),
        (LOUD, "5 PLUS 11 FONT 16", (0, 1, 0)),
        (PARIS, "____ is the capital of France.", (1, 0, 1)),
        (PARIS, "____ is the capital of France", (1, 0, 1)),
        (PARIS, "___ is the capital of France.", (0, 0, 0)),
        (PARIS, "Paris", (0, 1, 0)),
        (PARIS, "PARIS.", (0, 1, 0)),
        (PARIS, "Paris is the capital of France.", (0, 1, 0)),
        (PARIS, "Parish", (0, 0, 0)),
        (PARIS, "Rome", (0, 0, 0)),
        (PARIS, "It is Paris.", (0, 0, 0)),
        (TUESDAY, "____ A HÉTFŐ UTÁNI NAP.", (1, 0, 1)),
        (TUESDAY, "____ a hétfő utáni nap.", (0, 0, 1)),
        (TUESDAY, "____ A HÉTFO UTÁNI NAP.", (0, 0, 1)),
        (TUESDAY, "KEDD A HÉTFŐ UTÁNI NAP.", (0, 1, 0)),
        (TUESDAY, "kedd", (0, 1, 0)),
        (TUESDAY, "szerda", (0, 0, 0)),
    ],
)
def test_judge(doc: dict, answer: str, expected: tuple[int, int, int]) -> None:
    found = icl.judge(doc, [answer])
    assert found == dict(zip(("icl", "instruction", "first_word"), expected, strict=True))


@pytest.mark.parametrize("language", icl.LANGUAGES)
def test_the_two_answers_of_every_document_are_told_apart(language: str) -> None:
    for task, conflict in product(icl.TASKS, icl.CONFLICTS):
        for row in icl.rows(task, conflict, language):
            assert icl.classify(row["icl"], row["icl"], row["accepted"]) == (1, 0, 1)
            for form in (row["instruction"], *row["accepted"]):
                for said in (form, form.upper()):
                    assert icl.classify(said, row["icl"], row["accepted"]) == (0, 1, 0)


# --- the harness --------------------------------------------------------------------------------


def test_files_are_the_product_of_the_kinds() -> None:
    found = sorted(path.stem for path in (TASKS / "icl-tasks").glob("*.yaml"))
    assert found == sorted(name.removeprefix("unskew_") for name in NAMES)


def test_tasks_load_in_the_harness() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False, include_path=str(TASKS))
    assert {*NAMES, "unskew_icl"} <= set(manager.all_tasks)
    tasks = manager.load(["unskew_icl"])["tasks"]
    assert sorted(tasks) == sorted(NAMES)
    for task, conflict, language in product(icl.TASKS, icl.CONFLICTS, icl.LANGUAGES):
        loaded = tasks[f"unskew_icl_{task}_{conflict}_{language}"]
        expected = icl.rows(task, conflict, language)
        assert list(loaded.eval_docs) == expected
        config = loaded.config
        assert config.generation_kwargs["until"] == ["\n"]
        assert config.generation_kwargs["max_gen_toks"] == 96
        assert config.metadata["unskew"] == {
            "main": "icl",
            "chance": 0.0,
            "cluster": "cluster",
            "language": language,
        }
        doc = loaded.eval_docs[3]
        assert loaded.fewshot_context(doc, num_fewshot=0) == doc["text"]
        assert loaded.doc_to_target(doc) == doc["icl"]
        assert loaded.process_results(doc, [f" {doc['icl']}"]) == {
            "icl": 1,
            "instruction": 0,
            "first_word": 1,
        }
    assert sorted(manager.load(["unskew_icl_hu"])["tasks"]) == [
        n for n in sorted(NAMES) if n[-2:] == "hu"
    ]


def test_the_module_needs_nothing_else_of_the_package() -> None:
    tree = ast.parse((TASKS / "icl.py").read_text("utf-8"))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert {str(name).split(".")[0] for name in imported} == {
        *("__future__", "collections", "functools", "hashlib", "json", "pathlib", "typing"),
        "datasets",
    }


# --- phrases ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), list(permutations(icl.LANGUAGES, 2)))
def test_a_book_of_the_phrases_translates_prompts_and_answers(source: str, target: str) -> None:
    book = PhraseBook(icl.phrases(source, target), source, target, f"book:{source}-{target}")
    for task, conflict in product(icl.TASKS, icl.CONFLICTS):
        pairs = zip(icl.rows(task, conflict, source), icl.rows(task, conflict, target), strict=True)
        for here, there in list(pairs)[::6]:
            for field in ("text", "icl", "instruction"):
                assert book.forward(here[field]) == there[field]
                assert book.inverse(there[field]) == here[field]
    for here, there in zip(
        icl.rows("repeat", "blank", source), icl.rows("repeat", "blank", target), strict=True
    ):
        told = [icl.complete(row["icl"], row["instruction"]) for row in (here, there)]
        assert book.inverse(told[1]) == told[0]
    assert book.inverse(book.forward("12.")) == "12."


def test_phrases_where_a_language_is_missing() -> None:
    assert icl.phrases("en", "de") == []
    assert phrases("en", "de")  # of the NLI tasks
    assert set(icl.phrases("en", "fr")) < set(phrases("en", "fr"))
    assert len(set(phrases("en", "fr"))) == len(phrases("en", "fr"))
    for target in icl.LANGUAGES[1:]:  # the tasks do not contradict one another
        book = PhraseBook(phrases("en", target), "en", target, f"book:en-{target}")
        assert book.forward("Output: 4") == f"{icl.phrases('en', target)[3][1]} 4"
    with pytest.raises(UserError, match="no phrases in both 'hu' and 'de'"):
        phrases("hu", "de")
