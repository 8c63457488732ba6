"""Rules that parallel texts must keep: what a reader without the languages can still check.

`spoken` names a text's language by its function words and telling letters; the rest compares a
text with its English twin.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

# Commonest words (articles, pronouns, prepositions, auxiliaries, question words, a few verbs) and,
# with a dash in front, groups of letters that hardly another of these languages has. A word that
# only one of the candidates has counts twice, another word and a group of letters once.
WORDS = {
    "en": "the a is are on in at of to and with for his her has have had been was were by before"
    " than this that all no not there it she he how what which why where who do does did can"
    " should you your me my i give tell write describe explain name make up suggest an any"
    " each speaks works somebody made went from like only more much many would paid bought as"
    " if -th -wh -ing -ould -igh",
    "fr": "le la les des du de est sont et dans avec un une elle il sur pas que qui ses son au aux"
    " en pour deux tout toute nous vous je tu sans plus avant jamais a ont été était comment"
    " quelle quelles quel quels quoi pourquoi combien ce cette cinq six font ou où mon ma moi"
    " fait ai lire dit dois écris décris à peu lieu -eau -oix -qu' -l' -d' -n' -s' -m' -ê -è"
    " -ç -œ -eux -oir -aire -tte",
    "es": "el los las del es está son y con una en su sus que no se lo por para más de al dos hay"
    " ha un tiene fue hizo como qué cómo cuál cuánto cuántos cuánta dónde quién mi me este"
    " esta nunca todo todas tres cinco la habla todavía nadie a describe escribe vende"
    " pertenece -ñ -¿ -ó -ción -á -í -ando",
    "de": "der die das ist sind und mit ein eine einen einem einer nicht in im am auf den dem des"
    " von zu hat er sie es ihr ihre sein seine war wie was noch nie als zwei alle alles"
    " niemand kein keine gerade an bei -sch -ß -ü -ä -ö -cht",
    "nl": "de het een is zijn van en met voor op ik je mijn niet in aan te dat die wat hoe welke"
    " welk waar waarom hoeveel kan moet om uit er naar over hebben heeft als twee vijf drie"
    " bij door zou -ij -aa -oe -ee -uu -oo -sch -uit",
    "hu": "a az egy és hogy hogyan milyen mennyi mi miért hány van volt nem kell ki meg el le be"
    " mit melyik mely hol ha is két három öt vagy ez adj írj írd -ő -ű -ö -ú -sz -á -gy -zs"
    " -ny -ály -ék -ák -nak -nek -ból -ből -ban -ben -ról -ről",
}  # fmt: skip


def words(text: str) -> list[str]:
    """Lower-case words; an elided one ("l'", "qu'") stands on its own."""
    return re.findall(r"[^\W\d_]+'?", text.lower())


def spoken(text: str, languages: Sequence[str]) -> str | None:
    """Which of the languages the text is in; None for a tie."""
    entries = {language: set(WORDS[language].split()) for language in languages}
    shared = Counter(entry for known in entries.values() for entry in known)
    lower, found = text.lower(), words(text)
    scores = {}
    for language, known in entries.items():
        letters = [entry[1:] for entry in known if entry.startswith("-")]
        scores[language] = sum(group in lower for group in letters) + sum(
            2 if shared[word] == 1 else 1 for word in found if word in known
        )
    best = max(scores.values())
    leaders = [language for language, score in scores.items() if score == best]
    return leaders[0] if len(leaders) == 1 else None


def numerals(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+", text))


def sentences(text: str) -> int:
    return len(re.findall(r"[.?!](?=\s|$)", text))


def breaches(texts: Mapping[str, str], ratio: tuple[float, float]) -> list[str]:
    """What is wrong with one item, a text by language with English among them.

    ratio: least and largest length of a text, in characters, by that of the English one.
    """
    found, english = [], texts["en"]
    for language, text in texts.items():
        if text != " ".join(text.split()) or not text:
            found.append(f"{language}: empty, or odd white space")
        if spoken(text, list(texts)) != language:
            found.append(f"{language}: reads like {spoken(text, list(texts))}: {text}")
        if numerals(text) != numerals(english):
            found.append(f"{language}: other numerals")
        if sentences(text) != sentences(english) or text[-1] != english[-1]:
            found.append(f"{language}: other sentences or final mark")
        if ("¿" in text) != (language == "es" and "?" in english):
            found.append(f"{language}: an opening mark lacks or is too many")
        if not ratio[0] <= len(text) / len(english) <= ratio[1]:
            found.append(f"{language}: {len(text) / len(english):.2f} times as long: {text}")
        if re.search(r"[’‘“”«»]", text):
            found.append(f"{language}: curly marks, which a model may not give back")
    if len(set(texts.values())) < len(texts):
        found.append("two languages have the same text")
    return found
