# One door for everything. `make setup` is idempotent; every other target runs it first.
SHELL := /bin/bash
VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.stamp-$(shell cat requirements/*.txt scripts/setup packages/verify/pyproject.toml pyproject.toml | sha256sum | cut -c1-16)

# Adapters whose environments `make test` makes; all others by `make adapters`.
ADAPTERS := langchain openai-agents pydantic-ai agent-framework

# A file's tests stay together, files in the order of their names: the small ones of tests/unit fill the end (ADR 0183).
PYTEST := $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Tests start our programs more than a thousand times; without their compiled code each start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo demo-agentdojo test adapters service check lint format references lock bench clean

setup: $(STAMP)

$(STAMP):
	@scripts/setup $(VENV)
	@rm -f $(VENV)/.stamp-* && touch $@

# Real MCP servers behind the gateway. Where npm cannot be had, the server that needs it is named and left out.
demo: setup
	@scripts/servers git npm
	@home=$$(scripts/mcp-env || scripts/mcp-env python) && $(PY) -m sealgate.demo --servers "$$home"

demo-agentdojo: setup
	@$(PY) -m sealgate.demo agentdojo

test: setup lint
	@scripts/servers
	@$(PYTEST)
	@scripts/adapter-tests $(ADAPTERS)

# Every adapter with its framework's own scripted model, each in an environment of its own.
adapters: setup
	@scripts/adapter-tests

# The systemd unit in a system of its own, by its own instructions; needs root.
service: setup
	@scripts/service-test

check: setup lint
	@$(PYTEST) tests/unit tests/property

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: setup
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

# Rewrites the pages and schemas that are made from the code.
references: setup
	@scripts/references $(VENV)

# Rewrites the lock files; no address of any package index is written into them.
lock:
	@scripts/lock $(VENV)

bench: setup
	@$(PY) -m bench all

clean:
	@rm -rf $(VENV) .venv-adapters build dist .mypy_cache .ruff_cache
