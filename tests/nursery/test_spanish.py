"""Spanish by its written rules: gender, el agua, contraction, agreement, ¿ ... ?"""

import re

from nursery.surface_tables import adjectives, noun_phrases, rows, said, words
from unskew.nursery.lexicon import Noun
from unskew.nursery.meanings import Clause, Described, Located, Name

# Feminine, but with el and un, as they begin with a stressed a.
STRESSED = {"agua", "águila", "ala", "ancla", "arpa", "hacha"}


def test_the_data_mark_the_same_nouns_as_here() -> None:
    assert {row["es"] for row in rows("nouns") if row["es_article"]} == STRESSED
    # The others that begin with a: stressed later.
    others = {row["es"] for row in rows("nouns") if re.match("h?[aá]", row["es"])} - STRESSED
    feminine = {row["es"] for row in rows("nouns") if row["es_gender"] == "f"}
    later = {"abeja", "aceituna", "actriz", "aguja", "alcachofa", "almendra", "almohada"}
    later |= {"ambulancia", "araña", "ardilla", "avellana", "harina"}
    assert others & feminine == later


def test_articles_agree_with_their_noun() -> None:
    allowed = {
        ("m", "singular"): {"el", "del", "al", "un", "este", "mi"},
        ("f", "singular"): {"la", "una", "esta", "mi"},
        ("m", "plural"): {"los", "unos", "estos", "mis"},
        ("f", "plural"): {"las", "unas", "estas", "mis"},
    }
    articles = set().union(*allowed.values())
    counted = 0
    for tokens, at, gender, number, text in noun_phrases("es"):
        article = tokens[at - 1]
        if article not in articles or tokens[at - 2 : at - 1] == ["y"]:
            continue  # a number, a verb before bread, no before apples
        stressed = gender == "f" and number == "singular" and tokens[at] in STRESSED
        expected = allowed[gender, number]
        expected = {"el", "del", "al", "un", "esta", "mi"} if stressed else expected
        assert article in expected, text
        counted += 1
    assert counted > 2000


def test_numbers_agree_with_their_noun() -> None:
    for tokens, at, gender, _, text in noun_phrases("es"):
        if tokens[at - 1] in ("veintiún", "veintiuna"):
            assert tokens[at - 1] == ("veintiuna" if gender == "f" else "veintiún"), text
        if tokens[at - 2 : at - 1] == ["y"]:
            assert tokens[at - 1] not in ("uno", "una" if gender == "m" else "un"), text


def test_no_unos_under_negation() -> None:
    bare = 0
    for meaning, text in said("es"):
        assert not re.search(r"\bno \w+ un[oa]s\b", text), text
        if not isinstance(meaning, Clause) or not meaning.negated or not meaning.object:
            continue
        thing = meaning.object
        if thing.determiner == "a" and thing.plural and isinstance(thing.noun, Noun):
            assert re.search(rf"\bno \w+ {thing.noun.es.plural}\b", text), text
            bare += 1
    assert bare > 3


def test_contraction() -> None:
    contracted = 0
    for _, text in said("es"):
        assert not re.search(r"\b(de|a) el\b", text), text
        contracted += len(re.findall(r"\b(del|al)\b", text))
    assert contracted > 100


def test_adjectives_agree_and_follow() -> None:
    table, counted = adjectives("es"), 0
    for tokens, at, gender, number, text in noun_phrases("es"):
        if at + 1 < len(tokens) and tokens[at + 1] in table:
            assert (gender, number) in table[tokens[at + 1]], text
            counted += 1
        if text[0] != "¿":  # ¿Es roja la manzana?
            assert tokens[at - 1] not in table, text
    assert counted > 300


def test_predicates_agree_and_take_their_copula() -> None:
    table = adjectives("es")
    gender_of = {row["en"]: row["es_gender"] for row in rows("nouns")}
    names = {row["en"]: row["gender"] for row in rows("names")}
    estar = {
        form for row in rows("adjectives") if row["es_copula"] == "estar" for form in row.values()
    }
    counted = [0, 0]
    for meaning, text in said("es"):
        if not isinstance(meaning, Described):
            continue
        noun = meaning.subject.noun
        english = noun.en if isinstance(noun, Name) else noun.en.singular.removeprefix("*")
        gender = names[english] if isinstance(noun, Name) else gender_of[english]
        last = words(text)[-1]
        assert (gender, "plural" if meaning.subject.many else "singular") in table[last], text
        copula = words(text)[-2]
        assert copula.startswith("est") == (last in estar), text
        counted[last in estar] += 1
    assert min(counted) > 20


def test_where_something_is_takes_estar() -> None:
    forms = {True: {"están", "estaban", "estarán"}, False: {"está", "estaba", "estará"}}
    for meaning, text in said("es"):
        if isinstance(meaning, Located):
            assert set(words(text)) & forms[meaning.subject.many], text


def test_verbs_agree_in_number() -> None:
    columns = ("es", "es_past", "es_future")
    for meaning, text in said("es"):
        if isinstance(meaning, Clause):
            column = columns[("present", "past", "future").index(meaning.tense)]
            column += "_plural" if meaning.subject.many else ""
            assert set(words(text)) & {row[column] for row in rows("verbs")}, text


def test_questions_stand_between_marks() -> None:
    for _, text in said("es"):
        assert text.startswith("¿") == text.endswith("?"), text
        assert text.lstrip("¿")[0].isupper() or text.lstrip("¿")[0].isdigit(), text
