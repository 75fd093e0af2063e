# One door for everything. `make setup` is idempotent; every other target runs it first.
SHELL := /bin/bash
VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.stamp-$(shell cat requirements/*.txt scripts/setup packages/verify/pyproject.toml pyproject.toml | sha256sum | cut -c1-16)

.PHONY: setup demo test check lint format references lock bench clean

setup: $(STAMP)

$(STAMP):
	@scripts/setup $(VENV)
	@rm -f $(VENV)/.stamp-* && touch $@

demo: setup
	@$(PY) -m sealgate.demo

test: setup lint
	@scripts/servers
	@$(PY) -m pytest

check: setup lint
	@$(PY) -m pytest tests/unit tests/property

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
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache
