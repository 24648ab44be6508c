# Each target is one readable line. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run test audit soak histories simulate faults mutants browser check bench format lock openapi webhooks deliveries over-returns build events deploy clean

UV ?= $(shell command -v uv || echo .tools/uv/bin/uv)
PY := .venv/bin/python
SAM := env -u PYTHONPATH SAM_CLI_TELEMETRY=0 .tools/sam/bin/sam
PATIENT := -o faulthandler_timeout=0
ENVIRONMENT ?= dev
export PYTHONPATH := layers/shared:.
# Compiled modules are kept even where the environment forbids it: a start is three times as long without them.
export PYTHONDONTWRITEBYTECODE :=
# Zone data comes from the locked tzdata package alone, as on Lambda (template.yaml).
export PYTHONTZPATH :=
export UV_PROJECT_ENVIRONMENT := .venv

help: ## list the targets
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/run.stamp ## start the whole system on this machine (PORT=3000)
	@exec $(PY) -m local

test: .venv/dev.stamp ## every test, against a real PostgreSQL
	$(PY) -m pytest -q -n auto --dist worksteal

soak: DAYS ?= 1000
soak: .venv/dev.stamp ## random clients for about an hour (DAYS=1000)
	RANDOM_CLIENTS_DAYS=$(DAYS) RANDOM_CLIENTS_EXAMPLES=$(DAYS) $(PY) -m pytest -q $(PATIENT) tests/integration/test_random_clients.py
	CRASH_RUNS=100 $(PY) -m pytest -q $(PATIENT) tests/integration/test_crashes_of_delivery.py

histories: export HISTORIES ?= 500
histories: .venv/dev.stamp ## 500 random histories of money and sessions, 12 500 steps (HISTORIES)
	$(PY) -m pytest -q -n0 -s $(PATIENT) tests/integration/test_random_histories.py

simulate: export STUDENTS ?= 1000
simulate: export TUTORS ?= 50
simulate: export DAYS ?= 30
simulate: export STEP_MINUTES ?= 1
simulate: .venv/dev.stamp ## a month in the life of the school, a quarter of an hour (STUDENTS, TUTORS, DAYS, SEED)
	$(PY) -m pytest -q -n0 $(PATIENT) tests/integration/test_month_of_life.py

mutants: export MUTANTS ?= 200
mutants: export SEED ?= 1
mutants: .venv/dev.stamp ## 200 small changes to the core, half an hour; would the tests notice? (MUTANTS, SEED)
	$(PY) -m local.mutants

faults: .venv/dev.stamp ## clients buy while PostgreSQL fails them in eight ways, eight minutes (ROUNDS=3, CLIENTS, SEED, PROXY=on)
	$(PY) -m tests.faults

browser: .venv/run.stamp .tools/browser.stamp ## a guest buys in Chromium, from a page on another port (CHROMIUM=/usr/bin/chromium)
	STACK_PYTHON=$(CURDIR)/$(PY) .tools/browser/bin/python -m pytest -q -p no:cacheprovider --noconftest -c /dev/null --rootdir . tests/browser

check: .venv/dev.stamp .tools/template.stamp ## format, lint, types, architecture, template, stale documents
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m local.openapi --check
	$(PY) -m local.webhook_docs --check

bench: .venv/dev.stamp ## measure, each figure beside its bar, against a real PostgreSQL
	$(PY) -m bench

openapi: .venv/dev.stamp ## describe the API anew, from its handlers
	$(PY) -m local.openapi

webhooks: .venv/dev.stamp ## describe the events anew, from their models (docs/webhooks)
	$(PY) -m local.webhook_docs

deliveries: .venv/run.stamp ## what waits to be told to Make.com, and sending it again (DO="--help")
	@$(PY) -m local.deliveries $(DO)

over-returns: .venv/run.stamp ## money that went back beyond what was paid, and resolving it (DO="--help")
	@$(PY) -m local.over_returns $(DO)

format: .venv/dev.stamp ## let ruff rewrite the code
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

migrate: .venv/run.stamp ## apply migrations/*.sql to DATABASE_OWNER_URL, or DATABASE_URL
	@$(PY) -m functions.migrate.app

audit: .venv/run.stamp ## say what does not fit together in DATABASE_URL; changes nothing
	@$(PY) -m functions.audit.app

lock: $(UV) ## refreeze requirements/*.txt from pyproject.toml
	@for group in dev run layer migrate sam browser; do \
	  $(UV) pip compile pyproject.toml --group $$group --universal --generate-hashes --no-annotate --no-header \
	    $$([ $$group = dev -o $$group = sam -o $$group = browser ] || echo -c requirements/dev.txt) -q -o requirements/$$group.txt; done

# Half a minute, so only when a template has changed.
.tools/template.stamp: template.yaml database.yaml .venv/dev.stamp .tools/sam.stamp
	.venv/bin/cfn-lint -a cfn_lint_serverless.rules -t template.yaml database.yaml
	$(SAM) validate --lint
	@touch $@

build: .tools/sam.stamp ## what will be deployed, into .aws-sam
	$(SAM) build

events: build ## run each function on its event in a container (needs Docker, see docs/deploy.md)
	@for event in $(filter-out env,$(basename $(notdir $(wildcard events/*.json)))); do \
	  name=$$(echo $$event | awk -F_ '{for (i = 1; i <= NF; i++) printf toupper(substr($$i, 1, 1)) substr($$i, 2)}'); \
	  $(SAM) local invoke $${name}Function -e events/$$event.json $(SAM_LOCAL) || exit 1; done

deploy: build .venv/run.stamp ## check, build, deploy and migrate (ENVIRONMENT=dev|staging|prod, see docs/deploy.md)
	$(PY) -m local.deployment_check $(ENVIRONMENT)
	$(SAM) deploy --config-env $(ENVIRONMENT)
	$(SAM) remote invoke MigrateFunction --config-env $(ENVIRONMENT) | grep '"applied"'

clean: ## forget every environment and local state
	rm -rf .venv .tools .local .aws-sam

# --- environments -------------------------------------------------------------------------------------------
# One .venv; `run` installs only what running needs, `test` and `check` add the rest.

.venv/%.stamp: requirements/%.txt | .venv/bin/python $(UV)
	$(UV) pip install -q --compile-bytecode --python $(PY) --require-hashes -r $<
	@touch $@

.venv/bin/python: | $(UV)
	$(UV) venv -q --allow-existing --python 3.13 .venv

# SAM CLI pins older versions of what we use, so it lives apart.
.tools/sam.stamp: requirements/sam.txt | $(UV)
	$(UV) venv -q --allow-existing --python 3.13 .tools/sam
	$(UV) pip install -q --python .tools/sam/bin/python --require-hashes -r $<
	@touch $@

# A browser's driver is nothing that the product needs.
.tools/browser.stamp: requirements/browser.txt | $(UV)
	$(UV) venv -q --allow-existing --python 3.13 .tools/browser
	$(UV) pip install -q --python .tools/browser/bin/python --require-hashes -r $<
	@touch $@

# No uv on this machine: a private one, from the package index.
.tools/uv/bin/uv:
	@interpreter=$$(command -v python3.13 || command -v python3) || { echo "Python 3.13 (or uv) is needed: install one of them, then run make again." >&2; exit 1; }; \
	  $$interpreter -m venv .tools/uv && .tools/uv/bin/python -m pip install -q --disable-pip-version-check uv
