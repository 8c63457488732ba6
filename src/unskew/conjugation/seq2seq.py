"""The idea: any Marian, M2M-100 or NLLB model translates, by one call, with its own language codes.

Only the configuration is read at first; the weights are loaded when something is to be translated.
A text that is too long or has characters that the model does not know, and a translation that does
not end, are refused, not cut.
"""

from __future__ import annotations

import copy
import hashlib
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.cache import Result
from unskew.conjugation.languages import LANGUAGES
from unskew.errors import AbsentError, UserError

_FAMILIES = ("marian", "m2m_100", "nllb-moe")  # the second is that of NLLB's dense models too


class Seq2Seq:
    """A translation model of Hugging Face's, by id or folder.

    Weights are read from safetensors only, computed in float32, and decoded without sampling. The
    network is used for an id that is not in the local cache, and never when HF_HUB_OFFLINE is set.
    Batches are padded, so a near-tie may fall otherwise in another batch: what came first is kept
    by the cache.

    Args:
        model: id or folder.
        source, target: language codes: two letters, or the model's own (fra_Latn).
        beams: 1 is greedy.
        batch: texts at once.
        device: "cpu", "cuda", ...; by default cuda where there is one.
        revision: of an id: branch, tag or commit.

    Raises:
        UserError: not there, of another family, or without that language (when first used).
    """

    def __init__(
        self,
        model: str,
        source: str,
        target: str,
        *,
        beams: int = 1,
        batch: int = 16,
        device: str | None = None,
        revision: str | None = None,
    ) -> None:
        if find_spec("transformers") is None:
            raise UserError("needs transformers", f"mt:{model}", "pip install 'unskew[lm]'")
        from transformers import AutoConfig

        self.model, self.source, self.target = model, source, target
        self.beams, self.batch, self.device, self.revision = beams, batch, device, revision
        self.name = f"mt:{model}"
        config = self._loaded(AutoConfig)
        if config.model_type not in _FAMILIES:
            raise UserError(
                f"is of type {config.model_type!r}; Marian, M2M-100 and NLLB translate here",
                model,
            )
        self.one_way = config.model_type == "marian"
        if Path(model).is_dir():
            content = _content(Path(model))
        else:
            # Tokenizer and weights are to be of the very commit whose configuration this is.
            content = self.revision = str(config._commit_hash)
        # The Marian tokenizer normalises punctuation only where sacremoses is installed.
        moses = ", sacremoses" if self.one_way and find_spec("sacremoses") else ""
        self.version = f"{content[:40]}, {beams} beams, float32{moses}"
        self._lock = threading.Lock()
        self._parts: tuple[Any, Any] | None = None

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Result]:
        if self.one_way and (source, target) != (self.source, self.target):
            raise ValueError(f"{self.name} goes from {self.source} to {self.target} only")
        if not texts:
            return []
        # A tokenizer holds the source language as state.
        with self._lock:
            tokenizer, network = self._open()
            prefix, forced = self._codes(tokenizer, source, target)
            rows = tokenizer([prefix + text for text in texts], truncation=False)["input_ids"]
            window = min(network.config.max_position_embeddings, tokenizer.model_max_length)
            results = [
                self._unfit(t, r, tokenizer, window) for t, r in zip(texts, rows, strict=True)
            ]
            # Equal lengths together: little padding.
            fit = [i for i, result in enumerate(results) if result is None]
            fit.sort(key=lambda i: len(rows[i]))
            for start in range(0, len(fit), self.batch):
                some = fit[start : start + self.batch]
                answers = self._generate([rows[i] for i in some], tokenizer, network, forced)
                for i, answer in zip(some, answers, strict=True):
                    results[i] = answer
        return [result for result in results if result is not None]

    def _unfit(self, text: str, row: Sequence[int], tokenizer: Any, window: int) -> Result | None:
        """Why the model cannot read the text whole; None if it can."""
        unknown = tokenizer.unk_token_id
        if unknown in row:
            letters = [c for c in dict.fromkeys(text) if unknown in tokenizer(c)["input_ids"]]
            return NotAdmissible(self.name, f"the model does not know {''.join(letters)!r}")
        if len(row) > window:
            return NotAdmissible(
                self.name, f"{len(row)} tokens are too many for {window} positions"
            )
        return None

    def _generate(
        self, rows: list[list[int]], tokenizer: Any, network: Any, forced: int | None
    ) -> Iterator[Result]:
        import torch

        plan = copy.deepcopy(network.generation_config)
        plan.update(
            do_sample=False,
            num_beams=self.beams,
            early_stopping=self.beams > 1,
            length_penalty=1.0,
            max_length=None,
            max_new_tokens=min(
                max(map(_longest_answer, map(len, rows))),
                network.config.max_position_embeddings - 1,
            ),
            forced_bos_token_id=forced,
        )
        inputs = tokenizer.pad({"input_ids": rows}, return_tensors="pt").to(network.device)
        with torch.inference_mode():
            out = network.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                generation_config=plan,
            )
        for row, answer in zip(rows, out[:, 1:].tolist(), strict=True):
            answer = answer[1:] if answer[0] == forced else answer  # not special to every tokenizer
            end = answer.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in answer else None
            # The limit is the text's own, whatever shares its batch.
            if end is None or end > _longest_answer(len(row)):
                yield NotAdmissible(self.name, "the translation does not end")
            else:
                yield tokenizer.decode(
                    answer[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
                )

    def _codes(self, tokenizer: Any, source: str, target: str) -> tuple[str, int | None]:
        """What comes before the text, and the token that begins the translation; sets the
        tokenizer's source language."""
        if self.one_way:
            known = list(getattr(tokenizer, "supported_language_codes", []))
            if not known:
                _check_direction(tokenizer, self.model, source, target)
                return "", None
            flores = LANGUAGES[target][1] if target in LANGUAGES else target
            wanted = [f">>{code}<<" for code in (target, flores.split("_")[0], flores)]
            code = next((code for code in wanted if code in known), None)
            if code is None:
                raise _unknown(self.model, target, [code.strip("><") for code in known])
            return f"{code} ", None
        m2m = getattr(tokenizer, "lang_code_to_id", None)
        codes: list[str] = []
        for language in (source, target):
            own = LANGUAGES[language][1] if m2m is None and language in LANGUAGES else language
            known = list(m2m) if m2m is not None else _language_tokens(tokenizer)
            if own not in known:
                raise _unknown(self.model, language, known)
            codes.append(own)
        tokenizer.src_lang = codes[0]
        forced = m2m[codes[1]] if m2m is not None else tokenizer.convert_tokens_to_ids(codes[1])
        return "", forced

    def _open(self) -> tuple[Any, Any]:
        if self._parts is None:
            import torch
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*sacremoses")
                tokenizer = self._loaded(AutoTokenizer)
            network = self._loaded(AutoModelForSeq2SeqLM, use_safetensors=True, dtype=torch.float32)
            # Marian's would end what is cut, and it would seem whole. What a plan leaves open is
            # taken from here, so it has to go here.
            network.generation_config.forced_eos_token_id = None
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            self._parts = tokenizer, network.to(device).eval()
        return self._parts

    def _loaded(self, kind: Any, **options: Any) -> Any:
        try:
            return kind.from_pretrained(self.model, revision=self.revision, **options)
        except ImportError as error:
            raise UserError(
                f"cannot be loaded: {error}", self.model, "pip install sentencepiece"
            ) from error
        except (OSError, ValueError) as error:
            hint = "an id needs the network once; weights must be safetensors (never a pickle)"
            kind = AbsentError if isinstance(error, OSError) else UserError
            raise kind(f"cannot be loaded: {error}", self.model, hint) from error


def both_ways(body: str, source: str, target: str) -> tuple[Seq2Seq, Seq2Seq | None]:
    """The translators there and back that `mt:BODY:source-target` names; None where one model
    goes both ways.

    Raises:
        UserError: a model that cannot be had, or a one-way model without a way back.
    """
    first, named, second = body.partition("::")
    there = Seq2Seq(first, source, target)
    if named:
        return there, Seq2Seq(second, target, source)
    if not there.one_way:
        return there, None
    back = re.sub(rf"\b{source}-{target}(/*)$", rf"{target}-{source}\1", first)
    if back == first:
        raise UserError(
            "a Marian model goes one way, and its name does not tell that of the way back",
            first,
            f"give both: mt:THERE::BACK:{source}-{target}",
        )
    return there, Seq2Seq(back, target, source)


def _longest_answer(tokens: int) -> int:
    """Tokens after which a translation is taken to run on for ever."""
    return 3 * tokens + 32


def _content(folder: Path) -> str:
    """A digest of all the files of a model: a folder may change under its name."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with path.open("rb") as file:
            inner = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}\0{inner}\n".encode())
    return digest.hexdigest()


def _language_tokens(tokenizer: Any) -> list[str]:
    return sorted(t for t in tokenizer.get_vocab() if re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", t))


def _check_direction(tokenizer: Any, model: str, source: str, target: str) -> None:
    """A one-way model used against its way would give rubbish without a word."""
    told = getattr(tokenizer, "source_lang", None), getattr(tokenizer, "target_lang", None)
    if told == (target, source):
        raise UserError(f"goes from {target} to {source}", model)


def _unknown(model: str, language: str, known: Sequence[str]) -> UserError:
    shown = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
    return UserError(f"does not know the language {language!r}", model, f"it knows: {shown}")
