# Everything a fresh machine needs to run carsim: python3 (3.11 or later), make and a C compiler for the peers.
#
#   make demo     the worked example: a sweep of prophylaxis by depth of lymphodepletion and its report, into results/demo
#   make test     the tests (make test ARGS="-m 'not slow'" for the quick ones)
#   make lint     formatting, style, types, layers
#   make bench    carsim against other solvers; writes benchmarks/results/latest.json and figures
#   make clean    removes the environments and what the tools left behind
#
# Another interpreter: make test PYTHON=python3.13

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(VERSION),)
$(error '$(PYTHON)' does not run; say which Python to use: make test PYTHON=/path/to/python3.12)
endif
LOCK := $(wildcard requirements/lock-$(VERSION).txt)
BIN := $(VENV)/bin
# -qq: silent unless something fails. Versions outside the lock files get the newest that pip finds.
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check $(if $(LOCK),--constraint $(LOCK))

.PHONY: demo test lint bench environment clean
.DEFAULT_GOAL := demo

# One stamp for each set of packages; it carries the version, so that another PYTHON rebuilds the environment.
$(VENV)/.python-$(VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "carsim needs Python 3.11 or later; set PYTHON=")'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.base-$(VERSION): pyproject.toml $(LOCK) | $(VENV)/.python-$(VERSION)
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.test-$(VERSION): pyproject.toml $(LOCK) | $(VENV)/.python-$(VERSION)
	@$(INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.lint-$(VERSION): pyproject.toml $(LOCK) | $(VENV)/.python-$(VERSION)
	@$(INSTALL) --editable '.[test,lint]'
	@touch $@

demo: $(VENV)/.base-$(VERSION)
	$(BIN)/carsim sweep examples/prophylaxis_by_depletion.toml --out results/demo --resume
	$(BIN)/carsim report results/demo --overwrite

test: $(VENV)/.test-$(VERSION)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(VENV)/.lint-$(VERSION)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The peers live in environments of their own (.venv-bench-*), made by the script; a peer that does not install is
# reported as absent.
bench: $(VENV)/.base-$(VERSION)
	$(BIN)/python -m benchmarks.run --python $(PYTHON) $(ARGS)

environment: $(VENV)/.lint-$(VERSION)

clean:
	rm -rf $(VENV) .venv-bench-* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
