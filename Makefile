# Two commands are enough: `make sandbox` and `make test`.
# DATABASE_URL (postgres://…, mysql://…) chooses another database than SQLite.

PYTHON ?= python3
export PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help sandbox test bench coverage lint format docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

sandbox: $(VENV)/.has-sandbox ## Serve a demo site on http://127.0.0.1:8000 (PORT=…)
	@$(BIN)/python scripts/run_sandbox.py

test: $(VENV)/.has-test ## Run all tests (ARGS="-k name" for some)
	@$(BIN)/python -m tests.support.browsers
	@$(BIN)/python scripts/run_tests.py $(ARGS)

bench: $(VENV)/.has-test ## Measure against Oscar alone, bare SQL and the peers
	@$(if $(DATABASE_URL),,$(BIN)/python scripts/with_postgres.py --durable) \
	  $(BIN)/python -m benchmarks --write docs/performance.md $(ARGS)

coverage: $(VENV)/.has-test ## Run the tests on one database and list the lines not run
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage report

lint: $(VENV)/.has-lint ## Check style, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.has-lint ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.has-docs ## Build the manual in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean: ## Remove what these commands made, but not the sandbox's data
	rm -rf $(VENV) .tox build dist htmlcov test-results docs/_build* .coverage*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv installs in seconds what pip needs half a minute for; pip is the fallback.
$(VENV)/.created:
	@echo "Creating $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed: make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	@touch $@

$(VENV)/.has-%: pyproject.toml $(VENV)/.created
	@echo "Installing what '$*' needs …"
	@if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install --python $(BIN)/python -e '.[$*]'; else false; fi \
	  || $(BIN)/python -m pip install --disable-pip-version-check -e '.[$*]'
	@touch $@
