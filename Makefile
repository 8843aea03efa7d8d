# carrybot: `make run` sets everything up and runs the daemon on the embedded simulated exchange.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SEEDS ?= 2000

.DEFAULT_GOAL := help
.PHONY: help run test check lint types layers lock scenarios bench campaign campaign-planted crashes fuzz mutants clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(VENV)/python.ok:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "carrybot needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.ok: requirements.lock pyproject.toml $(VENV)/python.ok
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.ok: requirements-dev.lock $(VENV)/run.ok
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/run.ok ## set up, then run the daemon (ARGS="--for 90s" and the like)
	@exec $(BIN)/carrybot run $(ARGS)

test: $(VENV)/dev.ok ## set up, then run the tests (ARGS="tests/engine -k unwind" and the like)
	$(BIN)/python -m pytest $(ARGS)

check: lint types layers test ## what CI runs: lint, types, layers, tests

lint: $(VENV)/dev.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/yamllint --strict config docker-compose.yml

types: $(VENV)/dev.ok
	$(BIN)/mypy

layers: $(VENV)/dev.ok
	$(BIN)/lint-imports

lock: $(VENV)/dev.ok ## resolve the dependencies again, with hashes
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -q -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -q -o requirements-dev.lock

scenarios: $(VENV)/run.ok ## play ugly days with each rule on and off (ARGS="--data DIR" and the like)
	$(BIN)/carrybot scenarios $(ARGS)

bench: $(VENV)/dev.ok ## measure the goals P1 to P5, each beside its bare limit
	$(BIN)/python -m benchmarks $(ARGS)

campaign: $(VENV)/dev.ok ## the seeded fault campaign (SEEDS=2000, ARGS="--first 5000" and the like)
	$(BIN)/python -m tests.campaign --seeds $(SEEDS) $(ARGS)

campaign-planted: $(VENV)/dev.ok ## whether the campaign finds each planted bug, as a table
	$(BIN)/python -m tests.campaign.planted $(ARGS)

crashes: $(VENV)/dev.ok ## a crash at every commit and venue call of thirty days, and once more in each recovery (ARGS="--every 30")
	$(BIN)/python -m tests.campaign.crashes $(ARGS)

fuzz: $(VENV)/dev.ok ## the decoders and the settings loader against 3,000 nasty documents each, about ten minutes
	CARRYBOT_FUZZ_EXAMPLES=3000 $(BIN)/python -m pytest tests/fuzz $(ARGS)

mutants: $(VENV)/dev.ok ## wrong code that a test must notice: ledger, sizing, allocation, outcomes, recovery (ARGS="ledger")
	$(BIN)/python -m tests.mutation $(ARGS)

clean: ## remove the environment and caches (never data/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build
