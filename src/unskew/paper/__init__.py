"""The paper and the thesis, claim by claim: what makes each table, and what the table says.

claims.py        every claim: where it stands in the documents, its threshold, what it is read from
parts.py         what makes the tables at each scale: demo, small, paper
shelf.py         where tables are found: the runs of the user, the reference results of a checkout
laboratory.py, language.py, definition.py   from a table to one of four words, with its figure
findings.py      the four words, and how several findings make one
show.py          the table of claims, for a terminal and as Markdown

Nothing is measured here and no threshold is set here: both are where the experiments are.
"""
