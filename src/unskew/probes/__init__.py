"""Is an ability gone from a model's weights, or only not shown? Probes that look for it.

A probe asks the same held-out documents of three models: the original, the unlearned one, and an
oracle that was never taught. Where the unlearned one stands between the oracle (0) and the original
(1) is its position; `verdict` reads removed, suppressed or inconclusive off all of them.

    documents.py   what is asked; models.py  a model, its answers and hidden states
    direct.py  conjugated.py  rounding.py  linear.py  relearning.py      one probe each
    position.py    scores -> a position with bounds; verdict.py  positions -> a verdict
"""
