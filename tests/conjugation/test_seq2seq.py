"""The plumbing of translation models, on tiny ones that have learnt four sentences by heart.

They are real Marian, NLLB and M2M-100 models with real tokenizers, made on the spot; what they
translate says nothing of what those families can do.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("transformers")
import torch

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.cache import Cache, Result
from unskew.conjugation.glossary import Glossary
from unskew.conjugation.seq2seq import Seq2Seq
from unskew.conjugation.translation import Translation, parse_translator
from unskew.errors import UserError

PAIRS = [
    ("the cat sleeps", "le chat dort"),
    ("a dog runs", "un chien court"),
    ("good morning", "bonjour"),
    ("see [1] here", "voyez [1] ici"),
]
ENGLISH, FRENCH = ([pair[i] for pair in PAIRS] for i in (0, 1))
Ids = list[int]


def memorise(network: Any, rows: list[tuple[Ids, Ids]], pad: int, folder: Path) -> None:
    """Train `network` on the rows until it knows them, and save it."""
    torch.manual_seed(0)
    for weight in network.parameters():
        if weight.dim() > 1 and weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.1)
    inputs, labels = (
        torch.nn.utils.rnn.pad_sequence([torch.tensor(row[i]) for row in rows], True, fill)
        for i, fill in ((0, pad), (1, -100))
    )
    optimiser = torch.optim.Adam([w for w in network.parameters() if w.requires_grad], lr=1e-2)
    loss = torch.tensor(torch.inf)
    for _ in range(100):
        mask = (inputs != pad).long()
        loss = network(input_ids=inputs, attention_mask=mask, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.05
    network.save_pretrained(folder)


def sizes(**more: Any) -> dict[str, Any]:
    sides = [f"{side}_{name}" for side in ("encoder", "decoder") for name in ("layers", "ffn_dim")]
    return {
        **dict(zip(sides, (1, 64, 1, 64), strict=True)),
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "d_model": 32,
        "dropout": 0.0,
        "max_position_embeddings": 64,
        **more,
    }


def pieces(folder: Path, name: str) -> Any:
    """A SentencePiece model of the sentences, as `name` in `folder`."""
    spm = pytest.importorskip("sentencepiece")
    folder.mkdir(parents=True, exist_ok=True)
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter((ENGLISH + FRENCH) * 3),
        model_prefix=str(folder / "made"),
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "made.model").rename(folder / name)
    model = spm.SentencePieceProcessor()
    model.Load(str(folder / name))
    return model


def marian(folder: Path, rows: list[tuple[str, str]], told: dict[str, str], *codes: str) -> str:
    from transformers import MarianConfig, MarianMTModel

    model = pieces(folder, "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    names = [model.IdToPiece(i) for i in range(model.GetPieceSize())]
    names = ["</s>", "<unk>", *(n for n in names if n[0] != "<"), *codes, "<pad>"]
    vocab = {name: i for i, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    kind = {"tokenizer_class": "MarianTokenizer", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(kind | told))

    def ids(text: str) -> Ids:
        code, _, rest = text.rpartition("<< ")
        first = [vocab[f"{code}<<"]] if code else []
        return [*first, *(vocab[p] for p in model.encode(rest, out_type=str)), 0]

    pad = vocab["<pad>"]
    config = MarianConfig(
        **sizes(vocab_size=len(vocab), pad_token_id=pad, decoder_start_token_id=pad),
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    memorise(MarianMTModel(config), [(ids(a), ids(b)) for a, b in rows], pad, folder)
    return str(folder)


def many_to_many(folder: Path, tokenizer: Any, codes: tuple[str, str]) -> str:
    """A network for an M2M-100 or NLLB tokenizer that knows both directions."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    tokenizer.save_pretrained(folder)
    config = M2M100Config(
        **sizes(vocab_size=512, attention_dropout=0.0, activation_dropout=0.0),
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        bos_token_id=0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
    )

    def ids(text: str, code: str) -> Ids:
        tokenizer.src_lang = code
        return tokenizer(text)["input_ids"]

    english, french = codes
    there = [(ids(a, english), ids(b, french)) for a, b in PAIRS]
    rows = there + [(b, a) for a, b in there]
    memorise(M2M100ForConditionalGeneration(config), rows, tokenizer.pad_token_id, folder)
    return str(folder)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "opus-en-fr"
    marian(folder, PAIRS, {"source_lang": "en", "target_lang": "fr"})
    marian(folder.with_name("opus-fr-en"), [(b, a) for a, b in PAIRS], {})
    return folder


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import NllbTokenizer

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    made.train_from_iterator(
        ENGLISH + FRENCH,
        trainers.BpeTrainer(vocab_size=90, special_tokens=special, show_progress=False),
    )
    learnt = json.loads(made.to_str())["model"]
    tokenizer = NllbTokenizer(
        vocab=learnt["vocab"],
        merges=cast("Any", [tuple(merge) for merge in learnt["merges"]]),
        additional_special_tokens=["eng_Latn", "fra_Latn"],
        model_max_length=64,
    )
    folder = tmp_path_factory.mktemp("hub") / "nllb"
    return many_to_many(folder, tokenizer, ("eng_Latn", "fra_Latn"))


