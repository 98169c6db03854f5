# Every target does its own set-up; `make help` lists them.
SHELL := /bin/sh
BIN := .venv/bin
# The lab needs root (TUN devices, namespaces, cgroups).
AS_ROOT := $(BIN)/python scripts/as_root.py
EXPERIMENTS ?= experiments/pod-kill.yaml experiments/zone-partition.yaml experiments/remote-failover.yaml

.PHONY: help setup drill gate test soak contract check bench lab-up lab-down lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Debian packages and the Python environment (what needs them does this itself)
	@scripts/setup-debian.sh
	@scripts/setup-venv.sh

drill: setup ## the main job: lab up, the drills, one table, lab down
	@$(AS_ROOT) $(BIN)/stormdrill run --lab small $(EXPERIMENTS)

gate: setup ## the CI resilience gate: the same with a time budget, JUnit and a Markdown summary
	@$(AS_ROOT) $(BIN)/stormdrill gate --lab small

test: setup ## all tests (real local processes; root for the lab's); ARGS=... for some
ifdef ARGS
	@$(AS_ROOT) $(BIN)/python -m pytest $(ARGS)
else
	@$(AS_ROOT) $(BIN)/python scripts/run_tests.py
endif

soak: setup ## the tests that take long: repeated kills of a lab and in drills, more random plans; ARGS=... for some
	@$(AS_ROOT) $(BIN)/python -m pytest -m long $(or $(ARGS),tests)

# Only what is said on the command line counts: an exported KUBECONFIG may lead to a cluster that is not meant.
ON_COMMAND_LINE = $(if $(filter command line,$(origin $(1))),$(2) "$($(1))")
contract: setup ## what is asked of a Kubernetes API; KUBECONFIG=FILE CONTEXT=NAME asks another than the lab's
	@$(BIN)/python -m pytest tests/contract $(call ON_COMMAND_LINE,KUBECONFIG,--kubeconfig) \
	  $(call ON_COMMAND_LINE,CONTEXT,--kube-context) $(call ON_COMMAND_LINE,IMAGE,--pod-image) $(ARGS)

check: setup ## ruff, mypy strict, import directions, content files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/stormdrill check
	@code=0; for file in $$(grep -l '^lab:' topology/*.yaml tests/lab/*/topology.yaml); do \
	  $(BIN)/python -m stormlab check "$$file" || code=$$?; done; exit $$code

bench: setup ## what things cost beside a plain way to do the same, in two minutes; ONLY=id for one figure
	@$(AS_ROOT) $(BIN)/python -m benchmarks $(ONLY)

lab-up: setup ## start the lab and print how to use it
	@$(AS_ROOT) $(BIN)/stormdrill lab up

lab-down: ## take the lab down; removes exactly what it made
	@$(AS_ROOT) $(BIN)/stormdrill lab down

lock: setup ## write requirements.lock anew from pyproject.toml
	@$(BIN)/python -m pip install -q pip-tools
	@$(BIN)/pip-compile -q --upgrade --generate-hashes --strip-extras --allow-unsafe --all-build-deps \
	  --extra dev --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml

clean: ## remove caches, build output and the Python environment (runs/ stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build src/*.egg-info
