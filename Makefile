# `make` lists what there is. Each target sets up what it needs.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
# Most tests wait for servers, two workers on a core for each other's waits. A file's tests share theirs, in one worker.
WORKERS ?= $(shell expr 2 \* $$(nproc))
# Tests start hundreds of processes, each of which would compile our sources anew in an environment that forbids keeping
# them compiled. They are kept in __pycache__, which `make clean` removes.
test tests unit compat: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help up test check unit torture bench compat docs pictures lock migration wheel deb clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(RUNTIME): requirements/runtime.lock pyproject.toml scripts/setup-python
	@PYTHON="$(PYTHON)" scripts/setup-python $(VENV) requirements/runtime.lock
	@touch $@

$(DEV): requirements/dev.lock pyproject.toml scripts/setup-python
	@PYTHON="$(PYTHON)" scripts/setup-python $(VENV) requirements/dev.lock
	@touch $@ $(RUNTIME)

up: $(RUNTIME) ## Set up and run the whole loop on this machine (Ctrl-C stops it)
	@scripts/setup-servers run
	@exec $(BIN)/upkeeper up $(ARGS)

test: $(DEV) ## Set up and test everything, against real servers
	@scripts/setup-servers test
	@$(MAKE) --no-print-directory -j2 lint tests

.PHONY: tests
tests: $(DEV)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV) lint unit ## Lint, types and unit tests, in under a minute

.PHONY: lint
lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(DEV)
	$(BIN)/pytest -q -n 4 -m "not servers and not slow" $(ARGS)

# Coverage-guided fuzzing by libFuzzer (Google, Apache-2.0). Of 35 MB, and for nothing but `make torture`: not among what is locked.
ATHERIS := atheris==3.0.0
torture: export UPKEEPER_TORTURE := 1
torture: export UPKEEPER_TORTURE_KILLS ?= 500
torture: export UPKEEPER_FUZZ ?= 200000
torture: $(DEV) ## The long form of what must never happen, for hours: UPKEEPER_TORTURE_KILLS=, _SEED=, _SECONDS=
	@scripts/setup-servers test
	@[ "$$(uname -m)" != x86_64 ] || $(BIN)/pip install --quiet --disable-pip-version-check "$(ATHERIS)"
	$(BIN)/pytest -s --timeout 14400 tests/torture tests/remediator/test_fuzz.py $(ARGS)
	$(BIN)/pytest -s --timeout 14400 -m torture --ignore tests/torture $(ARGS)

bench: $(DEV) ## Measure beside the peers, and print the ratios
	@scripts/setup-servers bench
	$(BIN)/python -m bench $(ARGS)

compat: $(DEV) ## The end-to-end test on UPKEEPER_PROMETHEUS= and UPKEEPER_ALERTMANAGER=, all of Docker on UPKEEPER_DOCKERD=
	@scripts/setup-servers test
	$(BIN)/pytest $(if $(UPKEEPER_DOCKERD),-m docker,tests/e2e/test_loop.py) $(ARGS)

docs: $(DEV) ## Generate the references in docs/ from the code, and the dashboards
	$(BIN)/python docs/generate.py
	$(BIN)/python -m scripts.dashboards
	$(BIN)/python -m scripts.stack_configs

pictures: $(DEV) ## Take the pictures of console and mails in docs/images anew
	@scripts/setup-servers test
	UPKEEPER_PICTURES=docs/images $(BIN)/pytest -q tests/e2e/test_loop.py \
	    tests/remediator/console/test_browser.py tests/alertmanager/test_pictures.py \
	    -k "go_all_the_way_round or every_page or read_well_on_a_phone" $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(ARGS) pyproject.toml --extra oidc --group build

lock: $(DEV) ## Lock the dependencies, with hashes; ARGS=--upgrade for the newest versions
	$(LOCK) --output-file requirements/runtime.lock
	$(LOCK) --group dev --output-file requirements/dev.lock

migration: $(DEV) ## Begin a migration: make migration NAME=what_it_does
	@test -n "$(NAME)" || { echo "error: name it: make migration NAME=what_it_does" >&2; exit 2; }
	$(BIN)/python -m scripts.new_migration "$(NAME)"

wheel: $(DEV) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

deb: $(DEV) ## Build the Debian package into dist/, for the Python of this distribution
	@scripts/build-deb

.PHONY: site
site: $(DEV) ## Build the docs as a site into dist/site
	$(BIN)/uv tool run --quiet --from mkdocs==1.6.1 mkdocs build --quiet --strict

.PHONY: package-test
package-test: export PYTHONDONTWRITEBYTECODE :=
package-test: export UPKEEPER_PACKAGES := 1
package-test: $(DEV) ## Put the Debian package through its life, with a drill by its units; install by uv
	@scripts/setup-servers package
	$(BIN)/pytest tests/packages/test_deb.py tests/packages/test_installs.py -k "not pip" $(ARGS)

.PHONY: image-test
image-test: export PYTHONDONTWRITEBYTECODE :=
image-test: export UPKEEPER_PACKAGES := 1
image-test: $(DEV) ## Build the image and drill with it; install by pip and pipx
	@scripts/setup-servers package
	$(BIN)/pytest tests/packages/test_image.py tests/packages/test_installs.py -k "image or pip" $(ARGS)

clean: ## Remove what was made here; a stack's state is elsewhere and stays
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
