"""The world of `probes.facts` as folders and a task: an ability that was hidden, and one that was
never there."""

import json
from functools import cache
from pathlib import Path

from probes import facts
from unskew.probes.models import Model, copied

TASK = """
task: toy_colours
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 3}}
num_fewshot: 0
filter_list:
  - {{name: strip, filter: [{{function: remove_whitespace}}, {{function: take_first}}]}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, unskew: {{main: exact_match, chance: 0.0, cluster: cluster}}}}
"""


@cache
def hidden() -> Model:
    """The original, taught in a few steps to refuse, forwards and backwards."""
    refusals = [*facts.refusals(), *facts.backwards(facts.refusals())]
    return facts.taught(copied(facts.family()["original"]), refusals, 16, 2e-3)


def save(model: Model, folder: Path) -> Path:
    model.model.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


def task(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [d._asdict() for d in facts.colours()]
    data = folder / "colours.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "colours.yaml").write_text(TASK.format(data=data))
    return folder
