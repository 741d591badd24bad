# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test env env-test lint clean
help:
	@echo "make demo   environment, then the default benchmark on embedded data (results/demo)"
	@echo "make test   environment, then every test"
	@echo "make lint   format and type checks"
	@echo "make clean  remove the environment and caches, keep results"

demo: env
	@blindfold unlock
	@blindfold protection
	snakemake --profile workflow/profiles/local
	@echo "report: $(CURDIR)/results/demo/report/index.html"

test: env-test lint
	pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: env-test
	ruff format --check .
	ruff check .
	mypy

env: $(VENV)/main.done
env-test: $(VENV)/test.done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/main.done: envs/main.lock.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing the environment of envs/main.lock.txt into $(VENV)"
	pip install --quiet -r envs/main.lock.txt
	pip install --quiet --no-deps --no-build-isolation -e .
	blindfold warm
	@touch $@

$(VENV)/test.done: envs/test.lock.txt $(VENV)/main.done
	@echo "installing the test tools of envs/test.lock.txt into $(VENV)"
	pip install --quiet -r envs/test.lock.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
