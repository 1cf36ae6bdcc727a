# Everything runs in .venv, made on first use and made anew when its inputs change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000

.PHONY: help serve test quick-tests test-slow coverage lint format openapi web-vendor audit fuzz bench bench-serving soak clean

help:
	@echo "make serve      serve on http://$(HOST):$(PORT) (set HOST, PORT to change)"
	@echo "make test       lint, and all tests but the slow ones, at the same time"
	@echo "make test-slow  the slow tests"
	@echo "make coverage   the tests of make test, and which lines and branches they reach"
	@echo "make lint       ruff, strict mypy, and ESLint where npm is"
	@echo "make format     rewrite the sources in ruff's format"
	@echo "make audit      are any of the installed packages known to be vulnerable?"
	@echo "make openapi    write docs/openapi.json anew"
	@echo "make web-vendor fetch the page's third-party files anew"
	@echo "make fuzz       fuzz the readers of files, SECONDS=60 each"
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

$(VENV)/.audit: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[audit]'
	touch $@

serve: $(VENV)/.base
	$(BIN)/n2n serve --host $(HOST) --port $(PORT)

test: $(VENV)/.dev
	$(MAKE) --no-print-directory --jobs 2 lint quick-tests

quick-tests: $(VENV)/.dev
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow --timeout 1800

coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-report=html

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if ! command -v npm > /dev/null; then echo "ESLint is skipped: npm is not installed"; \
	elif ! $(MAKE) --no-print-directory node_modules/.package-lock.json; then echo "ESLint is skipped: npm could not install it"; \
	else npm run --silent lint; fi

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --silent --no-audit --no-fund --ignore-scripts --engine-strict --fetch-retries 1
	touch $@

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

audit: $(VENV)/.audit
	$(BIN)/python .ci/audit.py

openapi: $(VENV)/.base
	$(BIN)/n2n openapi --output docs/openapi.json

web-vendor:
	$(PYTHON) .ci/web_vendor.py

SECONDS ?= 60
fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz image -max_total_time=$(SECONDS)
	$(BIN)/python -m tests.fuzz archive -max_total_time=$(SECONDS)
	$(BIN)/python -m tests.fuzz weights -max_total_time=$(SECONDS)
	$(BIN)/python -m tests.fuzz pairs -max_total_time=$(SECONDS)
	$(BIN)/python -m tests.fuzz arrays -max_total_time=$(SECONDS)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.scratch
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.tiling
	$(BIN)/python -m benchmarks.lines
	$(BIN)/python -m benchmarks.codec
	$(BIN)/python -m benchmarks.page

bench-serving: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.serving

soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.faults

clean:
	rm -rf $(VENV) .venv-* node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
