# Each target makes the virtual environment it needs on first use; Python >= 3.11 is all that must be there.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: help demo test lint bench mutants format clean

help:
	@echo "make demo    everything once, on small real and simulated data, with a picture at the end"
	@echo "make test    the tests (HELIOLAKE_DATA=DIR: with real observation files)"
	@echo "make lint    ruff and mypy"
	@echo "make bench   benchmarks against peers; results in bench/out"
	@echo "make mutants whether the tests notice small random changes of the program; takes minutes"
	@echo "make format  let ruff format the code"
	@echo "make clean   remove the virtual environment and caches"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Heliolake needs Python >= 3.11, this is " + sys.version.split()[0] + "; name another with make PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.bench: $(VENV)/.run
	$(PIP) --editable '.[bench]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/heliolake demo $(if $(HELIOLAKE_DATA),--data $(HELIOLAKE_DATA))

test: $(VENV)/.test
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench
	$(BIN)/python -m bench

mutants: $(VENV)/.test
	$(BIN)/python -m tests.mutants

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
