# Every target does its own set-up in .venv; all it needs is make and Python 3.11 or later.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$each && break; done)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
ARGS ?=

.PHONY: help serve test browser services bench bench-orthanc scale test-ceph check docs clean

help:
	@echo 'make serve      start the archive on this machine, data in ./data'
	@echo 'make test       run every test, with a real PostgreSQL and a real S3 server'
	@echo 'make check      run the linters: ruff, mypy, import-linter'
	@echo 'make browser    bring the Chromium that the browser tests use (Debian, as root)'
	@echo 'make services   run the PostgreSQL and the S3 server of the tests in the foreground'
	@echo 'make bench      measure'
	@echo 'make bench-orthanc  measure beside Orthanc, which it installs (Debian, as root)'
	@echo 'make scale      measure an index of 100,000 studies (20 minutes; others by ARGS: see --help)'
	@echo 'make test-ceph  run the storage and interop tests on Ceph (Debian, as root)'
	@echo 'make docs       make docs/settings.md and docs/conformance.md again'
	@echo 'make clean      remove what make has made; ./data stays'

serve: $(VENV)/serve.stamp $(VENV)/viewer.stamp
	@exec $(BIN)/filmroom serve

test: $(VENV)/test.stamp $(VENV)/viewer.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

browser:
	@for each in "$${FILMROOM_TEST_CHROMIUM:-chromium}" chromium-browser google-chrome; do \
		command -v "$$each" >/dev/null && echo "the browser tests use $$(command -v "$$each")" && exit; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null && \
		echo 'installed chromium'; \
	else \
		echo 'no Chromium: install the package chromium (as root on Debian: make browser), or name one with' >&2; \
		echo 'FILMROOM_TEST_CHROMIUM; until then the browser tests are skipped' >&2; exit 1; \
	fi

services: $(VENV)/test.stamp
	@exec $(BIN)/python -m tests.services

bench: $(VENV)/test.stamp
	$(BIN)/python -m bench $(ARGS)

bench-orthanc: $(VENV)/test.stamp
	$(BIN)/python -m bench.orthanc $(ARGS)

scale: $(VENV)/test.stamp
	$(BIN)/python -m bench.scale $(ARGS)

test-ceph: $(VENV)/test.stamp
	$(BIN)/python -m tests.services.ceph $(ARGS)

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/serve.stamp
	env -i PATH="$$PATH" $(BIN)/filmroom settings --markdown > docs/settings.md
	$(BIN)/python -m archive.web.conformance > docs/conformance.md

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Filmroom needs Python 3.11 or later; none was found in PATH.' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo '$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv' >&2; exit 1; }

$(VENV)/serve.stamp: setup.cfg constraints.txt | $(BIN)/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/test.stamp: setup.cfg constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test,check,video]'
	@touch $@ $(VENV)/serve.stamp

# The image viewer is an extra: without npm, or without a network, everything else works, and the archive's page
# says how to add it. It is tried once; `filmroom viewer` tries again.
$(VENV)/viewer.stamp: archive/viewer/release.py | $(VENV)/serve.stamp
	@$(BIN)/filmroom viewer || echo 'going on without the image viewer; `$(BIN)/filmroom viewer` adds it' >&2
	@touch $@
