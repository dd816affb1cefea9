# Each target sets up what it needs, and skips what is already done (scripts/setup, scripts/engine).
# ARGS is passed to the program: `make test ARGS="-k vault"`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-openclaw test-api test-edge test-server test-engines run check bench prove release lock image clean

# Empty or 0 means "no".
NO_ENGINE ?=
# Test processes in parallel: tests mostly wait for containers, so four share two cores. LANES=0:
# one process, in order.
LANES ?= 4
WITH_ENGINE := $(if $(filter-out 0,$(NO_ENGINE)),,yes)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run BotMaker in a local browser page: simulated Discord, real engine, no token, no account
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@.venv/bin/python -m demo $(ARGS)

test: ## run the whole test suite with a real engine and browser (NO_ENGINE=1 leaves both out)
	@scripts/setup
ifdef WITH_ENGINE
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/browser
	@.venv/bin/pytest -n $(LANES) --dist loadfile --no-loadscope-reorder $(ARGS)
else
	@.venv/bin/pytest --no-engine $(ARGS)
endif

test-openclaw: ## build a real OpenClaw and test with it: configs, a conversation, faults (15 minutes, 3 GB)
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py openclaw --if-missing
	@.venv/bin/pytest tests/openclaw --openclaw $(ARGS)

test-api: ## let other people's programs ask the API: a fuzzer, a generated client, MCP's own client (5 minutes)
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/outside-tools
	@.venv/bin/pytest tests/outside --outside $(ARGS)

test-edge: ## run the edge with a real Worker in Miniflare and a real D1 (needs Node 20 and npm), then test-server
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/edge-tools
	@.venv/bin/pytest tests/edge_worker --edge $(ARGS)
	@$(MAKE) --no-print-directory test-server

test-server: ## set a server up for real: nginx, Caddy, Debian with systemd, linters (as root, up to half an hour)
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/server-tools
	@.venv/bin/pytest tests/deploy --server $(ARGS)

test-engines: ## run the tests that need Docker on 20.10, 26.1 and 26.1 with the containerd store (as root)
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/test-engines $(ARGS)

run: ## run BotMaker, with settings from the environment or .env (see .env.example)
	@scripts/setup
	@.venv/bin/python -m controller run $(ARGS)

check: ## check format, lint, types and import contracts
	@scripts/setup
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: ## run the benchmarks, as a table and as JSON (ARGS="real --bots 600": with so many real bots, takes long)
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@scripts/browser
	@.venv/bin/python -m bench $(ARGS)

prove: ## run the long proofs (kills, faults, fuzz, soak); shows a table of what was tried and lost
	@scripts/setup
	@scripts/engine
	@.venv/bin/python images/build.py demo --if-missing
	@.venv/bin/python -m tests.prove $(ARGS)

release: ## make a release, here only: ARGS=0.2.0, or ARGS=--check (see scripts/release)
	@scripts/setup
	@.venv/bin/python scripts/release $(ARGS)

lock: ## lock the dependencies after a change in pyproject.toml (ARGS=--upgrade takes newer ones)
	@scripts/lock $(ARGS)

image: ## build BotMaker's own image, botmaker:local (BASE=… sets the base image)
	@scripts/setup
	@scripts/engine
	@BASE="$(BASE)" .venv/bin/python images/build.py controller

clean: ## remove what can be built again; data/, secrets/ and .env stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis wheels build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
