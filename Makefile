PYTHON ?= python3
BIN = .venv/bin
DEMO = $(or $(TMPDIR),/tmp)/captionary-demo

.PHONY: demo test lint types install clean
.DEFAULT_GOAL := help

help:
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

install: .venv/installed ## a virtual environment in .venv with everything pinned

demo: install ## index the sample pictures without a key, then search them
	@rm -rf $(DEMO)
	$(BIN)/index --library $(DEMO) --provider local sample_images
	$(BIN)/search --library $(DEMO) -n 3 two dogs leaning out of a window
	$(BIN)/search --library $(DEMO) -n 3 a red espresso cup
	$(BIN)/search --library $(DEMO) -n 3 space suit and helmet of a NASA pilot
	@rm -rf $(DEMO)

lint: install ## style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install ## mypy, strict
	$(BIN)/mypy

test: lint types ## lint, types and tests; what CI runs
	$(BIN)/pytest -q -n auto --dist loadfile

clean: ## forget the virtual environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
