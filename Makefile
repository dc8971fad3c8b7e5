# `make quickstart` and `make test` need nothing but Python 3.11 or newer: each makes its own environment first.

VENV   ?= .venv
SIZE   ?= cpu
# Used when present; `make UV= test` does without it.
UV     ?= $(shell command -v uv 2>/dev/null)
# The first Python on the PATH that is new enough; `make PYTHON=python3.12 test` names one.
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.13 python3.14 python; do \
            $$python -c '$(CHECK)' 2>/dev/null && echo $$python && break; done)
CHECK   = import sys; sys.exit(sys.version_info < (3, 11))

# What `make lock` stays below: newer releases are open to users but untested here.
TESTED  = jax<0.12

STEMJAX = $(VENV)/bin/python -m stemjax
READY   = $(VENV)/.ready
# One thread per test process: the processes share the cores, and sums come out in one order.
THREADS = NPROC=1 OMP_NUM_THREADS=1

# Size smoke compiles as the tests do. The two halves share no data set, so they run at the same time; both take as long.
SMOKE   = set -o pipefail; $(THREADS) STEMJAX_CACHE="$${STEMJAX_CACHE-$$HOME/.cache/stemjax-tests}" \
          XLA_FLAGS="$$($(VENV)/bin/python -m tests.compilation)" PYTHONUNBUFFERED=1 \
          $(STEMJAX) experiment run-all --size smoke

.PHONY: help setup quickstart test layers lint format smoke smoke-first smoke-second zoo tables leaderboard lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

quickstart: $(READY)  ## simulate, train, compare: a table and pictures in a few minutes
	$(STEMJAX) quickstart

test: $(READY)  ## the test suite, without GPU or network (ARGS="-k optics" passes options to pytest)
	$(THREADS) $(VENV)/bin/python -m pytest -q -n 2 --dist worksteal $(ARGS)

layers: $(READY)  ## the test that imports run one way
	$(VENV)/bin/python -m pytest -q tests/test_layers.py

lint: $(READY)  ## ruff: faults and format
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

format: $(READY)  ## let ruff repair what it can
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

smoke: $(READY)  ## every experiment, whole path, size smoke
	@$(MAKE) --no-print-directory --keep-going -j 2 smoke-first smoke-second

smoke-first smoke-second: SHELL = bash
smoke-first: $(READY)
	@$(SMOKE) 'sbd_*' shipped_network 'n2v_*' 2>&1 | sed -u 's/^/1 | /'

smoke-second: $(READY)
	@$(SMOKE) '!sbd_*' '!shipped_network' '!n2v_*' 2>&1 | sed -u 's/^/2 | /'

zoo: $(READY)  ## train the named models the experiments share, one by one, resumable (SIZE=cpu or gpu)
	$(VENV)/bin/python -m experiments.zoo --size $(SIZE)

tables: $(READY)  ## render results/tables from results/records
	$(STEMJAX) tables

leaderboard: $(READY)  ## render results/index.html and its data from results/records
	$(STEMJAX) leaderboard

setup: $(READY)  ## only make the environment

# Re-made when the lock or the project's metadata changes. The lock's setuptools builds the project: nothing unlocked.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && "$(PYTHON)" -c '$(CHECK)' 2>/dev/null || { echo \
	  "error: no Python 3.11 or newer found: install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV): about a minute, once"
ifneq ($(UV),)
	@"$(UV)" venv --quiet --allow-existing --python "$$("$(PYTHON)" -c 'import sys; print(sys.executable)')" $(VENV)
	@"$(UV)" pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements.lock
	@"$(UV)" pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation -e .
else
	@"$(PYTHON)" -m venv $(VENV) || { echo \
	  "error: $(PYTHON) cannot make environments: install its venv package (Debian: python3-venv), or uv" >&2; exit 1; }
	@$(VENV)/bin/python -m pip install -qq --require-hashes -r requirements.lock
	@$(VENV)/bin/python -m pip install -qq --no-deps --no-build-isolation -e .
endif
	@touch $@

lock:  ## pin the newest versions anew (needs uv)
	@test -n "$(UV)" || { echo "error: make lock needs uv: install it first" >&2; exit 1; }
	@echo "# Every package that make installs, with hashes. Made from pyproject.toml by make lock: do not edit." > $@.tmp
	@echo "$(TESTED)" | "$(UV)" pip compile pyproject.toml --constraints - --quiet --upgrade --universal \
	  --python-version 3.11 --extra simulation --extra dev --generate-hashes --no-header --no-annotate >> $@.tmp
	@mv $@.tmp requirements.lock

clean:  ## remove the environment and caches; data, runs and results stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache "$${XDG_CACHE_HOME:-$$HOME/.cache}/stemjax-tests"
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
