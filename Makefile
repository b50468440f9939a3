# Secateur: `make help` lists what there is. Every target sets up what it needs in .venv, once.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help prune-and-export test test-long test-real test-docs test-arm64 optimum test-optimum lint docs reference docker
.PHONY: tui tui-web picture bench bench-peers curves demo-models clean

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
RECIPE ?= recipes/demo.toml
RESULTS ?= bundles/demo/results.jsonl
# Only results that somebody named are named to the app: by itself it knows where to look.
SHOWN = $(if $(filter file,$(origin RESULTS)),,$(RESULTS))
VENV := .venv
BIN := $(VENV)/bin
OPTIMUM := .venv-optimum
PEERS := .venv-peers
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

prune-and-export: $(VENV)/.host ## prune, score, export and measure what RECIPE says (the bundled demo)
	$(BIN)/secateur run $(RECIPE)

test: $(VENV)/.dev ## all tests that can run on this machine
	@tests/remote/get-sshd.sh || echo "There is no sshd here: the tests over SSH are skipped."
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

test-long: $(VENV)/.ray ## the long walks: a Ray cluster, random keys, killed processes, every recipe (minutes)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 2 --dist worksteal -m long

test-real: $(VENV)/.dev ## published checkpoints on real speech, where ../shared/real is (minutes)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 2 --dist worksteal -m real tests/real

test-docs: $(VENV)/.dev ## every command of README and docs, run (minutes)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 2 --dist worksteal -m documented tests/docs

optimum: $(OPTIMUM)/.ready ## set up .venv-optimum, where optimum and its older transformers live

test-optimum: $(VENV)/.host $(OPTIMUM)/.ready ## what export-optimum writes, opened by optimum's own classes
	OMP_NUM_THREADS=1 $(OPTIMUM)/bin/python -m pytest tests/optimum

test-arm64: $(VENV)/.dev ## add, doctor, deploy, bench and attach on an emulated ARM userland (minutes)
	tests/remote/arm64/build-root.sh build/arm64
	OMP_NUM_THREADS=1 SECATEUR_ARM64=build/arm64 $(BIN)/pytest -n 0 tests/remote/arm64

lint: $(VENV)/.dev ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.dev ## the pages as a site in build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: $(VENV)/.host ## write docs/commands.md and docs/recipes.md anew, from the commands and the schema
	$(BIN)/python -m pipeline.reference

docker: ## an image of the host side (ON=cuda for NVIDIA GPUs)
	docker build --build-arg ON=$(or $(ON),cpu) --build-arg PIP_EXTRA_INDEX_URL=$(PIP_EXTRA_INDEX_URL) -t secateur:$(or $(ON),cpu) .

tui: $(VENV)/.host ## find the variant to keep: your results, or the demo's as long as you have none
	$(BIN)/secateur tui $(SHOWN)

tui-web: $(VENV)/.host ## the same in a browser, at http://localhost:8000
	$(BIN)/python -m tui.web "$(BIN)/secateur tui $(SHOWN)"

picture: $(VENV)/.host ## draw docs/tui.svg, the README's picture, from RESULTS
	$(BIN)/python -m tui.picture $(RESULTS) docs/tui.svg

bench: $(VENV)/.host ## time features, command line and agent imports on this machine
	$(BIN)/python -m benchmarks

bench-peers: $(VENV)/.host $(PEERS)/.ready ## our runtime beside faster-whisper, CTranslate2, whisper.cpp and optimum
	$(BIN)/python -m benchmarks.runtime --peers $(PEERS)/bin/python

curves: $(VENV)/.host ## prune the demo models by every method, 0 to 90 %, into docs/ (hours; goes on where it stopped)
	$(BIN)/python -m benchmarks.curves demo-whisper
	$(BIN)/python -m benchmarks.curves demo-sew

demo-models: $(VENV)/.host ## rebuild assets/ from nothing: speak the clips, train both models (resumable)
	@command -v espeak-ng >/dev/null || ./demo/install-espeak.sh
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m demo

clean: ## remove the environment, builds and bundles (assets stay)
	rm -rf $(VENV) $(OPTIMUM) $(PEERS) build bundles dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# A stamp is written only after an install that ended well, so an interrupted one is taken up again.
$(VENV)/.host: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found." >&2; exit 2; }
	@echo "Setting up $(VENV) (once, some minutes) …"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[host,tui]'
	@touch $@

$(VENV)/.dev: $(VENV)/.host
	$(INSTALL) -e '.[host,tui,docs,dev]'
	@touch $@

$(VENV)/.ray: $(VENV)/.dev
	$(INSTALL) -e '.[host,tui,docs,dev,ray]'
	@touch $@

$(OPTIMUM)/.ready: pyproject.toml constraints-optimum.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found." >&2; exit 2; }
	@echo "Setting up $(OPTIMUM) (once, some minutes) …"
	$(PYTHON) -m venv $(OPTIMUM)
	$(OPTIMUM)/bin/pip install --quiet --disable-pip-version-check -c constraints-optimum.txt \
		-e '.[optimum]' pytest pytest-timeout
	@touch $@

$(PEERS)/.ready: pyproject.toml constraints-peers.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found." >&2; exit 2; }
	@echo "Setting up $(PEERS) (once, some minutes) …"
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -c constraints-peers.txt -e '.[peers]'
	@touch $@
