# Everything from a fresh checkout: Python 3.11 or later is all that has to be there.
#
#   make run     an example deployment on http://127.0.0.1:8080
#   make test    all tests, on SQLite and on a PostgreSQL and a Valkey of their own
#   make lint    style, types and the borders between modules
#   make mutants whether tests miss the guards of security and money when they are taken away
#   make bench   speed
#   make docs    the documents as a site, in docs/site

PYTHON ?= python3
BIN := .venv/bin
# Distributions of their own, installed and tested as a third party's would be.
EXAMPLES := $(wildcard examples/lyceum-*)
# Bytecode makes a start three times as fast; it is made at installation even where the environment forbids it.
COMPILE := $(BIN)/python -m compileall -q -j 0

.PHONY: install run test mutants bench docs lint clean

install: .venv/installed

# Made anew only when the lock or the metadata changed.
.venv/installed: requirements.lock pyproject.toml $(EXAMPLES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit("lyceum needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -q --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -q --no-deps --no-build-isolation --no-index \
		-e . $(EXAMPLES:%=-e %)
	-$(COMPILE) .venv/lib kernel plugins
	touch $@

run: install
	$(BIN)/lyceum --config config/lyceum.toml up

# What races and times is measured against a machine that does nothing else meanwhile: `tests/faults` comes by itself.
test: install
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/faults
	$(BIN)/pytest tests/faults
	printf '%s\n' $(EXAMPLES) | xargs -P 2 -n 1 $(BIN)/pytest
endif

mutants: install
	$(BIN)/python -m tests.mutants $(ARGS)

bench: install
	$(BIN)/python -m bench $(ARGS)

docs: install
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -q --require-hashes -r docs/requirements.lock
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/site
	@echo "open docs/site/index.html"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(foreach example,$(EXAMPLES),$(BIN)/mypy $(example) &&) true
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist *.egg-info
