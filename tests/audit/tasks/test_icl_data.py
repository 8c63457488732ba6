"""The parallel data of icl: correct form, one meaning per row, and no sentence from a template.

Rules can find a row that lost its place, a language in the wrong column or a lazy list of
sentences; they cannot find bad style. No native speaker has reviewed the data.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations

import pytest

from unskew.audit.tasks import icl

# Words that carry grammar, by which a sentence's frame and language are known.
_FUNCTION = {
    "en": """
        a above across after again all along already although always an and another are around as
        at away be because been before behind between both but by can could did do does down
        during each even every for from had half has have he her here him his how i if in into is
        it its less many may me more most much must my near neither never nine no nobody nor not
        nothing of off on one only onto or other other's our out over she should since so some
        someone somewhere ten than that the their them there these they this those three through
        to too two under until up us very was we were what when where which while who whoever
        whose why will with without would you your
    """,
    "fr": """
        a ai après assez au aucun aussi autre autres aux avaient avait avant avec beaucoup bien c
        ce celui ces cet cette chacun chaque chez cinq comme comment d dans de depuis derrière des
        dont du déjà elle elles en entre est et ici il ils j jamais je jusqu l la le les leur
        leurs m ma mais me mes mon même n ne ni nos notre nous on ont ou où par pas pendant
        personne peu plus pour près qu quand que quel quelqu quelque qui rien s sa sans se sera
        ses si soit sommes son sont sous suis sur t ta te tes ton toujours tous tout toute toutes
        trop très tu un une va vers veut votre vous à ça étaient était été être
    """,
    "es": """
        a al algo alguien algunas algún ambos antes aquí aunque ayer bajo cada cerca cinco como
        con cuando cuánto de del demasiado desde después donde durante dónde el ella ellos en
        entre era eran es esa ese esta estaba estaban este estos está están esté fue ha había han
        hasta hay he junto la las le les lo los me menos mi mientras mis mucha muchas mucho muy
        más nada nadie ni ningún no nos nuestra nuestro nuestros nunca otra otro para pero por que
        quien qué se ser si sin sobre solo son su sus también tan tanto te toda todas todo todos
        tras tu tus tú u un una unas unos va y ya yo él
    """,
    "nl": """
        aan achter al alle als beide ben bij boven daar dan dat de deze die dit door een elk
        elkaar elke en er ergens ervan gaan gaat geen haar had heb hebben heeft hem het hier hij
        hoe hoewel hun ieder iemand ik in is je jij jouw kan kunnen kunt langs maar mag me meer
        meeste met mij mijn minder moet moeten mogen na naar naast niemand niet niets noch nog
        nooit of om onder ons onze ook op over rond s sinds slechts sommige te ter terwijl tien
        tijdens toen tot tussen u uit van veel voor waar waren was wat we weer wie wij wil worden
        wordt zal ze zelfs zich zij zijn zo zonder zou
    """,
    "hu": """
        a aki akinek alatt ami amikor amíg arról az azt be bár csak de e ebbe ebben egy egyes el
        előtt előtti ennek erre ez ezekben ezt fel föl fölé fölött ha hanem haza hogy hol három is
        itt kell kellene kevesebb kevés ki kis körül között közötti közül le legtöbb lenne lenni
        lesz ma meg mellett mentén mert mi miatt mielőtt miközben milyen minden mindenkinek mindig
        mindkét mint már még míg mögé nagyon ne nekem nekünk nem nemcsak nélkül ott rá sem semmi
        senki soha sohasem sok szeretne szó te ti tíz több túl után utáni vagy valahol valaki
        volna volt át én és óta ő ők
    """,
}
# Letters and their sequences, which decide where function words do not.
_SPELLING = {
    "en": "th sh wh ly gh ing ck ea k w",
    "fr": "à â ç è ê é î ô œ ù eau eux ou oi ai",
    "es": "ñ á é í ó ú ¿ ¡ ción rr ue",
    "nl": "ij aa ee oe ui uu sch ou k w",
    "hu": "á é í ó ö ő ú ü ű sz gy ny cs zs k",
}
_LETTERS = {
    "en": "",
    "fr": "àâçéèêëîïôœùûü",
    "es": "áéíñóúü",
    "nl": "ëéèïöüó",
    "hu": "áéíóöőúüű",
}
FUNCTION = {language: set(words.split()) for language, words in _FUNCTION.items()}
SPELLING = {language: signs.split() for language, signs in _SPELLING.items()}
LANGUAGES = icl.LANGUAGES
SENTENCES = icl.load("sentences")
BLANKS = icl.load("blanks")
SUMS = icl.load("arithmetic")
WORDS = icl.load("icl-words")
PLAIN = (*SENTENCES, *BLANKS)
_NAMES = (
    "Anna Clara Daniel David Emma Eva Hugo Julia Laura Lena Martin Nora Oscar Robert Sara Simon "
    "Victor"
)
NAMES = set(_NAMES.split())
CAPITALISED = {"I", "January", "Monday", "Tuesday", "Thursday", "Friday", "Sundays", "Portuguese"}


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def weights(text: str) -> dict[str, float]:
    """How much speaks for each language: a function word counts one, shared among the languages
    that have it, and a spelling a tenth."""
    return {
        language: sum(
            1 / sum(word in other for other in FUNCTION.values())
            for word in words(text)
            if word in FUNCTION[language]
        )
        + 0.1 * sum(sign in text.lower() for sign in SPELLING[language])
        for language in LANGUAGES
    }


def templates(sentences: Sequence[str], language: str) -> list[str]:
    """What looks like sentences from one template: three words in a row shared by two of them; a
    frame (function words and gaps) or a sequence of function words shared; more than two content
    words shared. Hungarian says by endings what the others say by function words, so there a
    frame counts if it has three of them, and four sentences may share a shorter one."""
    functional = FUNCTION[language]
    runs, frames, orders = defaultdict(set), defaultdict(set), defaultdict(set)
    for i, sentence in enumerate(sentences):
        tokens = words(sentence)
        for k in range(len(tokens) - 2):
            runs[" ".join(tokens[k : k + 3])].add(i)
        kept = [word for word in tokens if word in functional]
        frames[" ".join(w if w in functional else "_" for w in tokens), len(kept)].add(i)
        orders[" ".join(kept), len(kept)].add(i)
    found = [run for run, where in runs.items() if len(where) > 1]
    for (frame, kept), where in frames.items():
        allowed = 4 if language == "hu" and kept < 3 else 1
        found += [frame] if len(where) > allowed else []
    found += [o for (o, kept), where in orders.items() if kept > 3 and len(where) > 1]
    contents = [set(words(sentence)) - functional for sentence in sentences]
    found += [" ".join(a & b) for a, b in combinations(contents, 2) if len(a & b) > 2]
    return found


# --- form ---------------------------------------------------------------------------------------


def test_how_many() -> None:
    assert len(SENTENCES) == 174
    assert len(BLANKS) == 68
    assert len(SUMS) == 150
    for rows in (SENTENCES, BLANKS, SUMS, WORDS):
        assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_are_whole_and_different(language: str) -> None:
    for row in (*PLAIN, *WORDS):
        text = row[language]
        assert set(row) - {"answers"} == {"id", *LANGUAGES}
        assert text
        assert text == text.strip() == unicodedata.normalize("NFC", text)
        assert "  " not in text
        foreign = {c for c in text.lower() if c.isalpha() and not c.isascii()}
        assert foreign <= set(_LETTERS[language])
    assert max(Counter(row[language].casefold() for row in (*PLAIN, *WORDS)).values()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_sentence_each_of_plain_length(language: str) -> None:
    low, high = (5, 12) if language == "en" else (4, 13)
    for row in SENTENCES:
        assert low <= len(words(row[language])) <= high, row["id"]
        assert row[language][0] in "¡" or row[language][0].isupper()
    for row in PLAIN:
        text = row[language]
        assert len(re.findall(r"[.!?…;:]", text)) == 1, row["id"]  # one sentence, one end
        assert text[-1] == row["en"][-1]
        # An exemplar that is a question would say how questions are to be treated.
        assert text[-1] in ".!"
        assert ("¡" in text) == (language == "es" and text[-1] == "!")
        assert text.endswith(" !") == (language == "fr" and text[-1] == "!")
    assert {row[language][-1] for row in SENTENCES} == {".", "!"}


# --- parallelism --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_numbers_and_names(language: str) -> None:
    for row in PLAIN:
        numbers = [sorted(re.findall(r"\d+", row[code])) for code in ("en", language)]
        assert numbers[0] == numbers[1], row["id"]
    for row in SENTENCES:
        for name in NAMES:
            there = rf"\b{name}"
            assert bool(re.search(there, row["en"])) == bool(re.search(there, row[language])), row
    assert {n for n in NAMES for row in SENTENCES if n in row["en"]} == NAMES


def test_no_name_is_left_out_of_the_list() -> None:
    for row in SENTENCES:
        inside = re.findall(r"(?<!^)\b[A-Z]\w*", row["en"])
        assert set(inside) <= {*NAMES, *CAPITALISED}, row["id"]


def test_days_and_months_are_the_same() -> None:
    said = {
        "January": ("janvier", "enero", "januari", "január"),
        "Monday": ("lundi", "lunes", "maandag", "hétfő"),
        "Tuesday": ("mardi", "martes", "dinsdag", "kedd"),
        "Thursday": ("jeudi", "jueves", "donderdag", "csütörtök"),
        "Friday": ("vendredi", "viernes", "vrijdag", "péntek"),
        "Sundays": ("dimanche", "domingo", "zondag", "vasárnap"),
    }
    for row in SENTENCES:
        for word, others in said.items():
            for language, other in zip(LANGUAGES[1:], others, strict=True):
                assert (word in row["en"]) == (other in row[language].lower()), row["id"]


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_lengths_are_alike(language: str) -> None:
    for row in PLAIN:
        assert 0.55 < len(row[language]) / len(row["en"]) < 1.75, row["id"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_is_in_its_language(language: str) -> None:
    for row in PLAIN:
        found = weights(row[language])
        others = [weight for code, weight in found.items() if code != language]
        assert found[language] > max(others) + 1e-9, (row["id"], found)


def test_no_text_is_the_same_in_two_languages() -> None:
    same = [
        (row["id"], a, b)
        for row in (*PLAIN, *WORDS)
        for a, b in combinations(LANGUAGES, 2)
        if row[a].casefold() == row[b].casefold()
    ]
    assert same == [("plus-is", "en", "nl")]  # "7 plus 5 is 12" in both


# --- variety ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_sentences_come_from_one_template(language: str) -> None:
    assert templates([row[language] for row in SENTENCES], language) == []


@pytest.mark.parametrize(
    ("language", "lazy"),
    [
        ("en", ["The cat sleeps in the kitchen.", "The dog eats in the garden."]),
        ("fr", ["Le chat dort dans la cuisine.", "Le chien mange dans la cour."]),
        ("es", ["El gato duerme en la cocina.", "El perro come en la calle."]),
        ("nl", ["De kat slaapt in de keuken.", "De hond eet in de tuin."]),
        ("hu", ["A macska a konyhában alszik.", "A kutya a kertben eszik."] * 3),
        ("hu", ["A gomb kapcsolja be az autót.", "A kar állítja be az órát."]),
        ("en", ["Green glass bottles fell.", "We sold bottles of glass: green, brown."]),
        ("en", ["She wrote at the end.", "By then, at the end, he slept."]),
    ],
)
def test_lazy_sentences_would_be_found(language: str, lazy: list[str]) -> None:
    assert templates(lazy, language)


def test_english_has_many_words() -> None:
    content = {word for row in SENTENCES for word in words(row["en"])} - FUNCTION["en"]
    assert len({word for word in content if word.isalpha()}) >= 600


# --- questions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_blanks_begin_and_have_answers_of_one_word(language: str) -> None:
    for row in BLANKS:
        question, answers = row[language], row["answers"][language]
        assert question.startswith(icl.BLANK + " ")
        assert "_" not in question.removeprefix(icl.BLANK)
        assert len(answers[0].split()) == 1
        assert answers[0].isalpha()
        assert len({answer.casefold() for answer in answers}) == len(answers)
        # The question does not hold its answer.
        assert not {answer.casefold() for answer in answers} & set(words(question))
    firsts = [row["answers"][language][0].casefold() for row in BLANKS]
    assert len(set(firsts)) == len(firsts)


def test_answers_have_the_same_numbers_in_every_language() -> None:
    for row in BLANKS:
        digits = {
            tuple(a for a in row["answers"][language] if a.isdecimal()) for language in LANGUAGES
        }
        assert len(digits) == 1
    assert sum("7" in row["answers"]["hu"] for row in BLANKS) == 1


def test_sums() -> None:
    seen = set()
    for row in SUMS:
        a, b, plus = row["a"], row["b"], row["sign"] == "plus"
        n = a + b if plus else a - b
        assert row["sign"] in ("plus", "minus")
        assert 0 <= n <= 40
        assert n not in (a, b)  # else the answer would stand in the question
        seen.add((frozenset((a, b)), "plus") if plus else (a, b))
    assert len(seen) == len(SUMS)
    assert Counter(row["sign"] for row in SUMS) == {"plus": 75, "minus": 75}


def test_words_with_slots_have_the_same_slots() -> None:
    for row in WORDS:
        slots = {tuple(sorted(re.findall(r"{\w+}", row[language]))) for language in LANGUAGES}
        assert len(slots) == 1
