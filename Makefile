# Only Python 3.11 and make are needed. Everything else is installed from PyPI into .venv.
PYTHON ?= python3
BIN := .venv/bin
RUNS := .venv/runs
INSTALLED := .venv/installed
# The packages of this repository, each after those that it needs.
PACKAGES := stubs/python client .
# uv installs in seconds what takes pip a minute. It trusts the certificates of the system, but it does not read pip's settings,
# such as the address of a mirror; pip is tried where uv fails.
INSTALL = install() { $(BIN)/uv pip install --system-certs --python $(BIN)/python "$$@" || $(BIN)/pip install --disable-pip-version-check "$$@"; }; install
# The baseline of `buf breaking`: origin/main, or else the previous commit.
PUBLISHED = $(shell git rev-parse --verify -q origin/main || git rev-parse --verify -q HEAD~1 || echo HEAD)

TEST = $(BIN)/pytest -n auto --dist worksteal -m "not cluster and not golang and not slow and not release"
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# The time of all files of a release, so that whoever builds it gets the same bytes. Only for some commands: with it, pip would
# write bytecode into .venv that is slow to load.
EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct),$(error set SOURCE_DATE_EPOCH, or build it from a clone))

# Packages of this repository are not on PyPI, and so they are in no lock file.
LOCK = --no-emit-index-url --no-emit-package registry-grpc-stubs --generate-hashes

.DEFAULT_GOAL := help
.PHONY: help version run wheel image stubs release test coverage test-cluster test-slow test-release examples check format generate manifests lock bench bench-scale tools docs ui clean

help: ## lists what make can do
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

version: ## says the version, which only pyproject.toml has
	@echo $(VERSION)

run: $(RUNS) ## runs everything on this machine: database, migrations, workers, controller, cluster, gateway
	@exec $(BIN)/registry-grpc dev

wheel: $(INSTALLED) ## builds the wheels for production into dist/
	rm -rf $(PACKAGES:%=%/build) dist/*.whl
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist $(PACKAGES:%=./%)

image: wheel ## builds the image for production into dist/, with buildah and without Docker
	SOURCE_DATE_EPOCH=$(EPOCH) deploy/image.sh

stubs: $(INSTALLED) ## builds the packages of stubs for Go, TypeScript and Java into dist/stubs, each if its tool is there; LANGUAGES="go java" only those
	$(BIN)/python scripts/stubs.py $(LANGUAGES)

release: $(INSTALLED) ## builds all parts of a release into dist/, with checksums: wheels, protos, image, chart, stubs
	rm -rf dist
	$(MAKE) wheel $(if $(shell command -v buildah),image)
	BIN=$(BIN) SOURCE_DATE_EPOCH=$(EPOCH) scripts/release.sh $(VERSION)

# Some environments set it. Then each process would compile the sources, and each worker all tests.
run test coverage test-slow test-cluster: export PYTHONDONTWRITEBYTECODE :=

test: $(INSTALLED) ## runs unit, contract, integration and end-to-end tests
	$(TEST)

coverage: $(INSTALLED) ## runs the same tests, for longer, and reports lines and branches that they do not run
	$(TEST) --cov --cov-report=term

test-slow: $(INSTALLED) ## runs slow tests: injected failures, matrices of requests, the golang-migrate tool, the AIP linter, generated clients
	$(BIN)/pytest -n auto --dist loadgroup -m "(golang or slow) and not cluster and not release"

test-cluster: $(INSTALLED) ## runs tests of the chart and against a real kube-apiserver; the first run builds it and helm with Go
	$(BIN)/python -m tests.cluster.binaries
	$(BIN)/python -m tests.cluster.helm
	$(BIN)/pytest -n 0 -m cluster tests/contract tests/cluster tests/scenarios

test-release: $(INSTALLED) ## builds a release twice and runs its image, as root with buildah and mmdebstrap
	$(BIN)/pytest -n 0 -m release tests/integration/test_release.py

examples: $(INSTALLED) ## builds the clients in five languages and a web page, and runs them against the service
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
	$(BIN)/python -m scripts.openapi --check
	$(BIN)/python scripts/reference_page.py --check
	$(BIN)/python scripts/blocking_client.py --check
	$(BIN)/python scripts/cli_reference.py --check
	$(BIN)/squawk --assume-in-transaction $$(grep -L '^-- migrate:no-transaction' migrations/20261*.up.sql)
	$(BIN)/squawk $$(grep -l '^-- migrate:no-transaction' migrations/20261*.up.sql)

format: $(INSTALLED) ## formats code and protos, and mends what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w proto

generate: $(INSTALLED) ## generates docs/reasons.md, the reference in docs/cli.md, the stubs and the OpenAPI document from proto/, and the blocking client from the asynchronous one
	$(BIN)/python scripts/reasons.py
	$(BIN)/python scripts/generate.py
	$(if $(shell command -v go),$(BIN)/buf generate --template buf.gen.go.yaml)
	$(BIN)/python -m scripts.openapi
	$(BIN)/python scripts/blocking_client.py
	$(BIN)/python scripts/cli_reference.py

manifests: $(INSTALLED) ## makes deploy/kubernetes from deploy/chart, with helm, which the first run builds with Go
	$(BIN)/python -m tests.cluster.helm
	$(BIN)/python -m scripts.manifests

lock: $(INSTALLED) ## locks the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --upgrade $(LOCK) --all-extras pyproject.toml client/pyproject.toml -o requirements/all.lock
	$(BIN)/uv pip compile --quiet $(LOCK) --python-version 3.11 -c requirements/all.lock pyproject.toml -o requirements/runtime.lock
	$(BIN)/uv pip compile --quiet $(LOCK) --python-version 3.11 -c requirements/all.lock --extra dev-stack pyproject.toml client/pyproject.toml -o requirements/run.lock
	echo uv | $(BIN)/uv pip compile --quiet --upgrade $(LOCK) - -o requirements/installer.lock

tools: $(INSTALLED) ## installs what tests, checks, documentation and the examples need

docs: $(INSTALLED) ## builds the documentation as a site into build/site, and fails on broken links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(INSTALLED) ## measures the table of docs/performance.md
	$(BIN)/python -m tests.bench.run

bench-scale: $(INSTALLED) ## measures the same reads at 1k, 10k, 100k and 1M models
	$(BIN)/python -m tests.bench.scale

ui: $(INSTALLED) ## builds the web UI from ui/ into gateway/web/ui, with Node
	npm ci --prefix ui --no-audit --no-fund
	npm run build --prefix ui

clean: ## removes the environment, the data of `make run` and what was built
	rm -rf .venv .data .cache dist $(PACKAGES:%=%/build)

# What `make run` needs, so that the first run starts soon.
$(RUNS): requirements/run.lock requirements/installer.lock $(PACKAGES:%=%/pyproject.toml)
	@echo "1/3 makes .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@echo "2/3 installs the $$(grep -c == $<) packages of $<, for up to a minute"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.lock
	@$(INSTALL) --require-hashes -r $<
	@echo "3/3 installs the packages of this repository"
	@$(INSTALL) --quiet --no-deps $(PACKAGES:%=--editable ./%)
	@touch $@

$(INSTALLED): requirements/all.lock $(RUNS)
	@echo "installs what is missing of the $$(grep -c == $<) packages of $<: tests, checks and documentation need them"
	@$(INSTALL) --require-hashes -r $<
	@touch $@
