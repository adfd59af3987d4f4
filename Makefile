# All that a newcomer needs is Python 3.11 and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# What protos may not break: what others have, or in a checkout of its own the last commit.
PUBLISHED = $(shell git rev-parse --verify -q origin/main || git rev-parse --verify -q HEAD~1 || echo HEAD)

.PHONY: run wheel test test-cluster test-slow examples check format generate lock bench bench-scale clean

run: $(INSTALLED) ## everything on this machine: database, migrations, workers, controller, cluster, gateway
	@exec $(BIN)/registry-grpc dev

wheel: $(INSTALLED) ## what production installs, into dist/
	rm -rf build
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

test: $(INSTALLED) ## unit, contract, integration and end-to-end tests, and the lines and branches that none of them runs
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term -m "not cluster and not golang and not node and not slow"

test-slow: $(INSTALLED) ## failures injected, whole matrices of requests, the real golang-migrate tool, the generated clients
	$(BIN)/pytest -n auto --dist loadgroup -m "(golang or node or slow) and not cluster"

test-cluster: $(INSTALLED) ## against a real kube-apiserver, built with Go on the first run
	$(BIN)/python -m tests.cluster.binaries
	$(BIN)/pytest -n 0 -m cluster tests/contract tests/cluster tests/scenarios

examples: $(INSTALLED) ## the Go and TypeScript clients, run against the service
	$(BIN)/pytest tests/examples

check: $(INSTALLED) ## format, lint, types, import rules, protos, generated code, migrations
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

generate: $(INSTALLED) ## docs/reasons.md, and the stubs under src/registry_grpc/gen, from proto/
	$(BIN)/python scripts/reasons.py
	$(BIN)/python scripts/generate.py

lock: $(INSTALLED) ## the newest versions that pyproject.toml allows
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --no-emit-index-url --generate-hashes --all-extras pyproject.toml -o requirements/all.lock
	$(BIN)/uv pip compile --quiet --no-emit-index-url --generate-hashes --python-version 3.11 -c requirements/all.lock pyproject.toml -o requirements/runtime.lock

bench: $(INSTALLED) ## the table of docs/performance.md
	$(BIN)/python -m tests.bench.run

bench-scale: $(INSTALLED) ## the same reads at 1k, 10k, 100k and 1M models
	$(BIN)/python -m tests.bench.scale

clean:
	rm -rf .venv .data .cache

$(INSTALLED): requirements/all.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
