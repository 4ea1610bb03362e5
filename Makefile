# Every target sets up what it needs by itself; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

FLEET ?= 12
DEPOT ?= 6
OCPP_PORT ?= 9310
HTTP_PORT ?= 8310
DATA ?= .data
TESTS ?=
WORKERS ?= 4

PACKAGES := $(sort $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml)))
BIN := .venv/bin
READY := .venv/.ready
PYTEST = $(BIN)/pytest -n $(WORKERS)

# Where it is set, as in many containers, each of a hundred processes would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-quick check format bench lock contract generate service clean

help: ## list these targets
	@echo "Chargebus: a charging station management system on Kafka. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 |\2/p' Makefile | awk -F'|' '{printf "%-18s%s\n", $$1, $$2}'
	@echo
	@echo "make run takes FLEET and DEPOT (simulated stations, 0 for none), OCPP_PORT, HTTP_PORT and DATA (its folder):"
	@echo "  make run FLEET=0 DEPOT=0 OCPP_PORT=9410 HTTP_PORT=8410 DATA=some/folder"
	@echo "make test and test-quick take TESTS, and WORKERS (how many run them):  make test TESTS=services/session WORKERS=2"

run: $(READY) ## start Kafka, PostgreSQL, all services and a simulated fleet; Ctrl-C stops everything
	@exec $(BIN)/chargebus run --fleet $(FLEET) --depot $(DEPOT) --ocpp-port $(OCPP_PORT) --http-port $(HTTP_PORT) --data "$(DATA)"

test: $(READY) ## run the whole suite against a real Kafka and a real PostgreSQL
	@$(PYTEST) $(TESTS)

# Its tests wait for nothing: more workers than cores would only import everything once more.
test-quick: WORKERS = 2
test-quick: $(READY) ## run what needs no server and is not long, and one road through each service
	@$(PYTEST) -m "(not server or road) and not long" --hypothesis-profile quick $(TESTS)

check: $(READY) ## what CI checks: format, lint, types, architecture, dependencies
	@.ci/check

format: $(READY) ## put the code into its format
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix --select I

bench: $(READY) ## measure this machine with services as processes; writes JSON
	@exec $(BIN)/chargebus bench

lock: $(READY) ## resolve the newest dependencies into requirements.lock and Kafka's jars into theirs
	@.ci/lock

contract: $(READY) ## write the schemas of public events and docs/asyncapi.json anew, after a change of them
	@$(BIN)/python -m chargebus_events.schemas
	@$(BIN)/python -m chargebus_cli.asyncapi

generate: $(READY) ## write anew: the lists of services, after a change of the declaration; the table of conformance
	@$(BIN)/python -m chargebus_cli.generate
	@$(BIN)/python -m chargebus_cli.conformance

service: $(READY) ## make a new service that starts: make service NAME=roaming
	@$(BIN)/python -m chargebus_cli.new_service $(NAME)
	@$(MAKE) --no-print-directory $(READY)

clean: ## remove the environment and what tools cached; data folders stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# A package that was taken away leaves nothing newer behind: the list of those that stand in the environment tells.
ifneq ($(shell cat $(READY) 2>/dev/null),$(PACKAGES))
.PHONY: $(READY)
endif
$(READY): requirements.lock .ci/make_environment $(PACKAGES:%=%/pyproject.toml)
	@.ci/make_environment
	@echo $(PACKAGES) >$@
