"""Tasks of included folders: what is wrong with them is said by their file."""

from pathlib import Path

import pytest

from audit import worlds
from unskew.audit import loading
from unskew.audit.names import PHRASES
from unskew.errors import AbsentError, UserError

TASK = """
task: mine
tag: [ours]
dataset_path: json
dataset_kwargs: {data_files: DATA}
test_split: train
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
metric_list: [{metric: exact_match}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.jsonl").write_text('{"q": "What is red?", "a": "a rose"}\n')
    write(tmp_path, TASK)
    return tmp_path


def write(folder: Path, text: str) -> None:
    data = str(folder / "data.jsonl")
    (folder / "mine.yaml").write_text(text.replace("DATA", data))


def test_a_task_of_an_included_folder_by_its_name_and_by_its_tag(folder: Path) -> None:
    for name in ("mine", "ours"):
        [task] = loading.load([name], [folder])
        assert (task.name, task.choices) == ("mine", False)


@pytest.mark.parametrize("name", ["mine", "ours"])
def test_a_mistake_in_a_task_names_its_file_and_not_the_network(folder: Path, name: str) -> None:
    write(folder, TASK.replace("output_type", "output_typo"))
    with pytest.raises(UserError, match=r"cannot be loaded: .*output_typo") as caught:
        loading.load([name], [folder])
    assert caught.value.where == str(folder / "mine.yaml")
    assert not isinstance(caught.value, AbsentError)
    assert "network" not in str(caught.value)


def test_a_task_that_is_no_yaml_is_named_where_its_name_is_unknown(folder: Path) -> None:
    write(folder, "task: mine\n  bad: [1\n")
    with pytest.raises(UserError, match="there is no task 'mine'") as caught:
        loading.load(["mine"], [folder])
    assert caught.value.hint == f"left out, as not valid YAML: {folder / 'mine.yaml'}"


def test_other_files_of_the_folder_are_not_blamed(folder: Path) -> None:
    (folder / "aa.yaml").write_text("a: 1\n---\nb: 2\n")
    (folder / "group.yaml").write_text("group: all_of_mine\ntask: [mine, {task: other}]\n")
    (folder / "nowhere.yaml").symlink_to(folder / "absent.yaml")
    write(folder, TASK.replace("output_type", "output_typo"))
    with pytest.raises(UserError, match="output_typo") as caught:
        loading.load(["mine"], [folder])
    named = [folder / "group.yaml", folder / "mine.yaml"]  # both have tasks of that name
    assert caught.value.where == ", ".join(map(str, named))
    with pytest.raises(UserError, match="no task 'mein'; did you mean 'mine'"):
        loading.load(["mein"], [folder])


def saying(folder: Path, said: str, rows: str | None = None) -> None:
    """The task with this under `metadata.unskew`, and its documents."""
    write(folder, f"{TASK}metadata: {{version: 1.0, unskew: {said}}}\n")
    rows = rows or '{"q": "a", "a": "b", "country": "fr"}\n{"q": "c", "a": "d", "country": "hu"}\n'
    (folder / "data.jsonl").write_text(rows)


def test_a_source_that_documents_do_not_name_is_refused_before_any_model(folder: Path) -> None:
    saying(folder, "{cluster: country}")
    [task] = loading.load(["mine"], [folder])
    assert task.cluster == "country"
    saying(folder, "{cluster: contry}")
    said = r"cluster is 'contry', which document 0 does not have; did you mean 'country'\?"
    with pytest.raises(UserError, match=said) as caught:
        loading.load(["mine"], [folder])
    assert caught.value.where == "mine"
    assert caught.value.hint == "its fields: q, a, country"


def test_null_is_a_source_of_its_own_but_not_of_all(folder: Path) -> None:
    saying(
        folder, "{cluster: c}", '{"q": "a", "a": "b", "c": null}\n{"q": "e", "a": "d", "c": 1}\n'
    )
    assert loading.load(["mine"], [folder])[0].cluster == "c"
    saying(
        folder, "{cluster: c}", '{"q": "a", "a": "b", "c": null}\n{"q": "e", "a": "f", "c": null}\n'
    )
    with pytest.raises(UserError, match=r"mine: .*cluster is 'c', which is null in every document"):
        loading.load(["mine"], [folder])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{chance: 1/3}", r"unskew\.chance, the score of guessing, is a number .* not '1/3'"),
        ("{chance: true}", "not True"),
        ("{chance: 25}", "not 25\nscores are shares of 1"),
        ("{chance: 1.0}", r"not 1\.0"),
        ("{chance: -0.1}", r"not -0\.1"),
        ("{chance: .nan}", "not nan"),
        ("{cluster: [q]}", r"unskew\.cluster is a name, not \['q'\]"),
        ("{main: 1}", r"unskew\.main is a name, not 1"),
        ("{judged: end}", r"judged is 'whole' or 'beginning', not 'end'"),
        ("{clusters: q}", r"says 'clusters', .* did you mean 'cluster'\?\nits names: main, chance"),
        ("{7: q}", r"says '7', which is nothing it can say\n"),
        ("guessing", r"unskew holds names and values, not 'guessing'"),
    ],
)
def test_what_a_task_says_of_itself_is_checked_as_it_is_read(
    folder: Path, given: str, said: str
) -> None:
    saying(folder, given)
    with pytest.raises(UserError, match=said) as caught:
        loading.load(["mine"], [folder])
    assert caught.value.where == "mine"


@pytest.mark.parametrize(("given", "chance"), [("{chance: 0}", 0.0), ("{chance: null}", None)])
def test_a_chance_that_is_said_or_left_out(folder: Path, given: str, chance: float | None) -> None:
    saying(folder, given)
    assert loading.load(["mine"], [folder])[0].chance == chance


def test_data_may_be_there_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "data.jsonl").unlink()
    with pytest.raises(AbsentError, match=r"the task 'mine' cannot be loaded: .*data\.jsonl"):
        loading.load(["mine"], [folder])

    class Unreachable:
        all_tasks = ("arc_easy", "ours")

        def load(self, names: list[str]) -> dict[str, object]:
            if names == ["ours"]:  # as ours say it
                raise UserError("no data", "ours") from ConnectionError()
            raise ConnectionError("the hub cannot be reached\nmore")

    for name, said in (("arc_easy", "its data cannot be loaded: the hub cannot"), ("ours", "data")):
        with pytest.raises(AbsentError, match=f"{name}: .*{said}"):
            loading.load([name], [folder], known=Unreachable())  # type: ignore[arg-type]


def test_what_is_included_must_be_a_folder_with_something_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(UserError, match="no such folder") as caught:
        loading.included([str(folder)])
    assert not isinstance(caught.value, AbsentError)  # a dry run does not go on without it
    folder.mkdir()
    with pytest.raises(UserError, match="no tasks are in this folder"):
        loading.included([str(folder)])
    (folder / PHRASES).write_text("")
    assert loading.included([str(folder)]) == [folder]
    with pytest.raises(UserError, match="a file, not a folder"):
        loading.included([str(folder / PHRASES)])
    assert loading.included([str(worlds.tasks(tmp_path / "tasks"))]) == [tmp_path / "tasks"]
