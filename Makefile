# Everything a newcomer needs: `make run`. Assumes Python 3.11+, make and a C compiler; the rest comes by the locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
STAMPS := .make
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test test-stripe soak months killed mutants check bench lock clean

help: ## what there is
	@echo "Flattr Hub. A first look: make run, then open http://127.0.0.1:8080"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=... is handed on, as in: make run ARGS='--config my.toml', make test ARGS='tests/config -k keys'"

run: $(STAMPS)/run ## install what is missing, then start the hub (Ctrl-C stops it)
	@exec $(BIN)/flattr run $(ARGS)

demo: $(STAMPS)/run ## play a month without a person
	@$(BIN)/flattr demo $(ARGS)

test: $(STAMPS)/dev ## run the tests, on two processor cores
	@$(BIN)/python -m pytest -q -n 2 $(ARGS)

soak: $(STAMPS)/dev ## play 10,000 polls with spoilt answers and count false unlikes (some ten minutes)
	@FAULTED_POLLS=1800 $(BIN)/python -m pytest -q -n 2 -k "test_no_fault or test_bad_days" tests/bot $(ARGS)

test-stripe: $(STAMPS)/dev ## run the tests against Stripe's own sandbox (needs STRIPE_TEST_KEY=sk_test_...)
	@$(BIN)/python -m pytest -q -ra tests/live $(ARGS)

months: $(STAMPS)/dev ## play 50 months of 200 patrons with every kind of card trouble against the hostile Stripe (twenty minutes)
	@MONTHS=50 $(BIN)/python -m pytest -q -n 2 tests/config/test_real_months.py $(ARGS)

killed: $(STAMPS)/dev ## kill the hub at every step of collecting and paying there is
	@KILLED=all $(BIN)/python -m pytest -q -n 2 tests/config/test_killed.py tests/core/test_killed_anywhere.py $(ARGS)

mutants: $(STAMPS)/dev ## break the money's code on purpose and count what the tests notice (ARGS='--sample 400': some of it)
	@$(BIN)/python -m bench.mutants $(ARGS)

check: $(STAMPS)/dev ## lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(STAMPS)/dev ## measure intake, closing and reading likes (a quarter of an hour)
	@$(BIN)/flattr bench $(ARGS)

lock: ## resolve the dependencies anew and pin them with their hashes (needs uv)
	uv pip compile pyproject.toml --quiet --generate-hashes --universal --python-version 3.11 \
	  --no-emit-find-links --no-header -o requirements.lock
	uv pip compile pyproject.toml --quiet --generate-hashes --universal --python-version 3.11 \
	  --no-emit-find-links --no-header --all-extras -c requirements.lock -o requirements-dev.lock

clean: ## remove what was installed and built; data (var/) stays
	rm -rf $(VENV) $(STAMPS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Flattr Hub needs Python 3.11 or newer; this is %d.%d: make PYTHON=python3.12" \
	  % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

# A stamp is newer than the lock it stands for, so the second start installs nothing.
$(STAMPS)/run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Flattr Hub into $(VENV) (once; about a minute) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing Flattr Hub and its development tools into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run
