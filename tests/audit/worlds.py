"""Small tasks of the harness on local data, of each kind that an audit meets."""

import json
from pathlib import Path

GENERATE = """
task: toy_generate
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "Q: {{{{question}}}}\\nA:"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 12}}
num_fewshot: 2
fewshot_split: test
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, unskew: {{cluster: source}}}}
"""
CHOOSE = """
task: toy_choose
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Is it so? {{{{question}}}}"
doc_to_choice: ["yes", "no"]
doc_to_target: "{{{{['yes', 'no'].index(label)}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""
SCORE = """
task: toy_score
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{question}}}}"
doc_to_target: " {{{{answer}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""
ROLL = """
task: toy_roll
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list: [{{metric: word_perplexity}}]
metadata: {{version: 1.0}}
"""


def tasks(folder: Path, n: int = 12) -> Path:
    """The folder with the tasks' YAML files, written with their data."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "question": f"the cat sees {i} dogs",
            "answer": str(i),
            "label": "yes" if i % 3 else "no",
            "source": f"s{i // 2}",
        }
        for i in range(n)
    ]
    data = folder / "toy.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in (("g", GENERATE), ("c", CHOOSE), ("s", SCORE), ("r", ROLL)):
        (folder / f"{name}.yaml").write_text(text.format(data=data))
    return folder
