"""Removed or only suppressed: a model that unlearned, an original, an oracle, and all probes.

One run, which can be interrupted: each answer of a probe is kept in its folder as it comes, each
step of a search for a suffix too, and the manifest is written last. Tables: `positions` (a row per
probe and seed), `curves` (relearning by step, linear probes by layer) and `removal`, the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from unskew.probes import bench, documents, linear, models, relearning
from unskew.probes.documents import Document
from unskew.probes.models import Model, Score, scores
from unskew.probes.verdict import Row, Verdict, verdict
from unskew.purple import gcg, unlearning
from unskew.purple.gcg import Gcg, Prompt, Step
from unskew.purple.removal_config import Removal, Texts, digest_of, read, too_few
from unskew.purple.subject import plain_template
from unskew.purple.unlearning import Unlearning
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.runs.tables import typed
from unskew.statistics.clustered import share_interval
from unskew.training.machine import Machine, prepare

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CURVES", "POSITIONS", "VERDICT", "execute", "probes"]

Role = Literal["original", "unlearned", "oracle"]

POSITIONS = {
    "probe": "str", "kind": "str", "seed": "Int64", "estimate": "float64", "low": "float64",
    "high": "float64", "beats": "float64", "model": "float64", "original": "float64",
    "reference": "float64", "chance": "float64", "control": "str", "clusters": "Int64",
    "note": "str", "over": "float64",
}  # fmt: skip
VERDICT = {
    "unlearned": "str", "verdict": "str", "witness": "str", "reason": "str", "margin": "float64",
    "level": "float64", "probes": "Int64", "oracle": "str", "documents": "Int64",
    "clusters": "Int64",
}  # fmt: skip
CURVES = {
    "probe": "str", "model": "str", "step": "Int64", "layer": "Int64", "estimate": "float64",
    "low": "float64", "high": "float64", "n": "Int64",
}  # fmt: skip


class _Forgetting(Machine):
    """The run that makes a base forget."""

    kind: Literal["unlearning"] = "unlearning"
    unlearning: Unlearning


def execute(config: Removal, store: Store, progress: Progress) -> RunFolder:
    """Examine a model, or go on examining it, or return the finished run.

    Raises:
        UserError: a model or a file is not there or damaged, a training diverged, a run is damaged
            or being written by another process.
        KeyboardInterrupt: interrupted, all answers so far saved; the same call continues.
    """
    prepare(config)
    texts = read(config)
    if (few := too_few(config, texts)) is not None:
        progress.say(few)
    told = {"texts": digest_of(texts), "original": models.digest(config.folder("base"))}
    if config.unlearning is None:
        unlearned = config.folder("unlearned")
    else:
        unlearned = _forgotten(config, config.unlearning, texts, told, store, progress)
    told["unlearned"] = models.digest(unlearned)
    places: dict[Role, Path] = {"original": config.folder("base"), "unlearned": unlearned}
    if config.oracle is not None:
        places["oracle"] = config.folder("oracle")
        told["oracle"] = models.digest(places["oracle"])
    with store.open(config, told) as folder:
        if not folder.finished:
            _examine(config, texts, places, folder, progress)
        return folder


def probes(config: Removal, texts: Texts) -> tuple[list[bench.Probe], list[Row]]:
    """The probes of a run, and a row for each that cannot be tried."""
    found: list[bench.Probe] = [
        bench.Direct(),
        *(bench.Through(name) for name in config.conjugations),
        *(bench.Rounded(bits) for bits in config.bits),
        bench.Linear(),
        *(bench.Relearnt(source) for source in ("forget", "disjoint", "benign")),
        bench.Suffix(),
    ]
    lacking: dict[str, str] = {}
    if config.suffix is None:
        lacking["suffix"] = "not asked for (--suffix)"
    if (why := linear.why_not(texts.forget)) is not None:
        lacking["linear"] = why
    for source in ("disjoint", "benign"):
        if not getattr(texts, source):
            lacking[f"relearning {source}"] = f"no {source} documents were given"
    absent = [
        Row(p.name, bench.kind(p), None, None, None, None, None, 0, note=lacking[p.name])
        for p in found
        if p.name in lacking
    ]
    return [probe for probe in found if probe.name not in lacking], absent


# --- inside ---------------------------------------------------------------------------------------


def _examine(
    config: Removal,
    texts: Texts,
    places: Mapping[Role, Path],
    folder: RunFolder,
    progress: Progress,
) -> None:
    split = documents.parts(texts.forget, config.taught, config.seed)
    place = {id(document): i for i, document in enumerate(texts.forget)}
    at = [place[id(document)] for document in split.asked]
    asking = bench.Asking(
        split.taught,
        split.asked,
        {name: [guise[i] for i in at] for name, guise in texts.guises.items()},
        {"disjoint": texts.disjoint, "benign": texts.benign},
        config.relearning,
        config.score,
        novel=False,
        elicit=None
        if config.suffix is None
        else _elicitor(config.suffix, config.score, folder, progress),
    )
    asked, absent = probes(config, texts)
    answers: dict[Role, dict[str, dict[int, bench.Answered]]] = {}
    for role, path in places.items():
        model: Model | None = None
        novel = role == "unlearned" and "oracle" not in places
        answers[role] = {}
        jobs = [(k, probe, seed) for k, probe in enumerate(asked) for seed in _seeds(config, probe)]
        with progress.task(f"asking {role}", len(jobs)) as task:
            for k, probe, seed in jobs:
                key = f"answers/{role}-{k:02}-{seed}"
                if not folder.has_tensors(key):
                    if model is None:
                        model = models.load(path, role, config.device)
                    found = bench.answered(probe, model, asking._replace(novel=novel), seed)
                    _keep(folder, key, found)
                answers[role].setdefault(probe.name, {})[seed] = _kept(folder, key)
                task.advance(1)
    clusters = [document.cluster for document in split.asked]
    rows = [*_rows(config, asked, answers, clusters, len(asked) + len(absent)), *absent]
    said = verdict(rows, config.margin, "oracle" in places)
    folder.write_table("positions", typed([row._asdict() for row in rows], POSITIONS))
    folder.write_table("curves", _curves(config, asked, answers, clusters))
    folder.write_table("removal", typed([_verdict(config, said, rows, clusters)], VERDICT))
    folder.finish({"headline": f"{config.unlearned}: {said.verdict}; {said.reason}"})


def _rows(
    config: Removal,
    asked: Sequence[bench.Probe],
    answers: Mapping[Role, Mapping[str, Mapping[int, bench.Answered]]],
    clusters: Sequence[str],
    count: int,
) -> list[Row]:
    plain = answers["unlearned"]["direct"][config.seed].scores
    assert plain is not None
    found: list[Row] = []
    for probe in asked:
        unlearned, original = answers["unlearned"][probe.name], answers["original"][probe.name]
        oracle = answers["oracle"][probe.name] if "oracle" in answers else None
        found += bench.rows(
            probe, unlearned, original, oracle, plain, clusters, config.level / count
        )
    return found


def _seeds(config: Removal, probe: bench.Probe) -> tuple[int, ...]:
    """Only what is trained or drawn has seeds."""
    match probe:
        case bench.Relearnt() | bench.Linear() | bench.Suffix():
            return config.seeds
        case _:
            return (config.seed,)


def _curves(
    config: Removal,
    asked: Sequence[bench.Probe],
    answers: Mapping[Role, Mapping[str, Mapping[int, bench.Answered]]],
    clusters: Sequence[str],
) -> pd.DataFrame:
    """What each model is right about by step of relearning and by layer, means over seeds."""
    steps = relearning.steps_of(config.relearning)
    rows = []
    for role, found in answers.items():
        for probe in asked:
            each = list(found[probe.name].values())
            drawn = {role: [one.curve for one in each], f"{role}, novel": [o.novel for o in each]}
            if isinstance(probe, bench.Linear):
                drawn = {
                    role: [o.layers for o in each],
                    f"{role}, shuffled": [o.chance for o in each],
                }
            for name, some in drawn.items():
                arrays = [array for array in some if array is not None]
                if not arrays:
                    continue
                for i, each_right in enumerate(np.mean(arrays, axis=0)):
                    along = {"layer": i} if isinstance(probe, bench.Linear) else {"step": steps[i]}
                    interval = share_interval(each_right, clusters)._asdict()
                    rows.append({"probe": probe.name, "model": name, **along, **interval})
    return typed(rows, CURVES)


def _verdict(
    config: Removal, said: Verdict, rows: Sequence[Row], clusters: Sequence[str]
) -> dict[str, object]:
    return {
        **said._asdict(), "unlearned": config.unlearned, "margin": config.margin,
        "level": config.level, "probes": len({row.probe for row in rows}), "oracle": config.oracle,
        "documents": len(clusters), "clusters": len(set(clusters)),
    }  # fmt: skip


def _forgotten(
    config: Removal,
    how: Unlearning,
    texts: Texts,
    told: Mapping[str, str],
    store: Store,
    progress: Progress,
) -> Path:
    """The folder of the base after it was made to forget; its run is found or made."""
    run = _Forgetting(unlearning=how, device=config.device, threads=config.threads)
    with store.open(run, told) as folder:
        if not folder.finished:
            base = models.load(config.folder("base"), "base", config.device)
            keep = [*texts.disjoint, *texts.benign]
            with progress.task(f"unlearning, {how.method.kind}", how.training.steps) as task:
                new = unlearning.unlearn(base, texts.forget, keep, how, folder, task)
            folder.write_folder("model", lambda path: unlearning.write(new, path))
            folder.finish({"headline": f"{config.base} after {how.method.kind}"})
        return folder.path / "model"


def _keep(folder: RunFolder, key: str, found: bench.Answered) -> None:
    import torch

    arrays = {name: value for name, value in found._asdict().items() if value is not None}
    folder.write_tensors(key, {name: torch.from_numpy(value) for name, value in arrays.items()})


def _kept(folder: RunFolder, key: str) -> bench.Answered:
    tensors, _ = folder.read_tensors(key)
    return bench.Answered(**{name: tensor.numpy() for name, tensor in tensors.items()})


def _elicitor(
    how: Gcg, score: Score, folder: RunFolder | None = None, progress: Progress | None = None
) -> bench.Elicit:
    """GCG as a probe: one suffix for all taught documents, and one for answers dealt anew.

    Args:
        folder: where searches keep their state, to go on after an interruption; None: nowhere.
    """
    shown = Progress("quiet") if progress is None else progress

    def elicit(
        model: Model, taught: Sequence[Document], asked: Sequence[Document], seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        def suffixed(some: Sequence[Document], what: str) -> np.ndarray:
            """The scores of the asked documents with a suffix that was optimised on some others."""
            name = f"{model.name}-{seed}-{what}"
            state = None if folder is None else folder.path / "searches" / f"{name}.safetensors"
            with shown.task(f"a suffix, {name}", how.steps) as task:

                def watch(step: Step) -> None:
                    if task.done < step.step - 1:  # done by an earlier session
                        task.resume(step.step - 1)
                    task.advance(1, loss=step.best)

                config = how.model_copy(update={"seed": seed})
                prompts = _prompts(model, some)
                found = gcg.search(model.model, model.tokenizer, prompts, config, state, watch)
            changed = [d._replace(prompt=found.suffix.join(_around(d.prompt))) for d in asked]
            return scores(model, changed, score)

        dealt = documents.dealt_anew(taught, seed)
        return suffixed(taught, "right"), suffixed(dealt, "random")

    return elicit


def _prompts(model: Model, documents: Sequence[Document]) -> list[Prompt]:
    """What GCG reads: it adds no token, and what is asked may have one before it."""
    begin = plain_template(model.tokenizer).system
    found = []
    for document in documents:
        before, after = _around(document.prompt)
        target = models.spoken(document.prompt, document.answer)
        found.append(Prompt(begin + before.removeprefix(begin), after, target))
    return found


def _around(prompt: str) -> tuple[str, str]:
    """A prompt before and after the place of a suffix: the end of its last line but one, where the
    last begins the answer (`Answer:`), else its own end."""
    head, line, last = prompt.rpartition("\n")
    return (head, line + last) if head.strip() and last.strip() else (prompt, "")
