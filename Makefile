# Everything here works as root and as an ordinary user, on a fresh Debian or Ubuntu
# machine with python3 (3.11 or later), make and git.

PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
MANAGE := $(PY) manage.py
PYTEST := $(PY) -m pytest
# For make test: PIRANHA_TEST_WITHOUT="lab browser" leaves these out, and says so.
PIRANHA_TEST_WITHOUT ?=
UNIT := not lab and not browser
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup setup-dev setup-test demo run test check check-static check-unit \
	test-unit test-services test-hosts test-long pictures lock clean

help: ## show this list
	@echo "make demo   a real LVS cluster on this machine, with the dashboard in front of it"
	@echo "make run    the dashboard for clusters of your own"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/runtime ## install what the dashboard needs, into .venv

.venv/runtime: requirements.txt
	scripts/packages python-venv=python3-venv
	scripts/install "$(PYTHON)" requirements.txt
	@touch $@

setup-dev: .venv/dev ## install what it takes to work on it, into .venv

.venv/dev: requirements.txt requirements-dev.txt
	scripts/packages python-venv=python3-venv
	scripts/install "$(PYTHON)" requirements-dev.txt
	@touch $@

setup-test: setup-dev ## install what the tests run against: browser, sshd, databases
	scripts/packages chromium=chromium sshd=openssh-server msgfmt=gettext \
		redis-server=redis-server newuidmap=uidmap \
		/usr/lib/postgresql/*/bin/initdb=postgresql

demo: setup lab ## boot the lab and serve the dashboard with its five hosts
	$(MANAGE) demo

run: setup ## serve the dashboard, empty at first: it prints the link to begin with
	$(MANAGE) serve

check: check-static check-unit ## what every commit must pass, in less than two minutes

check-static: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --check --quiet templates
	$(BIN)/djlint --lint --quiet templates
	$(MANAGE) check --fail-level WARNING
	$(MANAGE) makemigrations --check --dry-run

check-unit: setup-dev
	$(PYTEST) -q -n 2 --hypothesis-profile=quick -m "$(UNIT) and not slow"

test: setup-test check-static test-unit test-services test-hosts ## the tests, on real parts (and make test-long)
	@echo "All tests passed$(if $(PIRANHA_TEST_WITHOUT), WITHOUT: $(PIRANHA_TEST_WITHOUT))."

# Many of these wait for a clock, and those stand together: four processes keep two cores
# busy, and who has no test left takes some from the others.
test-unit: setup-test
	$(PYTEST) -q -n 4 --dist worksteal -m "$(UNIT)"

test-services: setup-test ## the tests of database and broker, on PostgreSQL and Redis
	$(PY) -m tests.services $(PYTEST) -q -n 4 --dist worksteal --backed -m "$(UNIT)"

# Two processes, each with a lab of its own (192 MB a host); a file stays in one process.
# Those with few tests would come last, and are not the short ones: see tests/long_files.py.
ON_HOSTS := $(PYTEST) -q -n 2 --dist loadfile --no-loadscope-reorder
LEFT_OUT = @echo "PIRANHA_TEST_WITHOUT: $(PIRANHA_TEST_WITHOUT) is left out."

test-hosts: setup-test ## drive the hosts of the lab, and a real browser
ifeq ($(filter lab browser,$(PIRANHA_TEST_WITHOUT)),)
	$(ON_HOSTS) -m "(lab or browser) and not long"
else ifeq ($(filter browser,$(PIRANHA_TEST_WITHOUT)),)
	$(LEFT_OUT)
	$(PYTEST) -q -m "browser and not lab" || [ $$? -eq 5 ]
else ifeq ($(filter lab,$(PIRANHA_TEST_WITHOUT)),)
	$(LEFT_OUT)
	$(ON_HOSTS) -m "lab and not browser and not long"
else
	$(LEFT_OUT)
endif

test-long: setup-test ## what takes an hour or two on real hosts
	$(PY) -m tests.services $(PYTEST) -q -n 2 --backed --every-step -m each_step
	$(ON_HOSTS) -m long

pictures: setup-test ## take the pictures of the documentation, on the lab under traffic
	PIRANHA_PICTURES=1 $(PYTEST) -q tests/browser/test_live.py -k pictures

lock: setup-dev ## resolve requirements*.in again, with hashes
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

clean: ## remove .venv and caches; your data in var/ stays
	rm -rf .venv bench/.venv bench/results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

-include lab/lab.mk
-include bench/bench.mk
