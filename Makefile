# Only Python 3.11 and make are needed. Everything else is installed from PyPI into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# The baseline of `buf breaking`: origin/main, or else the previous commit.
PUBLISHED = $(shell git rev-parse --verify -q origin/main || git rev-parse --verify -q HEAD~1 || echo HEAD)

.PHONY: run wheel test test-cluster test-slow examples check format generate lock bench bench-scale clean

run: $(INSTALLED) ## runs everything on this machine: database, migrations, workers, controller, cluster, gateway
	@exec $(BIN)/registry-grpc dev

wheel: $(INSTALLED) ## builds the wheel for production into dist/
	rm -rf build
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

test: $(INSTALLED) ## runs unit, contract, integration and end-to-end tests, and reports lines and branches without coverage
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term -m "not cluster and not golang and not node and not slow"

test-slow: $(INSTALLED) ## runs slow tests: injected failures, matrices of requests, the golang-migrate tool, generated clients
	$(BIN)/pytest -n auto --dist loadgroup -m "(golang or node or slow) and not cluster"

test-cluster: $(INSTALLED) ## runs tests against a real kube-apiserver, which the first run builds with Go
	$(BIN)/python -m tests.cluster.binaries
	$(BIN)/pytest -n 0 -m cluster tests/contract tests/cluster tests/scenarios

examples: $(INSTALLED) ## builds the Go and TypeScript clients, and runs them against the service
	$(BIN)/pytest tests/examples

check: $(INSTALLED) ## checks format, lint, types, import rules, protos, generated code and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/buf breaking --against '.git#ref=$(PUBLISHED)'
	$(BIN)/python scripts/generate.py --check
	$(BIN)/squawk --assume-in-transaction $$(grep -L '^-- migrate:no-transaction' migrations/20261*.up.sql)
	$(BIN)/squawk $$(grep -l '^-- migrate:no-transaction' migrations/20261*.up.sql)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w proto

generate: $(INSTALLED) ## generates docs/reasons.md, and the stubs under src/registry_grpc/gen from proto/
	$(BIN)/python scripts/reasons.py
	$(BIN)/python scripts/generate.py

lock: $(INSTALLED) ## locks the newest versions that pyproject.toml allows
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --no-emit-index-url --generate-hashes --all-extras pyproject.toml -o requirements/all.lock
	$(BIN)/uv pip compile --quiet --no-emit-index-url --generate-hashes --python-version 3.11 -c requirements/all.lock pyproject.toml -o requirements/runtime.lock

bench: $(INSTALLED) ## measures the table of docs/performance.md
	$(BIN)/python -m tests.bench.run

bench-scale: $(INSTALLED) ## measures the same reads at 1k, 10k, 100k and 1M models
	$(BIN)/python -m tests.bench.scale

clean:
	rm -rf .venv .data .cache

$(INSTALLED): requirements/all.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
