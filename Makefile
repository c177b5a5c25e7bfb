# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
#
# make demo [BAG=folder] [OUT=folder]   replay a bag through the ROS graph, write OUT/report.html
# make test                             linters, types, every test that this machine can run
# make setup, make setup-all            only the environment of the one and of the other
# make clean                            remove what these commands made, the environment as well

PYTHON ?= python3
BAG ?= test/data/sample_bag
OUT ?= out
VENV := .venv

.PHONY: demo test lint types unit setup setup-all clean

demo: setup
	$(VENV)/bin/replay "$(BAG)" --out "$(OUT)"

# The cheap check first, then the type checker beside the tests: it keeps one core busy for minutes.
test: setup-all
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory -j2 types unit

lint: setup-all
	$(VENV)/bin/ruff check .

types: setup-all
	$(VENV)/bin/mypy

# Never out of this machine, whatever the tests start. A process needs up to 3 GB, hence not more.
unit: setup-all
	ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST $(VENV)/bin/python -m pytest \
		-n auto --maxprocesses 4 --dist worksteal $(PYTEST_ARGUMENTS)

setup:
	@$(PYTHON) requirements/setup_environment.py runtime

setup-all:
	@$(PYTHON) requirements/setup_environment.py all

clean:
	rm -rf $(VENV) build install log out .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		*.egg-info face_depth_ros/core/_*.so
