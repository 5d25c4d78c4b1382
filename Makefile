# make demo            Fenrir on a local AWS, from nothing to a deployed application (KEEP=1 leaves it running)
# make test            every test
# make lint            format, clippy, templates, licences
# make invoke STEP=..  one step on its own, against the local AWS
# make release         the steps for real AWS, as target/lambda/<step>/bootstrap (ARCH=arm64, the default, or x86-64)
# make bench           our figures beside those of the deployer that Fenrir succeeds
# make faults          faults in every call of every step and of the watchdog, for docs/faults.md (a quarter of an hour; ALL=1: in every scenario, an hour)
# make race            a hundred rounds of many deploys at once (ROUNDS=.. fewer or more)
# make fuzz            ten million hostile templates, for docs/fuzzing.md (RUNS=.. fewer or more; needs a nightly toolchain)
# make screenshots     the pictures of docs/dashboard.md, where there is a Chromium
# make stop            ends what `make demo KEEP=1` left running
# make clean           removes what this file made in the repository (not cargo's cache)
#
# Needs Rust, Python 3.11 or newer, make, git and a C compiler; nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Another virtual environment of the same requirements may be used instead of one of our own.
export FENRIR_VENV ?= $(CURDIR)/.venv
export FENRIR_LAMBDAS ?= $(CARGO_TARGET_DIR)/lambda-local
VENV_PYTHON := $(FENRIR_VENV)/bin/python
# A stamp named by the requirements' hash: whoever changes them gets them installed.
STAMP := $(CURDIR)/.venv/.installed-$(shell $(PYTHON) -c 'import hashlib; print(hashlib.sha256(open("requirements.txt", "rb").read()).hexdigest()[:16])')
# What cargo-lambda would add to the profiles stands in Cargo.toml already, and its CPU flag would compile the SDKs a
# second time for the command.
BUILD := PATH="$(FENRIR_VENV)/bin:$$PATH" cargo lambda build --disable-optimizations --locked --workspace --exclude fenrir-testkit --exclude fenrir-tests
ARCH ?= arm64

.PHONY: help demo test lint lambdas venv invoke bench release faults race fuzz screenshots stop clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

ifeq ($(FENRIR_VENV),$(CURDIR)/.venv)
venv: $(STAMP)
else
venv: ;
endif

$(STAMP): requirements.txt
	@echo "installing the local AWS and cargo-lambda into .venv"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@

# The eight steps, the watchdog, the herald and the command, in one go: they share every SDK crate. Built for this machine, and to be built soon.
lambdas: venv
	@$(BUILD) --compiler cargo --profile local --lambda-dir "$(FENRIR_LAMBDAS)"

# cargo-lambda's own compiler links for other processors and for the C library of Lambda's machines; it asks for Zig.
release: venv
	@$(BUILD) --release --$(ARCH) --exclude fenrir-cli --lambda-dir target/lambda

demo: venv
	@$(VENV_PYTHON) tests/demo.py $(if $(KEEP),--keep)

stop:
	@$(PYTHON) tests/demo.py --stop

test: lambdas
	@$(VENV_PYTHON) tests/run.py

lint: venv
	@cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(VENV_PYTHON) tests/templates.py
	$(VENV_PYTHON) tests/licences.py

invoke: lambdas
	@$(VENV_PYTHON) tests/invoke.py "$(STEP)"

# The release profile, for this machine: sizes and times are those of what is shipped.
bench: export FENRIR_LAMBDAS := $(CARGO_TARGET_DIR)/lambda-bench
bench: venv
	@$(BUILD) --release --compiler cargo --lambda-dir "$(FENRIR_LAMBDAS)"
	cargo bench --locked --manifest-path benches/Cargo.toml
	$(VENV_PYTHON) tests/bench.py

faults: venv
	@FENRIR_FAULTS=$(if $(ALL),all,each) cargo test --workspace --locked --test faults -- --nocapture no_fault

race: venv
	@FENRIR_ROUNDS=$(or $(ROUNDS),100) cargo test --workspace --locked --test faults -- --nocapture race

fuzz: venv
	@nice $(VENV_PYTHON) tests/fuzz.py $(if $(RUNS),--runs $(RUNS))

screenshots: lambdas
	@$(VENV_PYTHON) tests/screenshots.py

# What still runs is known only by a file that goes.
clean: stop
	@rm -rf .venv .local
