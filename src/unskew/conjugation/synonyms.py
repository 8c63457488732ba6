"""Pairs of words that the control `paraphrase` swaps, in six languages.

The two of a pair mean the same in most contexts, inflect alike and have one gender; where the
article depends on the sound that follows (a and an, le and l', a and az), both begin with a vowel
sound or both with a consonant. No word is in two pairs. Words that tasks use as labels (True,
False, yes, no, Input, Output) are in none. Not reviewed by native speakers.
"""

PAIRS = {
    "en": """
big large, bigger larger, biggest largest, begin start, begins starts, began started,
beginning starting, respond reply, responds replies, responded replied, responding replying,
repeat restate, repeats restates, repeated restated, repeating restating, pick select,
picks selects, picked selected, picking selecting, buys purchases, bought purchased,
buying purchasing, quick rapid, quickly rapidly, glad happy, child kid, children kids, street road,
streets roads, famous renowned, rich wealthy, richer wealthier, richest wealthiest,
scared frightened, scary frightening, strange weird, silent quiet, silently quietly, maybe perhaps,
mostly mainly, rarely seldom, completely fully, difficult challenging, doctor physician,
doctors physicians, mother mom, mothers moms, father dad, fathers dads, garbage trash, jump leap,
jumps leaps, jumping leaping, throw toss, throws tosses, threw tossed, throwing tossing,
build construct, builds constructs, built constructed, finish conclude, finishes concludes,
finished concluded, fix repair, fixes repairs, fixed repaired, fixing repairing, gather collect,
gathers collects, gathered collected, gathering collecting, stones rocks, path trail, paths trails,
ship vessel, ships vessels, bags sacks, coat jacket, coats jackets, company business,
companies businesses, pupils students, lady woman, ladies women, friend companion,
friends companions, story tale, stories tales, journey trip, journeys trips, sentence statement,
sentences statements, described depicted, describing depicting, correctly properly,
concise succinct, certainly surely, nevertheless nonetheless, therefore thus, everybody everyone,
somebody someone, anybody anyone
""",
    "fr": """
commencer débuter, commencent débutent, commençait débutait, commencé débuté, rapidement vite,
terminer finir, terminé fini, terminée finie, terminés finis, médecin docteur, médecins docteurs,
chemin sentier, chemins sentiers, bateau navire, bateaux navires, caillou galet, cailloux galets,
gamin gosse, gamins gosses, copain camarade, copains camarades, maison demeure, maisons demeures,
souvent fréquemment, seulement simplement, complètement totalement, certainement sûrement,
probablement vraisemblablement, cependant toutefois, choisir sélectionner, choisi sélectionné,
choisie sélectionnée, choisissez sélectionnez, choisis sélectionne, répéter redire, répétez redites,
répété redit, répondre répliquer, répondez répliquez, montrer présenter, montrez présentez,
montré présenté, acheter acquérir, acheté acquis, réparer raccommoder, réparé raccommodé,
peureux craintif
""",
    "es": """
comenzar empezar, comienza empieza, comienzan empiezan, comenzó empezó, comenzaron empezaron,
comenzando empezando, responder contestar, responde contesta, responda conteste, respondió contestó,
respondiendo contestando, terminar acabar, termina acaba, terminan acaban, terminado acabado,
rápidamente velozmente, maestra profesora, maestros profesores, maestras profesoras, camino sendero,
caminos senderos, barco buque, barcos buques, piedra roca, piedras rocas, niño chico, niña chica,
niños chicos, niñas chicas, repetir reiterar, repite reitera, repita reitere, elegir escoger,
elige escoge, elija escoja, elegido escogido, mostrar enseñar, muestra enseña, trabajo empleo,
trabajos empleos, solamente únicamente, completamente totalmente, seguramente ciertamente,
casa vivienda, casas viviendas, pregunta cuestión, preguntas cuestiones
""",
    "nl": """
snel vlug, snelle vlugge, sneller vlugger, misschien wellicht, vaak dikwijls, bijna nagenoeg,
helemaal volkomen, echter evenwel, daarom derhalve, jongen knaap, jongens knapen, steen kei,
stenen keien, bos woud, bossen wouden, kiezen selecteren, kiest selecteert, gekozen geselecteerd,
repareert herstelt, gerepareerd hersteld, huilt weent, roepen schreeuwen, roept schreeuwt,
verzamelen vergaren, verzamelt vergaart, verzameld vergaard, taak opdracht, vriend makker,
vrienden makkers, leraar docent, leraren docenten, leerling scholier, leerlingen scholieren,
beroemd vermaard, beroemde vermaarde, rijk vermogend, rijke vermogende, mooi fraai, mooie fraaie,
mooier fraaier, moeilijk lastig, moeilijke lastige, moeilijker lastiger, gemakkelijk eenvoudig,
gemakkelijke eenvoudige, raar vreemd
""",
    "de": """
schnell rasch, schnelle rasche, schnellen raschen, schneller rascher, antworten erwidern,
antwortet erwidert, antwortete erwiderte, vielleicht möglicherweise, oft häufig,
vollständig komplett, vollständige komplette, vollständigen kompletten, sofort unverzüglich,
jedoch allerdings, deshalb deswegen, wahrscheinlich vermutlich, berühmt bekannt, berühmte bekannte,
berühmten bekannten, einfach leicht, einfache leichte, einfachen leichten, einfacher leichter,
froh glücklich, klug gescheit, kluge gescheite, klugen gescheiten, seltsam merkwürdig,
seltsame merkwürdige, seltsamen merkwürdigen, kaufen erwerben, kauft erwirbt, kaufte erwarb,
gekauft erworben, ausgewählt ausgesucht, reden sprechen, redet spricht, arzt doktor, ärzte doktoren,
aufgabe übung, aufgaben übungen, geschichte erzählung, geschichten erzählungen, wald forst,
wälder forste, mitteilung nachricht, mitteilungen nachrichten
""",
    "hu": """
gyors sebes, gyorsan sebesen, gyorsabb sebesebb, talán tán, gyakran sokszor, majdnem csaknem,
teljesen tökéletesen, ezért emiatt, bizonyosan biztosan, valószínűleg vélhetően, válaszol felel,
válaszolt felelt, válaszolj felelj, válaszolni felelni, válaszolok felelek, kő szikla,
kövek sziklák, barát pajtás, barátok pajtások, tanuló diák, tanulók diákok, feladat teendő,
feladatok teendők, kép fénykép, képek fényképek, lány leány, lányok leányok, fiú srác, fiúk srácok,
gyerek gyermek, gyerekek gyermekek, híres neves, híresek nevesek, gazdag tehetős,
gazdagok tehetősek, szép gyönyörű, furcsa különös, furcsák különösek, okos eszes, okosan eszesen,
boldog vidám, boldogan vidáman, csendes halk, csendesen halkan, sír zokog, sírt zokogott,
vásárol vesz, vásárolt vett, vásárolni venni, kezdet kiindulás
""",
}
"""For each language its pairs: the two words of a pair apart by a space, pairs by commas. Hardly
one of these is a common word of another of the languages, so they serve a text in any."""

ALONE = {
    "en": """
question query, questions queries, text passage, texts passages, job task, jobs tasks,
photo picture, photos pictures, movie film, movies films, taxi cab, taxis cabs, pupil student,
nation country, nations countries, boss manager, bosses managers, cup mug, cups mugs, stone rock,
bag sack, smart clever, example illustration, examples illustrations, describe depict,
describes depicts
""",
    "fr": """
commence débute
""",
    "es": """
bonito lindo, bonita linda, bonitos lindos, bonitas lindas, maestro profesor
""",
    "nl": """
dokter arts, dokters artsen, vrouw dame, vrouwen dames, huilen wenen, repareren herstellen
""",
}
"""More pairs, for when the language is known: "question" is French too, "arts" is English."""
