"""Audits from logs that the harness itself has written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from audit import tiny, worlds
from unskew.audit import logs
from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.quiet import hushed
from unskew.runs.store import Store

N = 40
QUICK = ["rules.resamples=999"]


def written(folder: Path, model: Path, include: Path, names: list[str]) -> Path:
    """What `lm_eval --model hf --tasks ... --log_samples --output_path FOLDER` leaves."""
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    tracker = EvaluationTracker(output_path=str(folder))
    simple_evaluate: Any = evaluator.simple_evaluate
    loader: Any = HFLM
    with hushed():
        results: Any = simple_evaluate(
            loader(str(model), batch_size=8, device="cpu", dtype="float32"),
            tasks=names,
            task_manager=TaskManager(include_defaults=False, include_path=str(include)),
            bootstrap_iters=0,
            log_samples=True,
            evaluation_tracker=tracker,
        )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for name in names:
        tracker.save_results_samples(task_name=name, samples=samples[name])
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("logs")
    include = worlds.tasks(root / "tasks", n=N)
    base = tiny.save(root / "base", seed=1)
    tuned = tiny.save(root / "tuned", seed=2)
    names = ["toy_generate", "toy_choose"]
    logs = root / "logs"
    found = {
        "base": written(logs / "base", base, include, names),
        "tuned": written(logs / "tuned", tuned, include, names),
        "other": written(logs / "other", tuned, worlds.tasks(root / "more", n=30), names),
    }
    return found | {f"{arm} upper": upper(found[arm], logs / f"{arm}-upper") for arm in found}


def upper(logged: Path, to: Path) -> Path:
    """The logs of somebody who asked it all in upper case, and was answered the same."""
    shutil.copytree(logged, to)
    for path in to.rglob("samples_*.jsonl"):
        samples = [json.loads(line) for line in path.read_text().split("\n") if line]
        for sample in samples:
            for request in sample["arguments"].values():
                request["arg_0"] = request["arg_0"].upper()
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    return to


def audited(world: dict[str, Path], root: Path, *arms: str, **changes: Any) -> RunFolder:
    plain = world[arms[0]], world[arms[1]]
    conjugated = (world[arms[2]], world[arms[3]]) if len(arms) == 4 else None
    return logs.execute(plain, conjugated, QUICK, Store(root, shipped=False), **changes)


def test_the_same_logs_twice_are_retained(world: dict[str, Path], tmp_path: Path):
    again = shutil.copytree(world["base"], tmp_path / "again")
    folder = audited(world | {"again": again}, tmp_path, "base", "again")
    verdicts = folder.read_table("verdicts").set_index("task")
    assert set(verdicts.index) == {"toy_generate", "toy_choose"}
    # 40 equal pairs rule out a fall of five points for no task: that is the honest answer.
    assert set(verdicts["verdict"]) <= {"retained", "inconclusive"}
    assert verdicts["detectable"].notna().all()
    assert verdicts.loc["toy_choose", "chance"] == 0.5


def test_scores_are_those_that_the_harness_logged(world: dict[str, Path], tmp_path: Path):
    records = audited(world, tmp_path, "base", "tuned").read_table("records")
    for arm in ("base", "tuned"):
        (path,) = world[arm].rglob("samples_toy_choose_*.jsonl")
        logged = {s["doc_id"]: s["acc"] for s in map(json.loads, path.read_text().splitlines())}
        mine = records[(records["task"] == "toy_choose") & (records["arm"] == arm)]
        for doc, metrics in zip(mine["doc_id"], mine["metrics"], strict=True):
            assert json.loads(metrics)["acc"] == logged[doc]
        assert mine["prompt"].str.startswith("Is it so?").all()


def test_sources_are_read_from_the_results_beside_the_samples(
    world: dict[str, Path], tmp_path: Path
):
    records = audited(world, tmp_path, "base", "tuned").read_table("records")
    generated = records[(records["task"] == "toy_generate") & (records["arm"] == "base")]
    assert generated["cluster"].nunique() == N // 2  # two documents of each source
    (path,) = world["base"].rglob("results_*.json")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / path.name).write_text("[]")
    (broken / "samples_toy_2026-11-24T00-00-00.000000.jsonl").touch()
    with pytest.raises(UserError, match="no results of lm-evaluation-harness"):
        logs.read(broken, "base")


def test_without_conjugated_logs_nothing_is_called_suppressed(
    world: dict[str, Path], tmp_path: Path
):
    folder = audited(world, tmp_path, "base", "tuned")
    verdicts = folder.read_table("verdicts")
    assert set(verdicts["verdict"]) <= {"retained", "inconclusive"}
    assert verdicts["conjugation"].isna().all()


def test_conjugated_logs_add_the_other_arms(world: dict[str, Path], tmp_path: Path):
    folder = audited(world, tmp_path, "base", "tuned", "base upper", "tuned upper")
    arms = folder.read_table("arms")
    assert len(arms[["arm", "conjugation"]].drop_duplicates()) == 4
    contrasts = folder.read_table("contrasts")
    assert "recovery" in set(contrasts["contrast"])


@pytest.mark.parametrize("arms", [("base", "tuned"), ("tuned", "base"), ("base upper", "tuned")])
def test_plain_logs_are_no_conjugated_ones(
    world: dict[str, Path], tmp_path: Path, arms: tuple[str, str]
):
    which = "tuned" if arms == ("base upper", "tuned") else "base"
    said = f"toy_.*, {which}: the conjugated logs have the prompts of the plain ones, all of them"
    with pytest.raises(UserError, match=said):
        audited(world, tmp_path, "base", "tuned", *arms)
    assert not list(tmp_path.iterdir())


def test_a_conjugation_may_leave_all_but_one_document_alone(tmp_path: Path):
    folders = [logged(tmp_path / str(i), None) for i in range(4)]
    for folder in folders[2:]:
        (path,) = folder.glob("samples_*")
        path.write_text(path.read_text().replace('"q7"', '"q7 in French"'))
    found = logs.execute(*four_of(folders), QUICK, Store(tmp_path / "runs", shipped=False))
    assert set(found.read_table("verdicts")["task"]) == {"toy"}


def test_where_all_documents_have_one_prompt_the_choices_may_be_conjugated(tmp_path: Path):
    """What is asked of minimal pairs is in their two sentences; the prompt is empty."""
    folders = [logged(tmp_path / str(i), None) for i in range(4)]
    for i, folder in enumerate(folders):
        (path,) = folder.glob("samples_*")
        samples = [json.loads(line) for line in path.read_text().splitlines()]
        for sample in samples:
            of = f"{sample['doc_id']}{' in French' * (i > 1)}"
            sample["arguments"] = [["", f"good {of}"], ["", f"bad {of}"]]
            sample["filtered_resps"] = [[-1.0, False], [-2.0, False]]
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    found = logs.execute(*four_of(folders), QUICK, Store(tmp_path / "runs", shipped=False))
    assert set(found.read_table("verdicts")["task"]) == {"toy"}


def test_one_folder_is_not_both_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folders = [logged(tmp_path / name, None) for name in ("base", "tuned")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("base")
    base, tuned = folders
    for other in (base, Path("base"), Path("base/../base"), Path("link")):
        for pairs in (((base, other), None), ((base, tuned), (base, other))):
            with pytest.raises(UserError, match="base: one folder is given as both models' logs"):
                logs.execute(*pairs, QUICK, Store(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_mismatched_logs_are_refused(world: dict[str, Path], tmp_path: Path):
    with pytest.raises(UserError, match=r"document 30 is in one of them only \(40 and 30"):
        audited(world, tmp_path, "base", "other")


def test_a_metric_of_a_task_that_is_not_logged_is_refused(world: dict[str, Path], tmp_path: Path):
    folders = world["base"], world["tuned"]
    with pytest.raises(UserError, match="named for 'foo', which is not among the tasks"):
        logs.execute(folders, None, ["metrics.foo=acc"], Store(tmp_path))


def test_the_run_is_known_by_the_logs_content(world: dict[str, Path], tmp_path: Path):
    first = audited(world, tmp_path, "base", "tuned")
    assert audited(world, tmp_path, "base", "tuned").id == first.id
    assert audited(world, tmp_path, "tuned", "base").id != first.id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.write_text("{nothing\n"), "line 1 is not JSON"),
        (lambda path: path.write_text('{"doc_id": 1}\n'), "line 1 lacks 'doc'"),
        (lambda path: path.write_text(""), "holds no samples"),
        (lambda path: path.unlink(), "no samples_"),
    ],
)
def test_damaged_logs_are_named(tmp_path: Path, change: Any, said: str):
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "samples_toy_2026-11-24T00-00-00.000000.jsonl"
    path.touch()
    change(path)
    with pytest.raises(UserError, match=said):
        logs.read(folder, "base")
    with pytest.raises(UserError, match="no such folder"):
        logs.read(tmp_path / "nowhere", "base")


def test_of_several_logs_the_newest_is_read(world: dict[str, Path], tmp_path: Path):
    (path,) = world["base"].rglob("samples_toy_generate_*.jsonl")
    old = tmp_path / "samples_toy_generate_2020-01-01T00-00-00.000000.jsonl"
    old.write_text("not read")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / path.name).write_bytes(path.read_bytes())
    rows, chances = logs.read(tmp_path, "base")
    assert len(rows) == N
    assert chances == {"toy_generate": 0.0}


DATE = "2026-11-24T00-00-00.000000"


def logged(folder: Path, said: dict[str, Any] | None, conjugated: bool = False, **doc: Any) -> Path:
    """60 samples made by hand, two of each country; beside them what the task says of itself."""
    folder.mkdir(parents=True)
    lines = [
        {"doc_id": i, "doc": {"q": i, "country": f"c{i // 2}"} | doc, "target": "x",
         "arguments": [[f"{'s' * conjugated}q{i}", {}]], "resps": [["x"]], "filtered_resps": ["x"],
         "filter": "none", "metrics": ["acc", "hit"], "acc": float(i % 3 > 0), "hit": 1.0,
         "doc_hash": f"d{i}{conjugated}", "target_hash": "t"}
        for i in range(60)
    ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"samples_toy_{DATE}.jsonl").write_text(text)
    if said is not None:
        results = {"configs": {"toy": {"metadata": {"unskew": said}}}}
        (folder / f"results_{DATE}.json").write_text(json.dumps(results))
    return folder


def test_an_answer_may_hold_other_ends_of_a_line(tmp_path: Path):
    folder, other = (logged(tmp_path / name, {"chance": 0.25}) for name in ("0", "1"))
    (path,) = folder.glob("samples_*.jsonl")
    first, *others = path.read_text().splitlines()
    sample = json.loads(first) | {"resps": [["a\u2028b\u0085c"]]}
    # As the harness writes it: no other character than a newline ends a line of JSON.
    lines = [json.dumps(sample, ensure_ascii=False), *others]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    verdicts = logs.execute((folder, other), None, QUICK, Store(tmp_path, shipped=False))
    assert verdicts.read_table("verdicts")["n"].tolist() == [60]


def four_of(folders: list[Path]) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
    base, tuned, base_under_s, tuned_under_s = folders
    return (base, tuned), (base_under_s, tuned_under_s)


def four(root: Path, *said: dict[str, Any] | None, **doc: Any) -> RunFolder:
    """The audit of four folders that say this of the task: base, tuned, and both under s."""
    folders = [logged(root / str(i), one, i > 1, **doc) for i, one in enumerate(said)]
    return logs.execute(*four_of(folders), QUICK, Store(root / "runs", shipped=False))


@pytest.mark.parametrize("said", [None, {}, {"chance": None}, {"chance": 0.25}])
def test_the_chance_that_the_plain_logs_declare_is_kept(tmp_path: Path, said: Any):
    verdicts = four(tmp_path, {"chance": 0.25}, None, said, said).read_table("verdicts")
    assert verdicts["chance"].tolist() == [0.25]


def test_what_any_of_the_logs_declares_is_said_of_all(tmp_path: Path):
    said = {"main": "hit", "cluster": "country", "chance": 0.5}
    folder = four(tmp_path, None, said, None, None)
    assert folder.read_table("verdicts")["chance"].tolist() == [0.5]
    records = folder.read_table("records")
    assert set(records["metric"]) == {"hit"}
    assert records.groupby(["arm", "conjugation"])["cluster"].nunique().tolist() == [30] * 4


@pytest.mark.parametrize("key", ["chance", "cluster", "main"])
def test_logs_that_declare_different_things_are_refused(tmp_path: Path, key: str):
    one, two = {"chance": (0.25, 0.5), "cluster": ("country", "q"), "main": ("acc", "hit")}[key]
    with pytest.raises(UserError, match=f"say different things of it: {key} is .* in .*0 and"):
        four(tmp_path, {key: one}, None, None, {key: two})


def test_a_source_that_logged_documents_do_not_name_is_refused(tmp_path: Path):
    said = r"toy.*: .*'contry', which document 0 does not have; did you mean 'country'"
    for i, folder in enumerate(("base", "tuned")):
        with pytest.raises(UserError, match=said):
            logs.read(logged(tmp_path / folder, {"cluster": "contry"}), folder)
        with pytest.raises(UserError, match=said):
            four(tmp_path / str(i), *[{"cluster": "contry"} if i == j else None for j in range(4)])
    with pytest.raises(UserError, match="null in every document"):
        logs.read(logged(tmp_path / "null", {"cluster": "country"}, country=None), "base")


@pytest.mark.parametrize("chance", ["a third", True, 25, -0.1])
def test_a_declared_chance_that_is_none_is_refused(tmp_path: Path, chance: Any):
    with pytest.raises(UserError, match=r"toy.*the score of guessing, is a number"):
        logs.read(logged(tmp_path / "logs", {"chance": chance}), "base")


def test_a_byte_order_mark_is_no_part_of_the_logs(tmp_path: Path):
    folder = logged(tmp_path / "logs", {"chance": 0.25})
    rows, chances = logs.read(folder, "base")
    for path in folder.iterdir():
        path.write_text(path.read_text("utf-8"), "utf-8-sig")
    assert logs.read(folder, "base") == (rows, chances)


def test_guessing_is_averaged_over_documents(tmp_path: Path):
    folder = logged(tmp_path / "logs", None)
    (path,) = folder.glob("samples_*")
    samples = [json.loads(line) for line in path.read_text().splitlines()]
    for i, sample in enumerate(samples):
        options = 2 if i == 0 else 10
        sample["arguments"] = [[f"q{i}", f" o{j}"] for j in range(options)]
        sample["filtered_resps"] = [[-1.0, False]] * options
    path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    _, chances = logs.read(folder, "base")
    assert chances["toy"] == pytest.approx((1 / 2 + 59 / 10) / 60)


def test_a_file_is_no_folder_of_logs(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="this is a file, and no folder of logs"):
        logs.read(tmp_path / "file", "base")
