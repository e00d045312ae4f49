# Everything from nothing: Python 3.10 or newer and make are enough. Another interpreter: make PYTHON=python3.13
# VENV=.venv-3.13. More arguments for pytest: make test ARGS="-k reset -x".

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
LOWEST := $(VENV)-lowest
CONTRACT := $(VENV)-contract
PIP = $(BIN)/python -m pip install --quiet

# The suites start many interpreters; without compiled modules each start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test slow container contract lowest bench bench-scale bench-peers lint format docs clean
.NOTPARALLEL:

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## run the suite of the example application, examples/ledger, on embedded PostgreSQL
	cd examples/ledger && $(abspath $(BIN))/pytest $(ARGS)

# One worker more than there are processors: tests wait for PostgreSQL a third of the time.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

test: $(VENV)/.test ## run our own tests, without the slow tier
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

slow: $(VENV)/.test $(VENV)/.demo ## run the slow tier, a part of which is the example's suite on other settings
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "slow and not container" $(ARGS)

container: $(VENV)/.test ## run the tier that needs a container engine; WITH_ENGINE=… runs it below another command
	$(WITH_ENGINE) $(BIN)/pytest -m container $(ARGS) tests/container

contract: $(CONTRACT)/.made ## run the tests of the contract of an API, which need Schemathesis: in an environment of their own
	$(CONTRACT)/bin/pytest -n auto --dist worksteal -p no:schemathesis -m "not container" $(ARGS) tests/contract

lowest: $(LOWEST)/.made ## run the example's suite, and some of our tests, on the lowest versions that pyproject.toml admits
	cd examples/ledger && $(abspath $(LOWEST)/bin)/pytest $(ARGS)
	$(LOWEST)/bin/pytest -n auto --dist worksteal $(ARGS) tests/pure/test_imports.py tests/pure/test_settings.py \
		tests/redirect tests/checkpoints tests/rollback/test_session.py tests/http/test_fixtures.py tests/recipe \
		tests/cli tests/external
	$(LOWEST)/bin/pytest -m slow -k fastapi_users tests/init/test_samples.py

bench: $(VENV)/.bench ## measure what isolation and start-up cost: ten minutes on a quiet machine
	$(BIN)/python benchmarks/all.py

bench-scale: $(VENV)/.bench ## measure how costs grow with the size of a project: seven minutes on a quiet machine
	$(BIN)/python benchmarks/scale.py

# The environments come first: below WITH_ENGINE there may be no network.
bench-peers: $(VENV)/.test ## measure Crucible beside other tools: twelve minutes, at first five more; ARGS, WITH_ENGINE
	$(BIN)/python benchmarks/peers.py --install
	$(WITH_ENGINE) $(BIN)/python benchmarks/peers.py $(ARGS)

lint: $(VENV)/.lint ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.lint ## format, and mend what can be mended by machine
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.test ## write the tables in docs/ anew from those in the code
	$(BIN)/python docs/generate.py

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) $(LOWEST) $(CONTRACT) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is newer than what it was installed from; where nothing changed, nothing is asked of pip.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml examples/ledger/pyproject.toml
	$(PIP) --editable . --editable 'examples/ledger[test]'
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml
	$(PIP) --editable . --group test
	@touch $@

# The example's suite is one of the things that are measured.
$(VENV)/.bench: $(VENV)/.test $(VENV)/.demo
	@touch $@

# Schemathesis's plugin is loaded by every run of pytest wherever it is installed, which takes half a second.
$(CONTRACT)/.made: pyproject.toml
	$(PYTHON) -m venv $(CONTRACT)
	$(CONTRACT)/bin/python -m pip install --quiet 'pip>=25.1'
	$(CONTRACT)/bin/python -m pip install --quiet --editable '.[contract]' --group test
	@touch $@

# The lowest of the core, of the extras and of Hypothesis, and the newest of what only tests need. typing-extensions is
# left out: what applications need has a higher bound. uv, since pip does not know how to choose the lowest.
$(LOWEST)/.made: pyproject.toml examples/ledger/pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip compile --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --no-header \
		--annotation-style line --extra containers --extra factories --extra websockets pyproject.toml \
		| sed -n '/^typing-extensions/d; s/ *# via.*(pyproject.toml).*//p' > $(LOWEST)/lowest.txt
	sed -n 's/ *"\(hypothesis\)>=\(.*\)",/\1==\2/p' pyproject.toml >> $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --constraints $(LOWEST)/lowest.txt \
		--editable . --editable 'examples/ledger[test]' --group test --group older
	@touch $@

$(VENV)/.lint: $(VENV)/.made pyproject.toml
	$(PIP) --editable . --group lint
	@touch $@
