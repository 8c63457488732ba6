"""The audit: what did fine-tuning do to a language model, and is it gone or only suppressed?

    from unskew.audit import audit
    result = audit("./base", "./tuned", tasks=["unskew_icl_en"], conjugations=["pig-latin"])
    result.verdicts, result.records   # tables; in a notebook `result` shows itself

models       what a model is, and how it is named; server.py, scripted.py, and engine.py open them
conjugated   a model under a conjugation, with a trace of each request; asking.py asks nothing twice
engine       how all this meets lm-evaluation-harness
records      one row per sample and arm; summary.py makes the tables, verdict.py the verdicts
run          an audit from configuration to run folder; logs.py from the harness's own logs
tasks/       the tasks that ship, with their data
"""

from unskew.audit.api import AuditResult, audit
from unskew.audit.rules import Rules

__all__ = ["AuditResult", "Rules", "audit"]
