"""Tables to charts, charts to one self-contained page. Nothing here computes statistics.

charts     one function per experiment: tidy table -> Altair chart (also for notebooks)
headline   the plain-language sentence, from rows of the tables only
claims     what must hold, each with its figure, interval and verdict
page       `write(folders, out)`: the page
audit      the audit of a pair of language models on it, and the short form for notebooks
terminal   the verdicts of an audit as a table for terminals
theme      colours, light and dark; `save(chart, path)` to svg, pdf or png
"""
