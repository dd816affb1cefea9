# What each target needs, it sets up by itself; nothing is done twice (scripts/setup, scripts/engine).
# ARGS goes to the program: `make test ARGS="-k vault"`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-openclaw run check bench prove lock image clean

# An empty value or 0 is "not asked for".
NO_ENGINE ?=
# Processes for the tests: most of their time is waiting for containers. LANES=0: one, and in order.
LANES ?= 2
WITH_ENGINE := $(if $(filter-out 0,$(NO_ENGINE)),,yes)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## BotMaker in a local browser page: simulated Discord, real engine, no token, no account
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@.venv/bin/python -m demo $(ARGS)

test: ## the whole test suite, real engine and browser included (NO_ENGINE=1 leaves these two out)
	@scripts/setup
ifdef WITH_ENGINE
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/browser
	@.venv/bin/pytest -n $(LANES) --dist loadfile $(ARGS)
else
	@.venv/bin/pytest --no-engine $(ARGS)
endif

test-openclaw: ## a real OpenClaw, made here: configs, a conversation, faults (15 minutes, 3 GB)
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py openclaw --if-missing
	@.venv/bin/pytest tests/openclaw --openclaw $(ARGS)

run: ## the real thing, configured by the environment or .env (see .env.example)
	@scripts/setup
	@.venv/bin/python -m controller run $(ARGS)

check: ## format, lint, types and import contracts
	@scripts/setup
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: ## the benchmarks, as a table and as JSON
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@.venv/bin/python -m bench $(ARGS)

prove: ## the long proofs: kills, faults, fuzz, soak, with a table of what was tried and lost
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@.venv/bin/python -m tests.prove $(ARGS)

lock: ## lock the dependencies again after a change in pyproject.toml (ARGS=--upgrade: newer ones)
	@scripts/lock $(ARGS)

image: ## BotMaker's own image, botmaker:local (BASE=… chooses the base)
	@scripts/setup
	@scripts/engine
	@BASE="$(BASE)" .venv/bin/python images/build.py controller

clean: ## remove what can be made again; data/, secrets/ and .env stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis wheels build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
