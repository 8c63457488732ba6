"""Tokens: any text there and back, the same ids in transformers, rows of whole documents."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nursery.tiny import TINY, documents, tokenizer
from unskew.errors import UserError
from unskew.nursery.documents import Document, Piece
from unskew.nursery.tokens import END, SHORTEST, batch, for_transformers, train_tokenizer

UTF8 = st.text(st.characters(codec="utf-8"))


def ids(text: str) -> list[int]:
    return tokenizer().encode(text).ids


def text_of(tokens: list[int]) -> str:
    return tokenizer().decode(tokens, skip_special_tokens=False)


# --- the tokenizer --------------------------------------------------------------------------------


@given(UTF8)
def test_any_text_is_encoded_and_decoded_exactly(text: str) -> None:
    assert text_of(ids(text)) == text


def test_hard_texts_too() -> None:
    for text in ("", "\x00", "e\u0301A\u030a", "\ud7ff\U0010ffff", " \t\r\n  x", END, f"a {END}b"):
        assert text_of(ids(text)) == text


def test_what_is_told_is_encoded_and_decoded_exactly() -> None:
    for document in documents():
        assert text_of(ids(document.text)) == document.text


@given(st.sampled_from(documents()))
def test_pieces_are_encoded_as_the_whole_is(document: Document) -> None:
    assert [i for piece in document.pieces for i in ids(piece.text)] == ids(document.text)


@given(UTF8, UTF8)
def test_a_line_break_parts_tokens(before: str, after: str) -> None:
    assert ids(f"{before}\n") + ids(after) == ids(f"{before}\n{after}")


def test_it_has_as_many_tokens_as_asked_for_and_the_end_is_the_first() -> None:
    assert tokenizer().get_vocab_size() == TINY.vocabulary
    assert tokenizer().token_to_id(END) == 0
    assert tokenizer().encode(END).ids == [0]
    assert 0 not in [i for document in documents() for i in ids(document.text)]


def test_words_are_merged_but_neither_digits_nor_capitals_nor_lines() -> None:
    tokens = [text_of([i]) for i in range(TINY.vocabulary)]
    merged = [t for t in tokens if len(t) > 1 and t != END and "\ufffd" not in t]
    assert len(merged) > 100
    for token in merged:
        token = re.sub(r"(?<=[^\W\d])[:?]$", "", token)  # of a label, of a question
        assert not re.search(r"[A-ZÀ-Ý\d.?:]", token) or re.fullmatch(r" .", token), token
        assert not re.search(r"\n|\S\s|\s\s", token), token
    assert len(ids("1234")) == 4
    # A word in capitals is other tokens, but a capital does not change the rest.
    assert ids("Mange")[1:] == ids("Tange")[1:]


def test_the_same_texts_give_the_same_tokenizer() -> None:
    random.seed(1)
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    texts = [document.text for document in documents()]
    again = train_tokenizer(iter(texts), TINY.vocabulary)
    assert again.to_str() == tokenizer().to_str()
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.random.get_state()[1].tolist() == before[2]  # type: ignore[index]  # noqa: NPY002
    assert train_tokenizer(texts[:200], TINY.vocabulary).to_str() != again.to_str()


def test_a_sentence_has_the_same_tokens_on_every_machine() -> None:
    trained = train_tokenizer(["Anna eats an apple.", "Ann eats 12 apples."] * 3, 270)
    tokens = [trained.decode([i]) for i in trained.encode("Anna eats 34 apples.").ids]
    assert tokens == ["A", "nna", " eats", " ", "3", "4", " apple", "s", "."]


# --- in transformers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    for_transformers(tokenizer(), 4096).save_pretrained(folder)
    return folder


def test_plain_transformers_loads_it_and_gives_the_same_ids(saved: Path) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(saved)
    texts = [document.text for document in documents(400)]
    assert loaded(texts)["input_ids"] == [ids(text) for text in texts]
    for text in texts[:100]:
        assert loaded.decode(ids(text)) == text
    assert loaded.decode(ids(" ne , pas .")) == " ne , pas ."
    assert {loaded.eos_token, loaded.bos_token, loaded.pad_token} == {END}
    assert {loaded.eos_token_id, loaded.bos_token_id, loaded.pad_token_id} == {0}
    assert loaded.model_max_length == 4096
    # As `generate` wants it: the end of a prompt is at the end of its row.
    padded = loaded(["a", "a b c"], padding=True)["input_ids"]
    assert padded[0] == [0] * (len(padded[1]) - 1) + ids("a")


def test_saving_leaves_no_mark_of_the_machine(saved: Path) -> None:
    names = {path.name for path in saved.iterdir()}
    assert names == {"tokenizer.json", "tokenizer_config.json"}
    for path in saved.iterdir():
        assert str(Path.home()) not in path.read_text("utf-8")
        assert str(saved) not in path.read_text("utf-8")


# --- batches --------------------------------------------------------------------------------------

ROWS, LENGTH, SIDE = 4, 160, 0.25


def drawn(among: tuple[Document, ...] | None = None) -> Callable[[int], list[Document]]:
    """As `corpus` gives them: in order, over and over."""
    found = documents() if among is None else among
    at = 0

    def draw(size: int) -> list[Document]:
        nonlocal at
        at += size
        return [found[i % len(found)] for i in range(at - size, at)]

    return draw


def parted(row: list[int]) -> list[list[int]]:
    """The documents of a row, each with its END, without the padding."""
    found: list[list[int]] = [[]]
    for token in row:
        found[-1].append(token)
        if token == 0:
            found.append([])
    while found and found[-1] in ([0], []):
        found.pop()
    return found


def test_rows_are_whole_documents_and_then_padding() -> None:
    tokens, weights = batch(tokenizer(), drawn(), ROWS, LENGTH, SIDE)
    assert tokens.shape == (ROWS, LENGTH + 1)
    assert weights.shape == (ROWS, LENGTH)
    assert (tokens.dtype, weights.dtype) == (torch.int64, torch.float32)
    whole = {(*ids(document.text), 0) for document in documents()}
    count = 0
    for row, told in zip(tokens.tolist(), weights.tolist(), strict=True):
        found = parted(row)
        assert all(tuple(document) in whole for document in found)
        used = sum(map(len, found))
        assert row[used:] == [0] * (LENGTH + 1 - used)
        assert set(told[used - 1 :]) <= {0.0}
        assert 0.0 not in told[: used - 1]
        assert used > LENGTH / 2
        count += len(found)
    assert count > ROWS


def test_weights_are_of_the_answers() -> None:
    longest, short, none = (
        Document("x", (Piece("Input: a\nOutput:"), Piece(" one two three four five", answer=True))),
        Document(
            "x", (Piece("Answer:"), Piece(" 7\n", answer=True), Piece("b:"), Piece(" 8", True))
        ),
        Document("x", (Piece("Anna eats."),)),
    )
    for document in (longest, short, none):
        one = (document,)
        tokens, weights = batch(tokenizer(), lambda n, one=one: list(one) * n, 1, 512, SIDE)
        wanted: list[float] = []
        for i, piece in enumerate(document.pieces):
            size = len(ids(piece.text)) + (i == len(document.pieces) - 1)  # and the END
            wanted += [max(1.0, SHORTEST / size) if piece.answer else SIDE] * size
        size = len(wanted)
        assert tokens[0, :size].tolist() == [*ids(document.text), 0]
        # The first token of a row is given, so it is not predicted.
        assert weights[0, : size - 1].tolist() == pytest.approx(wanted[1:])
        assert weights[0, size - 1 : 2 * size - 1].tolist() == pytest.approx(wanted)
    # " 7", its line break; " 8" and the end: each short answer weighs as much as SHORTEST tokens.
    tokens, weights = batch(tokenizer(), lambda n: [short] * n, 1, 64, SIDE)
    assert weights[0].max() == SHORTEST / 2
    assert SHORTEST > 2


def test_a_document_that_is_too_long_is_left_out() -> None:
    fits = Document("x", (Piece("b" * 31),))
    long = Document("x", (Piece("ab " * 400),))
    size = len(ids(fits.text))
    tokens, _ = batch(tokenizer(), drawn((long, fits)), 2, size, SIDE)
    assert tokens.tolist() == [[*ids(fits.text), 0]] * 2


def test_a_batch_is_full_however_many_are_too_long() -> None:
    # They came first, and the batch was empty: its loss was no number.
    long, fits = Document("x", (Piece("ab " * 400),)), Document("x", (Piece("b" * 31),))
    tokens, weights = batch(tokenizer(), drawn((*[long] * 40, fits)), 2, 40, SIDE)
    assert [len(parted(row)) for row in tokens.tolist()] == [1, 1]
    assert weights.any()


def test_rows_in_which_nothing_fits_are_a_mistake_of_the_user() -> None:
    long = Document("x", (Piece("ab " * 400),))
    with pytest.raises(UserError, match="rows of 40 tokens are too short"):
        batch(tokenizer(), drawn((long,)), 2, 40, SIDE)


def test_batches_are_a_pure_function_of_their_documents() -> None:
    one, two = (batch(tokenizer(), drawn(), ROWS, LENGTH, SIDE) for _ in range(2))
    assert torch.equal(one.tokens, two.tokens)
    assert torch.equal(one.weights, two.weights)
    other = batch(tokenizer(), drawn(documents()[5:]), ROWS, LENGTH, SIDE)
    assert not torch.equal(one.tokens, other.tokens)


def test_without_side_weight_only_answers_count() -> None:
    _, weights = batch(tokenizer(), drawn(), ROWS, LENGTH, 0.0)
    assert 0 < int((weights > 0).sum()) < int((weights == 0).sum())
    assert weights[weights > 0].min() >= 1
