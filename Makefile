# What a newcomer types. `make` alone lists the targets; nothing here needs root, and nothing but git, make and Python.

VENV     := .venv
PY       := $(VENV)/bin/python
PIP      := $(PY) -m pip --disable-pip-version-check install --quiet
DATADIR  ?= ./data
ADDR     ?= 0.0.0.0:5000
ARGS     ?=
JOBS     ?= auto
FAST     := not browser and not clients and not conformance and not installation and not slow and not faults and not soak

.DEFAULT_GOAL := help
.PHONY: run dist image deb kubernetes test lint format types conformance browser screenshots installation clients clients-table slow soak faults faults-full faults-table bench bench-docs bench-collection reference lock help

run: $(VENV)/.runtime ## start the registry on 0.0.0.0:5000 over ./data (ADDR, DATADIR; other options in ARGS)
	@exec $(PY) -m simple_registry serve -datadir $(DATADIR) -addr $(ADDR) $(ARGS)

dist: $(VENV)/.dev ## wheel and source distribution of the last commit, into dist/
	$(PY) -m harness.dist

deb: $(VENV)/.dev ## Debian package of the last commit, into dist/, for the system on which it is built
	$(PY) -m harness.deb

kubernetes: $(VENV)/.dev ## write packaging/kubernetes from the Helm chart, with helm
	$(PY) -m harness.kubernetes

image: | $(PY) ## container image of the last commit (BASE, TARGET, ENGINE, IMAGE; options of its build in ARGS)
	@BASE="$(BASE)" TARGET="$(TARGET)" ENGINE="$(ENGINE)" IMAGE="$(IMAGE)" $(PY) -m harness.image $(ARGS)

test: $(VENV)/.dev ## every test that needs neither root nor a foreign client
	$(PY) -m pytest -n $(JOBS) --dist worksteal -m "$(FAST)" $(ARGS)

lint: $(VENV)/.dev ## style and format, changing nothing
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(VENV)/.dev ## put the code into the project's format
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

types: $(VENV)/.dev ## mypy, strict
	$(PY) -m mypy

conformance: $(VENV)/.dev ## the official OCI conformance suite against a server of its own
	$(PY) -m pytest -s -m conformance $(ARGS) tests/e2e

browser: $(VENV)/.dev ## the web pages in Chromium, where it is installed
	$(PY) -m pytest -n 2 --dist worksteal -m browser $(ARGS) tests/browser

screenshots: $(VENV)/.dev ## take pictures of the web pages into docs/screenshots
	PYTHONPATH=tests:. $(PY) -m browser.screenshots $(ARGS)

clients: $(VENV)/.dev ## docker, podman, skopeo, buildah, crane, oras, regctl, helm, ctr (those that are installed)
	$(PY) -m pytest -n 2 --dist loadfile -m clients $(ARGS) tests/e2e

clients-table: $(VENV)/.dev ## write what each client achieves with each credential into docs/results/clients.md
	E2E_WRITE_TABLE=1 $(PY) -m pytest -m clients $(ARGS) tests/e2e/test_handshakes.py

installation: $(VENV)/.dev ## what is installed: image, charts, packages, units, with the programs that are there (most need root)
	$(PY) -m pytest -n 2 --dist loadfile -m installation $(ARGS) tests/installation

slow: $(VENV)/.dev ## tests that take minutes: large blobs, many clients, memory
	$(PY) -m pytest -m "slow and not clients and not conformance" $(ARGS) || [ $$? -eq 5 ]

soak: $(VENV)/.dev ## mixed load with resets and killed workers; collections under load: 10 minutes each (SOAK_SECONDS)
	$(PY) -m pytest -s -m soak $(ARGS) tests/soak

faults: $(VENV)/.dev ## break it in every way and count what is lost: under 9 minutes (docs/durability.md)
	$(PY) -m pytest -s -n 2 --dist worksteal -m faults $(ARGS) tests/faults

faults-full: $(VENV)/.dev ## the same for hours
	FAULTS_SCALE=full $(PY) -m pytest -s -m faults $(ARGS) tests/faults

faults-table: $(VENV)/.dev ## write what each campaign found in each registry into docs/results/durability.md
	$(PY) -m faults.scorecard --write $(ARGS)

bench: $(VENV)/.dev ## compare with other registries on this machine (bench/README.md)
	$(PY) -m bench $(ARGS)

bench-docs: $(VENV)/.dev ## measure everything and write it into docs/results/performance.md: 20 minutes on a quiet machine
	$(PY) -m bench --write $(ARGS)

bench-collection: $(VENV)/.dev ## measure what collections cost in small and large stores, into docs/results/collection.md
	$(PY) -m bench.collection --write $(ARGS)

# An index or a wheel folder of the machine's own must leave no trace in the lock files.
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" PIP_FIND_LINKS= $(PY) -m piptools compile --quiet --upgrade --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe

reference: $(VENV)/.dev ## write the tables of options and fields, the schema, completion scripts and the man page, from the code
	PYTHONPATH=tests $(PY) -m support.reference

lock: $(VENV)/.dev ## pin the newest allowed versions of all requirements, with hashes
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --build-deps-for=editable --only-build-deps --output-file requirements-build.lock pyproject.toml
	$(COMPILE) --build-deps-for=editable --extra dev --constraint requirements.lock --constraint requirements-build.lock \
		--output-file requirements-dev.lock pyproject.toml

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- the environment: made once, brought up to date when a lock file or pyproject.toml changes ---------------------

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(PY)
	@echo "installing requirements-dev.lock into $(VENV)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.runtime $@

$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml | $(PY)
	@echo "installing requirements.lock into $(VENV)"
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# The first interpreter that is new enough and can make an environment; when none can, say what is missing.
$(PY):
	@new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; found=; bare=; \
	for candidate in python3.13 python3.12 python3.11 python3 python; do \
		"$$candidate" -c "$$new_enough" 2>/dev/null || continue; \
		if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then found=$$candidate; break; fi; \
		bare=$${bare:-$$candidate}; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
		echo "$$bare cannot make a virtual environment: its venv or ensurepip module is missing." >&2; \
		echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	elif [ -z "$$found" ]; then \
		echo "Python 3.11 or newer is needed and was not found as python3.13, python3.12, python3.11 or python3." >&2; \
		exit 1; \
	fi; \
	if ! mkdir -p "$(VENV)" 2>/dev/null || [ ! -w "$(VENV)" ]; then \
		echo "$(VENV) cannot be made here; name places that can be written to:" >&2; \
		echo "  make $(or $(firstword $(MAKECMDGOALS)),run) VENV=$$HOME/.cache/simple-registry/venv DATADIR=$$HOME/registry" >&2; \
		exit 1; \
	fi; \
	echo "making $(VENV) with $$($$found --version)"; \
	"$$found" -m venv $(VENV)
