# Everything runs in two virtualenvs: .venv has the newest Airflow, .venv-2.11 the oldest that is supported.

PYTHON ?= python3
BIN := .venv/bin
BIN_2_11 := .venv-2.11/bin
REQUIREMENTS := tests/requirements

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without bytecode Airflow takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

# $(call find-python,311,314): the first Python of at least 3.11 and at most 3.14 that really runs, or nothing.
find-python = $(shell for python in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; a, b, *_ = sys.version_info; sys.exit(not $(1) <= 100 * a + b <= $(2))' 2>/dev/null \
	&& echo $$python && break; done)

# $(call install,PYTHON,VENV,LOCK): what the lock lists and nothing else, and this project in editable form.
define install
	@echo "Setting up $(2): $$(grep -c == $(3)) packages, as $(3) lists them."
	@echo "This happens once, downloads what is not in pip's cache, and takes some minutes ..."
	@$(1) -m venv $(2)
	@$(2)/bin/python -m pip install -qq --no-deps -r $(3)
	@$(2)/bin/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $(2)/.installed
endef

# What several targets print at the same time is printed one after the other, where make can do that.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# Tests of one file run in one process, in which they share an Airflow; files are begun in the order of their folders.
BY_FILE := --dist loadfile --no-loadscope-reorder
E2E := tests/e2e tests/reliability

# $(call with-airflow-home,COMMAND): run it with a home for Airflow that is gone afterwards.
with-airflow-home = home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && AIRFLOW_HOME="$$home" $(1)

.DEFAULT_GOAL := help
.PHONY: help venv venv-2.11 check test test-unit test-e2e test-3.3 test-2.11 style lint docs demo ui matrix bench map \
	wire-forms soak lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/.installed ## Set up .venv with the newest Airflow; the other targets do it when needed
	@:

.venv/.installed: $(REQUIREMENTS)/airflow-3.3.lock pyproject.toml
	$(if $(call find-python,311,314),,$(error Python 3.11 to 3.14 is needed: make PYTHON=/path/to/python))
	$(call install,$(call find-python,311,314),.venv,$<)

venv-2.11: ## Set up .venv-2.11 with Airflow 2.11, if there is a Python 3.11 or 3.12: it runs on no later one
	@if [ -n "$(call find-python,311,312)" ]; then \
		$(MAKE) --no-print-directory .venv-2.11/.installed; \
	else \
		echo "No Python 3.11 or 3.12 here (make PYTHON=... names one): no environment with Airflow 2.11."; \
	fi

.venv-2.11/.installed: $(REQUIREMENTS)/airflow-2.11.lock pyproject.toml
	$(call install,$(call find-python,311,312),.venv-2.11,$<)

check: venv ## What to run while you work: style, layers, types, and the unit tests on the newest Airflow
	@$(MAKE) --no-print-directory -j2 $(SYNC) style test-unit

test: ## Check and test everything but the soak test, on both Airflows
	@$(MAKE) --no-print-directory -j2 $(SYNC) venv venv-2.11
	@$(MAKE) --no-print-directory test-e2e
	@$(MAKE) --no-print-directory -j3 $(SYNC) lint test-2.11 test-3.3

test-unit: venv
	@$(call with-airflow-home,$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/unit tests/project/test_layout.py)

# Real Airflows mostly wait, each for its components to notice something: two at once, and nothing else beside them. The
# canary starts some twenty tasks at a time and has the machine for itself: a scheduler that is starved resets its tasks.
CANARY := tests/e2e/test_canary.py
test-e2e: venv
	@$(call with-airflow-home,$(BIN)/python -m pytest $(CANARY))
	@$(call with-airflow-home,$(BIN)/python -m pytest -n 2 $(BY_FILE) $(E2E) --ignore=$(CANARY))

test-3.3: venv
	@$(call with-airflow-home,nice $(BIN)/python -m pytest $(E2E:%=--ignore=%))

test-2.11: venv-2.11
	@if [ -e .venv-2.11/.installed ]; then \
		$(call with-airflow-home,nice $(BIN_2_11)/python -m pytest tests/airflow_2 tests/dag_level tests/project tests/unit); \
	else \
		echo "SKIPPED: the tests on Airflow 2.11, for want of Python 3.11 or 3.12."; \
	fi

style: venv
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/codespell

lint: style docs ## Check style, layers, types, spelling, workflows, and that the docs build
	@$(BIN)/zizmor --quiet --offline .github
	@if command -v actionlint >/dev/null; then actionlint; \
		else echo "SKIPPED: actionlint, which is not installed (github.com/rhysd/actionlint)."; fi

docs: venv ## Build the documentation into site/; strict, so that a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

demo: venv ## Run an example in a real Airflow against the emulator, in under a minute after the installation
	@$(BIN)/python -m tests.e2e.demo

ui: venv ## Run Airflow with all examples against the emulator, to look at in a browser
	@$(BIN)/python -m tests.e2e.ui

matrix: venv ## Run the unit tests and examples on Airflow 2.11 to 3.3, each with the packages of its day, in .venv-matrix/
	@$(BIN)/python -m tests.matrix $(VERSIONS)

bench: venv ## Run the benchmarks
	@$(call with-airflow-home,$(BIN)/python -m tests.benchmarks)

map: venv ## Write the map of docs/architecture.md anew, from the docstrings of the modules
	@$(BIN)/python -m tests.architecture

wire-forms: venv ## Write client/protocol/wire_forms.py anew, as the official SDK sends its requests
	@$(BIN)/python -W ignore -m tests.conformance.wire_forms

soak: venv ## Run what takes an hour: 300 tasks that random kills hit, shutdowns of a Celery worker, fuzzed parsers, throttling
	@$(call with-airflow-home,$(BIN)/python -m pytest -m soak)

lock: venv ## Resolve all dependencies anew
	$(BIN)/uv pip compile -q --universal --no-header --no-annotate --python-version 3.11 \
		pyproject.toml $(REQUIREMENTS)/airflow-3.3.in --group dev -o $(REQUIREMENTS)/airflow-3.3.lock
	$(BIN)/uv pip compile -q --universal --no-header --no-annotate --python-version 3.11 \
		pyproject.toml $(REQUIREMENTS)/airflow-2.11.in --group test -o $(REQUIREMENTS)/airflow-2.11.lock

clean: ## Remove caches and built files; the virtualenvs stay
	rm -rf dist site .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path './.venv*' -prune -o -name __pycache__ -prune -exec rm -rf {} +
