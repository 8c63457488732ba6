"""The data files: enough words, clean text, no form that could be two things."""

import re
import unicodedata
from collections import Counter, defaultdict

import pytest

from nursery.surface_tables import DATA, rows
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.lexicon import CATEGORY, Word, lexicon, plain
from unskew.nursery.split import forms

FILES = ("nouns", "adjectives", "verbs", "names", "times")
KINDS = set(
    (
        "person animal fruit vegetable food drink garment tool vehicle instrument furniture thing"
        f" room site {CATEGORY}"
    ).split()
)
# The words of the grammars; no content word may look like one of these.
FUNCTION = {
    "en": "a an the this these my some any not is are was were will be do does did in on under near"
    " behind of front next to what colour where plus minus equals yes no at",
    "fr": "le la les l un une des de du d au aux à ce cet cette ces mon ma mes ne n pas est sont"
    " était étaient sera seront a ont dans sur sous près derrière devant côté en que qu où quelle"
    " couleur combien font plus moins égale oui non et",
    "es": "el la los las un una unos unas este esta estos estas mi mis no es son era eran será"
    " serán está están estaba estaban estará estarán en sobre debajo cerca detrás delante al lado"
    " de del a qué color dónde cuánto más menos igual sí y por",
    "qon": "zul gon bir dol kar moru selvi kelu zon pel kor tal nur tel gan lun ber sor min vel dan"
    " goze bani duvo kersi lorpa mezi tandu zeki norva gilo rupen",
}


def test_there_are_enough_words() -> None:
    words = [word for word in lexicon() if getattr(word, "kind", None) != CATEGORY]
    assert len(set(words)) == len(words) >= 400
    counts = Counter(type(word).__name__ for word in words)
    assert counts["Noun"] >= 300
    assert min(counts["Adjective"], counts["Verb"], counts["Name"]) >= 50
    assert sum(adjective.colour for adjective in lexicon().adjectives) >= 10


@pytest.mark.parametrize("name", FILES)
def test_files_are_utf_8_composed_and_without_stray_signs(name: str) -> None:
    raw = (DATA / f"{name}.csv").read_bytes()
    text = raw.decode("utf-8")
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    assert unicodedata.normalize("NFC", text) == text
    assert set(text) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_*,'- \náéíóúñüàâèéêëîïôœùûçÁÉàÎ"
    )
    assert all(cell == cell.strip() for row in rows(name) for cell in row.values())


def test_columns_hold_what_they_may() -> None:
    for row in rows("nouns"):
        assert row["kind"] in KINDS
        assert {row["fr_gender"], row["es_gender"]} <= {"m", "f"}
        assert row["es_article"] in ("", "el")
        plurals = [row["en_plural"], row["fr_plural"], row["es_plural"]]
        assert all(plurals) or not any(plurals)
    for row in rows("adjectives"):
        assert row["fr_place"] in ("before", "after")
        assert row["es_copula"] in ("ser", "estar")
        assert set(row["kinds"].split()) <= KINDS - {CATEGORY}
    for row in rows("verbs"):
        assert row["fr_auxiliary"] in ("avoir", "être")
        assert set((row["subjects"] + " " + row["objects"]).split()) <= KINDS - {CATEGORY}
        assert not (row["fr_auxiliary"] == "être" and row["objects"])
        assert not {"person", "animal"} & set(row["objects"].split())
    for row in rows("names"):
        assert (row["kind"] == "city") == (row["gender"] == "")
        assert row["kind"] in ("person", "city", "country")
    for name in FILES:
        optional = {"en_plural", "fr_plural", "es_plural", "es_article", "fr_m_vowel", "gender"}
        optional |= {"objects", "goal", "colour"}
        for row in rows(name):
            assert [k for k, cell in row.items() if not cell and k not in optional] == []


def test_every_row_has_all_its_cells_read() -> None:
    found = lexicon()
    assert [len(part) for part in vars(found).values()] == [len(rows(name)) for name in FILES]
    cat, eat = found.noun("cat"), found.verb("eat")
    assert (cat.fr.gender, cat.fr.plural, cat.es.plural) == ("m", "chats", "gatos")
    assert (eat.en.past, eat.fr.participle, eat.es.past_plural) == ("ate", "mangé", "comieron")
    assert found.adjective("beautiful").fr.vowel == "bel"
    assert found.noun("water").mass
    assert found.noun("eagle").es.article == "el"
    assert found.noun("fruit").kind == found.category("fruit").kind == CATEGORY
    for missing in (
        found.noun,
        found.category,
        found.adjective,
        found.verb,
        found.name,
        found.time,
    ):
        with pytest.raises(KeyError):
            missing("zyzzyva")


