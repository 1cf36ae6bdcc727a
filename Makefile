# Everything runs in .venv, made on first use and made anew when its inputs change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000

.PHONY: help serve test test-slow lint format bench bench-serving soak clean

help:
	@echo "make serve      serve on http://$(HOST):$(PORT) (set HOST, PORT to change)"
	@echo "make test       lint, then all tests but the slow ones"
	@echo "make test-slow  the slow tests"
	@echo "make lint       ruff and strict mypy"
	@echo "make format     rewrite the sources in ruff's format"
	@echo "make bench      the benchmarks"
	@echo "make bench-serving  the service against other servers, under load"
	@echo "make soak       100,000 mixed requests, then kills, SIGTERM and full disks under load (Linux)"
	@echo "make clean      remove the virtual environment and caches"

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("n2n needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

serve: $(VENV)/.base
	$(BIN)/n2n serve --host $(HOST) --port $(PORT)

test: lint
	$(BIN)/python -m pytest -m 'not slow'

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.scratch
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.tiling
	$(BIN)/python -m benchmarks.lines
	$(BIN)/python -m benchmarks.codec

bench-serving: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.serving

soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.faults

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
