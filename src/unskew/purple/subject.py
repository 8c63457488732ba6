"""What is attacked and defended: something that answers questions, and how a question is put to it.

    system | context | before  question  after | prefill      -> the model goes on
             "Question: "  What colour is the apple?  "\\nAnswer:"

A prompt is the text above, joined; a suffix of an attack stands at the end of the question.
`Subject` is the black box, `Open` a causal language model of transformers that is looked into
(gradients, likelihoods), `Scripted` a rule. A model that knows several ways of being asked is one
`Open` per template (`Open.asked_by`); they share the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unskew.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unskew.nursery.languages import Language

__all__ = [
    "Open", "Scripted", "Subject", "Template", "TooLongError", "chat_template", "nursery_template",
    "open_model", "plain_template", "template_of",
]  # fmt: skip

BATCH = 32
"""Prompts that are answered, or texts that are scored, at once."""


class TooLongError(UserError):
    """A text, or a prompt with room for its answer, does not fit into what the model reads."""


@dataclass(frozen=True)
class Template:
    """How a question becomes a prompt.

    Attributes:
        before, after: what stands around a question.
        system: what a prompt begins with: the first token as text, a system prompt, an instruction.
        lead: what an answer begins with where it is part of a text.
        gap: what ends an answer before the next question begins.
        stop: texts that end an answer, apart from the model's own end token.
    """

    before: str = ""
    after: str = ""
    system: str = ""
    lead: str = ""
    gap: str = "\n\n"
    stop: tuple[str, ...] = ()

    def prompt(self, question: str, context: str = "", prefill: str = "") -> str:
        """What the model reads. context: text before the question, such as `shown` questions."""
        return f"{self.system}{context}{self.before}{question}{self.after}{prefill}"

    def shown(self, question: str, answer: str) -> str:
        """A question with its answer, as an exemplar: joined ones are a context."""
        return f"{self.before}{question}{self.after}{self.lead}{answer}{self.gap}"


class Subject(Protocol):
    """A black box: the same questions always get the same answers."""

    @property
    def name(self) -> str: ...

    def answer(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[str]:
        """The answers, greedy, of at most `limit` tokens each.

        Args:
            prefill: how every answer begins; not part of what is returned.
            context: text before each question: a system prompt, answered questions.

        Raises: TooLongError where one of them cannot be asked.
        """
        ...


@dataclass(frozen=True)
class Scripted:
    """Answers by a rule: context, question and prefill, joined -> answer. It has no tokens: `limit`
    counts words here."""

    name: str
    rule: Callable[[str], str]

    def answer(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[str]:
        answers = [self.rule(f"{context}{question}{prefill}") for question in questions]
        return [a if len(a.split()) <= limit else " ".join(a.split()[:limit]) for a in answers]


@dataclass(frozen=True, eq=False)
class Open:
    """A causal language model that can be looked into."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template: Template

    @property
    def device(self) -> Any:
        return self.model.device

    @property
    def window(self) -> int | None:
        """Tokens that a prompt and its answer may have together; None: not known."""
        return getattr(self.model.config, "max_position_embeddings", None)

    @property
    def end(self) -> int:
        """The token that ends a text; it also pads.

        Raises: UserError where the model has none.
        """
        ends, own = self._ends(), self.tokenizer.eos_token_id
        return own if own in ends else ends[0]

    def asked_by(self, template: Template) -> Open:
        """The same model, asked in another way."""
        return replace(self, template=template)

    # --- texts and tokens -----------------------------------------------------------------------

    def prompt(self, question: str, context: str = "", prefill: str = "") -> str:
        return self.template.prompt(question, context, prefill)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, and nothing added: a prompt's first token is in Template.system."""
        ids: Any = self.tokenizer.encode(text, add_special_tokens=False)
        return list(ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; special tokens are left out."""
        text = self.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    # --- answers --------------------------------------------------------------------------------

    def answer(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[str]:
        """See Subject. Up to the model's end token or a stop of the template, without the white
        space around it.

        Raises: TooLongError where a prompt leaves no room for an answer.
        """
        prompts = [self.encode(self.prompt(q, context, prefill)) for q in questions]
        for question, ids in zip(questions, prompts, strict=True):
            if self.window is not None and len(ids) + limit > self.window:
                raise TooLongError(
                    f"a prompt of {len(ids)} tokens and an answer of {limit} do not fit into the "
                    f"model's {self.window}",
                    f"{self.name}, question {question[:60]!r}",
                    "ask for shorter answers, or give less context",
                )
        answers = [""] * len(prompts)
        for rows in _batches([len(ids) for ids in prompts]):
            found = self._generate([prompts[r] for r in rows], limit)
            for row, text in zip(rows, found, strict=True):
                answers[row] = text
        return answers

    def _generate(self, prompts: Sequence[Sequence[int]], limit: int) -> list[str]:
        import torch

        ids, mask = _padded(prompts, self.end, left=True)
        stops = [self.encode(stop) for stop in self.template.stop]
        model: Any = self.model
        with torch.no_grad():
            out = model.generate(
                ids.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=limit,
                do_sample=False,
                num_beams=1,
                # Stops of one token end the generation; longer ones are cut off below.
                eos_token_id=[*self._ends(), *(s[0] for s in stops if len(s) == 1)],
                pad_token_id=self.end,
            )
        return [self._cut(self.decode(row)) for row in out[:, ids.shape[1] :].tolist()]

    def _cut(self, text: str) -> str:
        for stop in self.template.stop:
            text = text.partition(stop)[0]
        return text.strip()

    def _ends(self) -> list[int]:
        """End tokens: those of the model's generation settings, or the tokenizer's."""
        found: Any = getattr(self.model.generation_config, "eos_token_id", None)
        found = self.tokenizer.eos_token_id if found is None else found
        if found is None:
            raise UserError("the model has no token that ends a text", self.name)
        return [found] if isinstance(found, int) else list(found)

    # --- likelihoods ----------------------------------------------------------------------------

    def token_nll(self, texts: Sequence[str]) -> list[Tensor]:
        """Negative log-likelihoods in nats of each text's tokens, each of shape (tokens,), float32,
        on the CPU. A text is read after the token that begins texts, or that ends them.

        Raises: UserError for a text without tokens; TooLongError where it reads no such long one.
        """
        import torch

        begin = self.tokenizer.bos_token_id
        begin = self.end if begin is None else begin
        rows = [[begin, *self.encode(text)] for text in texts]
        for text, row in zip(texts, rows, strict=True):
            where = f"{self.name}, text {text[:60]!r}"
            if len(row) == 1:
                raise UserError("a text of 0 tokens has no likelihood under this model", where)
            if self.window is not None and len(row) > self.window:
                raise TooLongError(
                    f"a text of {len(row) - 1} tokens does not fit into the model's {self.window}",
                    where,
                )
        found: dict[int, Tensor] = {}
        for batch in _batches([len(row) for row in rows]):
            ids, mask = _padded([rows[r] for r in batch], self.end, left=False)
            ids, mask = ids.to(self.device), mask.to(self.device)
            with torch.no_grad():
                logits = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
            each = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), ids[:, 1:], reduction="none"
            )
            found |= {r: each[i, : len(rows[r]) - 1].cpu() for i, r in enumerate(batch)}
        return [found[i] for i in range(len(rows))]

    def nll(self, texts: Sequence[str]) -> list[float]:
        """Mean negative log-likelihood per token in nats of each text, as `token_nll`."""
        return [each.double().mean().item() for each in self.token_nll(texts)]


# --- templates ------------------------------------------------------------------------------------


def nursery_template(language: Language = "en") -> Template:
    """How documents of the nursery pose a question."""
    from unskew.nursery.documents import QUESTIONS
    from unskew.nursery.wording import word

    labels = QUESTIONS[0].labels
    assert labels is not None
    before, after = (word(label, language) for label in labels)
    return Template(f"{before} ", f"\n{after}", lead=" ", gap=QUESTIONS[0].gap, stop=("\n",))


def plain_template(tokenizer: PreTrainedTokenizerBase) -> Template:
    """The question alone, after the token that the tokenizer puts before every text, if any."""
    added = tokenizer.encode("", add_special_tokens=True)
    begins = added[:1] == [tokenizer.bos_token_id]
    return Template(system=str(tokenizer.bos_token) if begins else "")


TODAY = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""Some templates state the day. What is asked tomorrow must be what was asked today, so it is
always the one that Llama 3.1's says where it cannot know."""


def chat_template(tokenizer: PreTrainedTokenizerBase, system: str = "") -> Template:
    """The tokenizer's chat template around one question, cut out of a rendered conversation.

    Args:
        system: the system prompt; empty: none is given (the template may have one of its own).

    Raises: UserError where the tokenizer has no chat template, or one that changes questions.
    """
    first, reply, last = "QUESTION-ONE", "REPLY-ONE", "QUESTION-TWO"
    head = [{"role": "system", "content": system}] if system else []

    def rendered(*said: str) -> str:
        roles = ("user", "assistant", "user")
        messages = [{"role": r, "content": c} for r, c in zip(roles, said, strict=False)]
        return str(
            tokenizer.apply_chat_template(
                [*head, *messages],
                chat_template=TODAY + tokenizer.get_chat_template(),
                tokenize=False,
                add_generation_prompt=True,
            )
        )

    try:
        once, twice = rendered(first), rendered(first, reply, last)
    except Exception as error:  # templates are programs, and raise what they like
        raise UserError(
            f"the chat template cannot be rendered: {error}",
            tokenizer.name_or_path,
            "give another template" + (", or no system prompt" if system else ""),
        ) from error
    start, _, after = once.partition(first)
    between = twice.partition(reply)[2].partition(last)[0]
    if not once.count(first) == twice.count(reply) == twice.count(last) == 1:
        raise UserError("the chat template changes what is said in it", tokenizer.name_or_path)
    # What every question begins with is what both questions are preceded by; the rest of what
    # precedes the second one ends the answer to the first.
    shared = takewhile(
        lambda pair: pair[0] == pair[1], zip(start[::-1], between[::-1], strict=False)
    )
    size = len(list(shared))
    before, system, gap = (
        start[len(start) - size :], start[: len(start) - size], between[: len(between) - size]
    )  # fmt: skip
    middle = twice.partition(first)[2].partition(reply)[0]
    lead = middle.removeprefix(after) if middle.startswith(after) else ""
    return Template(before, after, system, lead, gap)


def template_of(tokenizer: PreTrainedTokenizerBase, system: str = "") -> Template:
    """The way in which a tokenizer's model is asked: its chat template, the nursery's form (in
    English) for a model of the nursery, else the question alone.

    Raises: UserError for a system prompt where there is no chat template.
    """
    from unskew.nursery.tokens import END

    if tokenizer.chat_template:
        return chat_template(tokenizer, system)
    if system:
        raise UserError("no chat template has a place for a system prompt", tokenizer.name_or_path)
    return nursery_template() if tokenizer.eos_token == END else plain_template(tokenizer)


# --- opening --------------------------------------------------------------------------------------


def open_model(
    source: str | Path, device: str = "cpu", template: Template | None = None, system: str = ""
) -> Open:
    """A model in float32 from its folder, `nursery:NAME` or an id in the local cache of the Hugging
    Face hub, in safe tensors and without code of its own.

    Args:
        template: how it is asked; None: as `template_of` finds.

    Raises: UserError where transformers is not installed, or there is no such model.
    """
    if find_spec("transformers") is None:
        raise UserError("transformers is not installed here", hint="pip install 'unskew[lm]'")
    from unskew.probes.models import load

    _, model, tokenizer = load(located(source), str(source), device)
    template = template_of(tokenizer, system) if template is None else template
    return Open(str(source), model, tokenizer, template)


def located(source: str | Path) -> str | Path:
    """The folder of a model, or the id of the hub that it is.

    Raises: UserError for the name of a model of the nursery that does not ship.
    """
    from unskew.runs.store import NURSERY, expanded

    folder = expanded(str(source))
    if folder.is_dir():
        return folder
    if str(source).startswith(NURSERY):
        hint = "`unskew nursery raise` raises one; give its folder"
        raise UserError("no model of that name ships", str(source), hint)
    return str(source)


# --- batches --------------------------------------------------------------------------------------


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches of like lengths, the longest first."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _padded(rows: Sequence[Sequence[int]], pad: int, left: bool) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both (rows, longest)."""
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(len(row))
        ids[i, place], mask[i, place] = torch.tensor(row), 1
    return ids, mask