def test_singular_and_plural_and_all_tenses_differ_in_every_language() -> None:
    for noun in lexicon().nouns:
        if not noun.mass:
            for form in (noun.en, noun.fr, noun.es):
                assert form.singular != form.plural
    for verb in lexicon().verbs:
        assert len(set(verb.en)) == 3
        assert len(set(verb.es)) == 6
        assert (
            len({verb.fr.present, verb.fr.present_plural, verb.fr.future, verb.fr.future_plural})
            == 4
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_form_is_of_two_words(language: str) -> None:
    """So a held-out word never looks like one that training sees."""
    owners: dict[str, list[Word]] = defaultdict(list)
    for word in lexicon():
        for form in forms(word, language):  # type: ignore[arg-type]
            owners[form].append(word)
    assert {form: found for form, found in owners.items() if len(found) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_looks_like_grammar(language: str) -> None:
    grammar = set(FUNCTION[language].split())
    times = set(lexicon().times)
    found = {
        form
        for word in lexicon()
        if word not in times
        for form in forms(word, language)  # type: ignore[arg-type]
    }
    assert found & grammar == set()
    assert all(re.fullmatch(r"\w+", form) for form in found)


def test_accents_of_spanish_plurals_and_feminines() -> None:
    """A word in -ón, -ín, -án loses its accent in the plural; all else adds s, es or ces."""
    for noun in lexicon().nouns:
        one, many = plain(noun.es.singular), noun.es.plural
        if many is None:
            continue
        if one.endswith(("ón", "ín", "án", "ún")) and one != "túnel":
            bare = one[:-2] + {"ó": "o", "í": "i", "á": "a", "ú": "u"}[one[-2]] + "n"
            assert many == bare + "es"
        elif one.endswith("z"):
            assert many == one[:-1] + "ces"
        else:
            assert many == one + ("s" if one[-1] in "aeiouéá" else "es")
    for adjective in lexicon().adjectives:
        m, f, many, many_f = adjective.es[:4]
        assert (f, many_f) == ((m[:-1] + "a", m[:-1] + "as") if m.endswith("o") else (m, many))


def test_french_plurals_and_feminines_follow_a_rule_or_a_known_exception() -> None:
    for noun in lexicon().nouns:
        one, many = plain(noun.fr.singular), noun.fr.plural and plain(noun.fr.plural)
        if many is None:
            continue
        if one.endswith(("eau", "eu")) or one in ("hibou", "chou"):
            assert many == one + "x"
        elif one.endswith("al"):
            assert many == one[:-2] + "aux"
        else:
            assert many == one + "s"
    for adjective in lexicon().adjectives:
        m, f, many, many_f = map(plain, adjective.fr[:4])
        if m in ("marron", "orange"):
            assert {m, f, many, many_f} == {m}
            continue
        assert many_f == f + "s"
        assert many == (m if m[-1] in "sx" else m + ("x" if m.endswith("eau") else "s"))
        known = {"beau": "belle", "nouveau": "nouvelle", "vieux": "vieille", "long": "longue"}
        known |= {"blanc": "blanche", "violet": "violette", "frais": "fraîche", "gros": "grosse"}
        known |= {"léger": "légère", "cher": "chère", "gentil": "gentille"}
        regular = m if m.endswith("e") else m[:-1] + "se" if m.endswith("x") else m + "e"
        assert f == known.get(m, regular)


def test_french_verbs_follow_a_rule_or_a_known_exception() -> None:
    for verb in lexicon().verbs:
        present, many, participle, future, future_many, _ = verb.fr
        assert future.endswith("ra")
        assert future_many == future[:-1] + "ont"
        if participle.endswith("é") and present != "va" and future != "enverra":
            assert many == present + "nt"
            assert future == present + "ra"
            endings = str.maketrans("èê", "eê")
            assert participle[:-1] == present[:-1].translate(endings).replace("jett", "jet")


def test_spanish_verbs_follow_their_endings() -> None:
    for verb in lexicon().verbs:
        present, many, past, past_many, future, future_many = verb.es
        assert many == present + "n"
        assert future.endswith("rá")
        assert future_many == future + "n"
        irregular = {"vio": "vieron", "fue": "fueron", "trajo": "trajeron"}
        if past in irregular:
            assert past_many == irregular[past]
        else:  # -ar: compró, compraron; -er, -ir: comió, comieron; construyó, construyeron
            assert past.endswith("ó")
            verb_in_ar = present.endswith("a")
            stem = past[:-1] if verb_in_ar else past.removesuffix("ó").removesuffix("i")
            middle = "a" if verb_in_ar else "e" if stem.endswith("y") else "ie"
            assert past_many == f"{stem}{middle}ron"
