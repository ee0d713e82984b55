# make demo: a recognizer built, used and measured in SQL.   make test: the whole suite.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The address of an index with torch's CPU builds, where the usual one has builds for CUDA only: make TORCH_INDEX=…
TORCH_INDEX ?=

.PHONY: help setup demo test check torture lint format bench docs notebooks ray browser pictures lab clean

help:
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

# A .venv without pip is one whose making was interrupted.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=python3.12")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip uninstall --quiet --yes thanosql 2>/dev/null  # the former name of this distribution
	$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch)
	$(PIP) -e '.[captions,embedded,files,remote,synthesis,test]'
	@touch $@

setup: $(VENV)/.installed  ## makes .venv and installs into it

demo: setup  ## runs demo/demo.sql: a recognizer built, used and measured in SQL
	$(BIN)/python demo/demo.py

test: setup  ## the whole suite
	$(BIN)/python -m pytest tests thanosql --numprocesses=auto --maxprocesses=4 --dist=loadfile

$(VENV)/.browser: $(VENV)/.installed
	$(PIP) -e '.[browser]'
	@touch $@

notebooks: $(VENV)/.browser  ## every notebook from top to bottom, each in an empty home
	THANOSQL_TEST_NOTEBOOKS=1 $(BIN)/python -m pytest tests/notebook/test_notebooks.py --numprocesses=2 --dist=load --durations=0

browser: $(VENV)/.browser  ## JupyterLab and Notebook in Chromium; pictures and times are left in screenshots/
	scripts/install_chromium.sh
	THANOSQL_TEST_NOTEBOOKS=1 $(BIN)/python -m pytest tests/notebook/browser

pictures: $(VENV)/.browser  ## the pictures of the docs (docs/pictures), made anew by the browser tests
	scripts/install_chromium.sh
	THANOSQL_PICTURES=1 THANOSQL_TEST_NOTEBOOKS=1 $(BIN)/python -m pytest tests/notebook/browser -k "themes or groups or label"

$(VENV)/.ray: $(VENV)/.installed
	$(PIP) -e '.[ray]'
	@touch $@

ray: $(VENV)/.ray $(VENV)/.browser  ## the Ray executor against a cluster on this machine: equality, faults, its notebook
	$(BIN)/python -m pytest tests/ray --durations=0

lab: setup  ## JupyterLab with the notebooks, and the colours of their cells (as root: make lab JUPYTER=--allow-root)
	$(PIP) -e '.[notebook]'
	mkdir -p $(VENV)/share/jupyter/labextensions
	ln -sfn $(CURDIR)/thanosql/labextension $(VENV)/share/jupyter/labextensions/thanosql
	$(BIN)/jupyter lab $(JUPYTER) notebooks

check: lint test  ## lint, then the suite with warnings as errors

torture: setup  ## kills, faults, concurrency, hostile input and a soak, for hours; docs/reliability.md (TORTURE='--kills 30 --soak 5')
	$(BIN)/python -m tests.torture $(TORTURE)

lint: setup  ## format, style, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format:  ## rewrites the sources as ruff has them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## every benchmark, one after the other
	$(PIP) -e '.[bench]'
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

docs: setup  ## the documentation's site, strictly, in site/
	$(PIP) -e '.[docs]'
	$(BIN)/python scripts/make_reference.py --check
	$(BIN)/python -m mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist *.egg-info
