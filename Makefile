# Every target works without an activated environment; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/.installed
# a file of tests stays in one process, because its tests share what is slow to make
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install repro reproduce reproduce-elsewhere check doctor pull report test test-fast test-remotes bench bench-training docs lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + \
		"; name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --requirement requirements.lock
	python -m pip install --quiet --no-deps --editable .
	@touch $@

install: $(INSTALLED) ## make .venv with the pinned packages

repro: install ## run every stage that is not up to date, then show the scores; JOBS=4 runs four at once
	$(if $(JOBS),birdclef repro --jobs $(JOBS),dvc repro)
	@birdclef report

reproduce: install ## re-run the last commit in an empty clone and compare every hash; DATA=1 skips training
	birdclef rebuild $(if $(DATA),--data-only)

reproduce-elsewhere: install ## compare training and export, byte by byte, with two emulated processors
	@command -v qemu-x86_64 >/dev/null || { echo "qemu-x86_64 is needed: apt-get install qemu-user" >&2; \
		exit 1; }
	python -m pytest -m emulated tests/pipeline/test_processors.py

check: install ## check in seconds for anything that would stop a long run
	@birdclef check

doctor: install ## print the facts that a bug report needs
	@birdclef doctor

pull: install ## fetch the outputs named in dvc.lock from the remote
	@[ -n "$$(dvc remote list)" ] || { echo "No remote is named yet, so there is nothing to fetch" \
		"from: dvc remote add --local --default store URL (README, Share)," \
		"or make everything anew: make repro" >&2; exit 1; }
	dvc pull

report: install ## show the scores of the last run
	@birdclef report

test: install ## run all tests
	python -m pytest $(PARALLEL)

test-fast: install ## run the tests that neither run DVC nor train, in about a minute
	python -m pytest $(PARALLEL) -m "not slow and not emulated"

test-remotes: install ## install storage servers on this machine, then test push and pull with them
	python -m pip install --quiet --constraint requirements.lock --editable ".[remotes-test]"
	python -m pytest tests/pipeline/test_remotes.py

bench: install ## time the exported model with every engine and update docs/speed.md; takes minutes
	python -m pip install --quiet --constraint requirements.lock --editable ".[openvino]"
	python benchmarks/speed/engines.py
	python benchmarks/speed/predict.py --rounds 3 --hours 15
	@birdclef docs

bench-training: install ## time training with each setting and update docs/training-speed.md
	python benchmarks/speed/training_step.py --steps 4 --rounds 1
	python benchmarks/speed/training_loop.py --rounds 3
	python benchmarks/size/memory_curve.py
	@birdclef docs

docs: install ## update the tables in README.md and docs/ from the last run and the code, and the ensemble recipe
	@birdclef docs

lint: install ## check style, types, and which room imports which
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo

format: install ## fix and format the code
	ruff check --fix .
	ruff format .

lock: install ## pin all dependencies of pyproject.toml again, for every platform
	python -m pip install --quiet uv
	uv pip compile --quiet --universal --python-version 3.11 --extra train --extra dev pyproject.toml \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file requirements.lock

clean: ## remove files that runs leave behind, except DVC's outputs
	rm -rf .resume build .pytest_cache .mypy_cache .ruff_cache .hypothesis dvc_plots
