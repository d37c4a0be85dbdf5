# Every target sets up what it needs. The plain commands behind them are in README.md.
VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python
CUDA := $(shell command -v nvidia-smi >/dev/null 2>&1 && echo ,cuda)
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev

.PHONY: help avatar test test-slow check tiny-base
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# $(READY) is what a user needs, $(DEV) what the tests need besides.
$(READY): EXTRAS = $(CUDA:,%=%)
$(DEV): EXTRAS = dev$(CUDA)
$(READY) $(DEV): pyproject.toml constraints.txt
	@echo "[1/2] setting up (once, some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; give another one: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@start=$$(date +%s); $(PYTHON) -m venv $(VENV) \
	  && $(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.$(if $(EXTRAS),[$(EXTRAS)])' \
	  && touch $@ && echo "      set up in $$(($$(date +%s) - start)) s"

avatar: $(READY) ## train the demo subject and look at its avatars (about 3 min on two cores)
	@echo "[2/2] python -m avatar_exp.train concept=hoanganh lr=1e-6"
	@$(RUN) -m avatar_exp.train concept=hoanganh lr=1e-6

test: $(DEV) ## all tests but those that are slow or need a GPU or a network
	@echo "[2/2] pytest"
	@$(RUN) -m pytest -n auto --maxprocesses 8 --dist loadfile -m 'not slow and not gpu and not network'

test-slow: $(DEV) ## the slow ones: full-size Stable Diffusion with random weights, the wheel, pretraining
	@$(RUN) -m pytest -m 'slow and not gpu and not network'

check: $(DEV) ## ruff and mypy
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

tiny-base: $(READY) ## pretrain the built-in base anew (some hours on two cores; resumes where it stopped)
	@$(RUN) -m avatar_exp.tiny.pretrain