@pytest.fixture(scope="module")
def m2m(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import M2M100Tokenizer

    raw = tmp_path_factory.mktemp("raw")
    model = pieces(raw, "pieces.model")
    names = [model.IdToPiece(i) for i in range(model.GetPieceSize())]
    names = ["<s>", "<pad>", "</s>", "<unk>", *(n for n in names if n[0] != "<")]
    (raw / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    tokenizer = M2M100Tokenizer(str(raw / "vocab.json"), str(raw / "pieces.model"))
    return many_to_many(raw.with_name("m2m"), tokenizer, ("en", "fr"))


@pytest.fixture(params=["there", "nllb", "m2m"])
def conjugation(request: pytest.FixtureRequest) -> Translation:
    made = parse_translator(f"mt:{request.getfixturevalue(request.param)}:en-fr", cache=Cache())
    assert isinstance(made, Translation)
    return made


def test_every_family_goes_there_and_back(conjugation: Translation) -> None:
    texts = [f"  {ENGLISH[0]}\n\n<s>{ENGLISH[1]}\r\n", *ENGLISH, "", " 3 + 4 "]
    french = conjugation.forward_all(texts)
    assert french == [f"  {FRENCH[0]}\n\n<s>{FRENCH[1]}\r\n", *FRENCH, "", " 3 + 4 "]
    assert conjugation.inverse_all([str(text) for text in french]) == texts


def test_placeholders_go_through_a_model(conjugation: Translation) -> None:
    conjugation = Translation("mt", conjugation.there, conjugation.back, Glossary(("Fig. 7",)))
    assert conjugation.forward("see Fig. 7 here") == "voyez Fig. 7 ici"
    assert conjugation.inverse("voyez Fig. 7 ici") == "see Fig. 7 here"


def spied(translator: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every plan and batch that the network gets from now on."""
    translator.translate(["good morning"], translator.source, translator.target)
    assert translator._parts is not None
    network = translator._parts[1]
    seen: list[Any] = []
    generate: Callable[..., Any] = network.generate

    def spy(**given: Any) -> Any:
        seen.append(SimpleNamespace(**given))
        return generate(**given)

    monkeypatch.setattr(network, "generate", spy)
    return seen


@pytest.mark.parametrize(("family", "codes"), [("nllb", "eng_Latn"), ("m2m", "__en__")])
def test_language_codes_stand_where_the_family_wants_them(
    family: str, codes: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = Seq2Seq(request.getfixturevalue(family), "en", "fr")
    seen = spied(translator, monkeypatch)
    assert translator._parts is not None
    tokens = translator._parts[0].convert_ids_to_tokens
    french = codes.replace("en", "fr").replace("frg", "fra")
    assert translator.translate([ENGLISH[2]], "en", "fr") == [FRENCH[2]]
    assert translator.translate([FRENCH[2]], "fr", "en") == [ENGLISH[2]]
    assert [tokens(int(call.input_ids[0, 0])) for call in seen] == [codes, french]
    forced = [tokens(call.generation_config.forced_bos_token_id) for call in seen]
    assert forced == [french, codes]


def test_batches_of_like_lengths_give_each_text_its_own(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = Seq2Seq(str(there), "en", "fr", batch=2)
    seen = spied(translator, monkeypatch)
    assert translator.translate(ENGLISH + ENGLISH[:1], "en", "fr") == FRENCH + FRENCH[:1]
    assert [len(call.input_ids) for call in seen] == [2, 2, 1]
    lengths = [int(call.attention_mask.sum(1).max()) for call in seen]
    assert lengths == sorted(lengths)
    assert translator.translate([], "en", "fr") == []


def test_greedy_or_beams_as_stated(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = set()
    for beams in (1, 3):
        translator = Seq2Seq(str(there), "en", "fr", beams=beams)
        seen = spied(translator, monkeypatch)
        assert translator.translate(ENGLISH, "en", "fr") == FRENCH
        plan = seen[0].generation_config
        assert (plan.num_beams, plan.do_sample) == (beams, False)
        versions.add(translator.version)
    assert len(versions) == 2


def refusals(results: list[Result]) -> list[str]:
    return [result.why for result in results if isinstance(result, NotAdmissible)]


def test_what_the_model_cannot_read_whole_is_refused(there: Path) -> None:
    translator = Seq2Seq(str(there), "en", "fr")
    long = " ".join(["good"] * 80)
    results = translator.translate([ENGLISH[0], "Ω cat", long, ENGLISH[1]], "en", "fr")
    assert [results[0], results[3]] == [FRENCH[0], FRENCH[1]]
    unknown, too_long = refusals(results)
    assert unknown == "the model does not know 'Ω'"
    assert "too many for 64 positions" in too_long


def test_a_translation_that_does_not_end_is_refused(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = Seq2Seq(str(there), "en", "fr")
    spied(translator, monkeypatch)
    assert translator._parts is not None
    network = translator._parts[1]
    assert network.config.forced_eos_token_id == 0  # which would end it at the limit
    endless = network.final_logits_bias.clone()
    endless[0, 0] = -1e9
    monkeypatch.setattr(network, "final_logits_bias", endless)
    assert refusals(translator.translate(ENGLISH[:1], "en", "fr")) == [
        "the translation does not end"
    ]


def test_many_targets_are_chosen_by_a_code(tmp_path: Path) -> None:
    rows = [(f">>fra<< {a}", b) for a, b in PAIRS] + [(f">>eng<< {a}", a) for a in ENGLISH]
    model = marian(tmp_path / "many", rows, {}, ">>fra<<", ">>eng<<")
    assert Seq2Seq(model, "en", "fr").translate(ENGLISH, "en", "fr") == FRENCH
    assert Seq2Seq(model, "de", "en").translate(ENGLISH, "de", "en") == ENGLISH
    with pytest.raises(UserError, match="does not know the language 'hu'") as mistake:
        Seq2Seq(model, "en", "hu").translate(ENGLISH, "en", "hu")
    assert "it knows: fra, eng" in str(mistake.value)


def test_unknown_languages_are_named(nllb: str, m2m: str) -> None:
    for model, known in ((nllb, "eng_Latn, fra_Latn"), (m2m, "af, am, ar")):
        with pytest.raises(UserError, match="does not know the language 'xx'") as mistake:
            Seq2Seq(model, "en", "xx").translate(["a"], "en", "xx")
        assert known in str(mistake.value)
    assert Seq2Seq(nllb, "eng_Latn", "fra_Latn").translate(ENGLISH[:1], "eng_Latn", "fra_Latn") == [
        FRENCH[0]
    ]


def test_a_one_way_model_goes_one_way(there: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="goes from en to fr"):
        Seq2Seq(str(there), "fr", "en").translate(FRENCH, "fr", "en")
    with pytest.raises(ValueError, match="to fr only"):
        Seq2Seq(str(there), "en", "fr").translate(FRENCH, "fr", "en")
    other = tmp_path / "mine"
    other.symlink_to(there)
    with pytest.raises(UserError, match="a Marian model goes one way") as mistake:
        parse_translator(f"mt:{other}:en-fr", cache=Cache())
    assert "mt:THERE::BACK:en-fr" in str(mistake.value)
    back = there.with_name("opus-fr-en")
    both = parse_translator(f"mt:{other}::{back}:en-fr", cache=Cache())
    assert both.inverse(both.forward(ENGLISH[1])) == ENGLISH[1]


def test_the_version_follows_the_files(there: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy: of it"
    copy.mkdir()
    for file in there.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    one, same = Seq2Seq(str(there), "en", "fr"), Seq2Seq(str(copy), "en", "fr")
    assert one.version == same.version
    assert one.name != same.name
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert Seq2Seq(str(copy), "en", "fr").version != one.version


def test_what_cannot_be_loaded_is_said(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with pytest.raises(UserError, match="cannot be loaded"):
        Seq2Seq(str(tmp_path), "en", "fr")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be loaded"):
        Seq2Seq("nobody/has-this-model", "en", "fr")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(UserError, match="is of type 'gpt2'"):
        Seq2Seq(str(tmp_path), "en", "fr")
    for file in there.iterdir():
        if file.name != "model.safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")  # a pickle, which is never read
    with pytest.raises(UserError, match="safetensors"):
        Seq2Seq(str(tmp_path), "en", "fr").translate(["a"], "en", "fr")
