# make train: set-up and the main job; make test: set-up with the test tools and the tests. ARGS="..." adds overrides.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTEST := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# One more than the cores: tests wait for the processes that they start. Neighbours share a worker, and what it keeps.
WORKERS := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 4 --dist worksteal

.PHONY: setup train test test-slow faults lint format check bench gpu-proof notebooks studies docs clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

train: setup
	$(BIN)/gan train loss=wgan model=dcgan $(ARGS)

test: $(VENV)/.installed-dev
	$(PYTEST) $(WORKERS) $(ARGS)

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m slow --timeout=3600 $(ARGS)

faults: $(VENV)/.installed-dev
	$(PYTEST) tests/faults -m "slow or not slow" --timeout=3600 $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test

bench: setup
	$(BIN)/python scripts/bench.py --docs docs $(ARGS)

# Where there is no network: WHEELS=FOLDER of what torch's own installation lacks; PYTHON is the one that has torch.
gpu-proof: $(if $(WHEELS),,$(VENV)/.installed-dev)
	$(if $(WHEELS),$(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target build/site $(WHEELS)/*.whl)
	PYTHONPATH=.:build/site $(if $(WHEELS),$(PYTHON),$(BIN)/python) scripts/gpu_proof.py --docs docs $(ARGS)

notebooks: $(VENV)/.installed-dev
	$(BIN)/python scripts/execute_notebooks.py $(ARGS)

studies: setup
	$(BIN)/gan study all docs=docs $(ARGS)

# The site of docs/, in build/docs; without the network. ARGS is mkdocs's; what it says of mkdocs 2 is not about this site.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file scripts/site/mkdocs.yml $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
