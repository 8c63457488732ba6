# make demo   install into .venv and run both demonstrations; their page opens offline
# make test   install and run the tests
# Everything else: make help

PYTHON ?= python3
RUNS ?= runs

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The tests compute on small tensors, where threads cost more than they bring.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# Installed anew when what is to be installed has changed.
WANTED := pyproject.toml constraints.txt

.PHONY: help setup lm demo test verify check format docs checkpoints bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         install and run both demonstrations (a few minutes, 2 cores)"
	@echo "make test         install and run the tests"
	@echo "make setup        only install, into .venv"
	@echo "make lm           install what audits of language models need, too"
	@echo "make verify       the long tests and those in a browser (needs Chromium)"
	@echo "make check        style, types, who imports whom"
	@echo "make format       put the style right"
	@echo "make docs         the site, into build/docs; warnings are errors"
	@echo "make checkpoints  train the shipped models anew (long)"
	@echo "make bench        speed, side by side with others"
	@echo "make clean        remove .venv and caches; runs stay"

setup: .venv/.core-stamp

lm: .venv/.lm-stamp

demo: lm
	@$(BIN)/unskew demo --runs $(RUNS)

# Two workers: one-thread tests side by side use two cores best.
test: .venv/.dev-stamp
	@$(PYTEST) -q -n 2 --dist loadfile -m "not slow"

verify: .venv/.dev-stamp
	@UNSKEW_REQUIRE_BROWSER=1 $(PYTEST) -q -n 2 --dist loadfile -m "slow or browser"

check: .venv/.dev-stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@PYTHONPATH=src $(BIN)/lint-imports

format: .venv/.dev-stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: .venv/.dev-stamp
	@OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "site: build/docs/index.html"

checkpoints: setup
	@$(BIN)/python tools/checkpoints.py --runs $(RUNS)

bench: .venv/.dev-stamp
	@$(BIN)/python -m benchmarks --out $(RUNS)/benchmarks

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The interpreter is checked first: a half-made .venv is the worst of all beginnings.
.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: there is no $(PYTHON); install Python 3.11 or newer, or give make PYTHON=..."; exit 2; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $$($(PYTHON) -V) is too old; unskew needs Python 3.11 or newer: make PYTHON=..."; exit 2; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: this Python cannot make virtual environments."; \
	  echo "Install its venv package (Debian, Ubuntu: apt-get install python3-venv) and try again."; exit 2; } >&2
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 2; }

.venv/.core-stamp: $(WANTED) | .venv/bin/python
	@echo "Installing unskew into .venv; the first time this takes some minutes ..."
	@$(INSTALL) -e .
	@touch $@

.venv/.lm-stamp: $(WANTED) | .venv/bin/python
	@echo "Installing unskew for language models into .venv; the first time this takes some minutes ..."
	@$(INSTALL) -e '.[lm]'
	@touch .venv/.core-stamp $@

.venv/.dev-stamp: $(WANTED) | .venv/bin/python
	@echo "Installing unskew and its test tools into .venv; the first time this takes some minutes ..."
	@$(INSTALL) -e '.[dev]'
	@touch .venv/.core-stamp .venv/.lm-stamp $@
