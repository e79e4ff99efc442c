# Each target makes the virtual environment it needs on first use; Python >= 3.11 is all that must be there.
PYTHON ?= python3
# A checkout that cannot be written to is installed from a copy; all that is made lies in WORK.
WRITABLE := $(shell test -w . && echo yes)
WORK   ?= $(if $(WRITABLE),.,$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/heliolake/checkout)
VENV   ?= $(WORK)/.venv
BIN    := $(VENV)/bin
# Processes that share the tests; each that needs services starts its own. 0: all in one.
JOBS   ?= 2
# File by file as they lie there: what takes long comes first, small files level out the end. One that crashes ends the run.
SHARED := --dist loadfile --no-loadscope-reorder --max-worker-restart 0
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ifeq ($(WRITABLE),yes)
install = $(PIP) --editable '.$(1)'
else
install = copy=$$(mktemp -d) && cp -r . "$$copy/source" && $(PIP) "$$copy/source$(1)"; \
	status=$$?; rm -rf "$$copy"; exit $$status
endif

.PHONY: help demo test slow openid slurm chromium helm lint bench mutants format clean

help:
	@echo "make demo    everything once, on small real and simulated data, with a picture at the end"
	@echo "make test    the tests (JOBS=0: in one process; HELIOLAKE_DATA=DIR: with real observation files)"
	@echo "make openid  install the OpenID provider that some tests need (node and npm); else they skip"
	@echo "make slurm   install the SLURM that some tests need (root, on Debian or Ubuntu); else they skip"
	@echo "make chromium  install the Chromium in which pages are tried (root, on Debian or Ubuntu); else they skip"
	@echo "make helm    install Helm, which the tests of the chart need (node and npm); else they skip"
	@echo "make lint    ruff and mypy"
	@echo "make bench   benchmarks against peers; results in bench/out"
	@echo "make mutants whether the tests notice small random changes of the program; takes minutes"
	@echo "make format  let ruff format the code"
	@echo "make clean   remove the virtual environment and caches"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Heliolake needs Python >= 3.11, this is " + sys.version.split()[0] + "; name another with make PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(call install,[embedded])
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(call install,[test])
	@touch $@

$(VENV)/.bench: $(VENV)/.run
	$(call install,[bench])
	@touch $@

demo: $(VENV)/.run
	$(BIN)/heliolake demo --output $(WORK)/demo-out $(if $(HELIOLAKE_DATA),--data $(HELIOLAKE_DATA))

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses $(JOBS) $(SHARED) -m 'not slow'

# Several homes and sites, batch systems, gateways, browsers, benchmarks in short: what takes as long again.
slow: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses $(JOBS) $(SHARED) -m slow

openid: $(VENV)/.test
	$(BIN)/python -m tests.openid

slurm: $(VENV)/.test
	$(BIN)/python -m tests.slurm

chromium: $(VENV)/.test
	$(BIN)/python -m tests.chromium

helm: $(VENV)/.test
	$(BIN)/python -m tests.helm

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
