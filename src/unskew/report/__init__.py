"""Tables to charts, charts to one self-contained page. Nothing here computes statistics.

charts     one function per experiment: tidy table -> Altair chart (also for notebooks)
headline   the plain-language sentence, from rows of the tables only
claims     what must hold, each with its figure, interval and verdict
page       `write(folders, out)`: the page
theme      colours, light and dark; `save(chart, path)` to svg, pdf or png
"""
