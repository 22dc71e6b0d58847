# Works from a fresh clone with make and a Python from 3.11 to 3.14; every target sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VENV := .venv
ORACLES_VENV := .venv-oracles
FORECAST_VENV := .venv-forecast
MEMORY_VENV := .venv-sanitize-memory
THREADS_VENV := .venv-sanitize-threads
WORKERS ?= 2

PIP := -m pip --disable-pip-version-check install --quiet --editable

# PYTHON=/path/to/python overrides the search. A candidate counts only if it runs (a pyenv shim may
# exist and fail), has the right version, and can make a virtual environment (Debian splits that off).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	>/dev/null 2>&1 && { echo "$$p"; break; }; done)

# Version 0.2.0, and where benchmarks/forecasting/methods.py finds it.
RELEASE := 90463d5cbef31b3f69799914b711f19c494b9468
RELEASE_FOLDER := build/forecast-release

define make_venv
	@if [ -z "$(PYTHON)" ]; then \
		echo "throughtime needs Python 3.11 to 3.14 with the venv module; none was found on PATH." \
			"Install one, or run: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 1; fi
	$(PYTHON) -m venv $(1)
endef

.PHONY: help demo pictures test coverage fuzz lint docs oracles bench bench-forecast base-model sanitize clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.cli ## train on the CO2 of Mauna Loa and on sunspots, forecast them, draw them
	$(VENV)/bin/throughtime forecast --out demo-output
	$(VENV)/bin/throughtime forecast src/throughtime/data/sunspots.csv --horizon 11 --holdout 33 --out demo-output/sunspots

# One of them is a page, which the documentation does not show.
pictures: $(VENV)/.cli ## draw the pictures in docs/systems anew: run every demo
	$(VENV)/bin/throughtime demo all --out docs/systems/pictures
	rm -f docs/systems/pictures/*/*.html

# The workers share the cores already; a pool of threads in each would only be in the way. Some tests
# take minutes: worksteal gives the tests that wait behind them to a worker that is done.
test coverage oracles: export OMP_NUM_THREADS := 1
test coverage oracles: export OPENBLAS_NUM_THREADS := 1

test: $(VENV)/.test ## the test suite and every example in the docstrings and the README
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal

coverage: $(VENV)/.coverage ## the test suite, and which lines and branches it never runs; twice as long
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term-missing:skip-covered

# make fuzz FUZZ="--cases 500 --seed 7" draws fewer, and others.
fuzz: $(VENV)/.test ## 10,000 tables written in drawn ways: each is read as what it is, or refused by name
	PYTHONPATH=tests $(VENV)/bin/python tests/fuzz_tables.py $(FUZZ)

lint: $(VENV)/.lint ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# Notebooks run; one that fails, a warning or TeX that cannot be read is a failure. Every page is made
# anew (-E): what a notebook shows depends on more than its own file.
docs: $(VENV)/.docs ## the documentation site, in build/docs
	$(VENV)/bin/python -m sphinx -W -E -j auto --keep-going -q -b html docs build/docs

# On Linux PyPI has PyTorch with CUDA, gigabytes. Less comes with
# make oracles PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
oracles: $(ORACLES_VENV)/.oracles ## compare with PyTorch, Keras, ONNX Runtime and JAX (a large download)
	$(ORACLES_VENV)/bin/python -m pytest -n $(WORKERS) tests/oracles

# OMP_NUM_THREADS is how many threads each library may use, by default as many as there are cores.
# make bench BENCH="--quick --rows train-lstm" is shorter; benchmarks/README.md has more.
bench: $(ORACLES_VENV)/.bench ## measure beside PyTorch, JAX and ONNX Runtime (a large download, an hour)
	$(ORACLES_VENV)/bin/python -m benchmarks $(BENCH)

# make bench-forecast FORECAST="--quick --collections m3" is shorter; benchmarks/README.md has more.
bench-forecast: $(FORECAST_VENV)/.forecast-bench $(RELEASE_FOLDER)/.installed ## forecast beside statsforecast, on M1, M3, tourism and classics
	$(FORECAST_VENV)/bin/python -m benchmarks.forecasting $(FORECAST)

# The release that forecasts are measured beside is built from its sources. It has the environment's
# NumPy. The extension of the sources here is not in its way: it lies in another folder.
$(RELEASE_FOLDER)/.installed: | $(FORECAST_VENV)/bin/python
	rm -rf $(RELEASE_FOLDER)
	$(FORECAST_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
		--target $(RELEASE_FOLDER) "git+file://$(CURDIR)@$(RELEASE)"
	@touch $@

# It takes about 20 minutes on two cores, and writes the file that comes with the package.
base-model: $(FORECAST_VENV)/.forecast-bench ## train the base networks of forecasts (recipes/base_model)
	$(FORECAST_VENV)/bin/python -m recipes.base_model $(BASE_MODEL)

# Each has an extension of its own. The sanitizers must be in the process before Python is, and the
# C++ library before them asks for what throws.
# With --capture=sys what a sanitizer writes as it ends the process is seen.
NATIVE_TESTS = --capture=sys $(wildcard tests/test_native*.py) tests/test_kernels_selection.py tests/test_same_bits.py
sanitize: export THROUGHTIME_REQUIRE_NATIVE := 1
sanitize: export OPENBLAS_NUM_THREADS := 1
sanitize: export PYTHONMALLOC := malloc
sanitize: export ASAN_OPTIONS := detect_leaks=0:allocator_may_return_null=1
sanitize: export UBSAN_OPTIONS := print_stacktrace=1
sanitize: export TSAN_OPTIONS := halt_on_error=1
sanitize: $(MEMORY_VENV)/.test $(THREADS_VENV)/.test ## native tests with AddressSanitizer, UBSan, ThreadSanitizer (GCC)
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
		$(MEMORY_VENV)/bin/python -m pytest $(NATIVE_TESTS)
	LD_PRELOAD="$$($(CXX) -print-file-name=libtsan.so)" \
		$(THREADS_VENV)/bin/python -m pytest $(NATIVE_TESTS)

clean: ## remove what the other targets made
	rm -rf $(VENV) $(ORACLES_VENV) $(FORECAST_VENV) $(MEMORY_VENV) $(THREADS_VENV) build dist demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
	find .editable -mindepth 1 ! -name CMakeLists.txt ! -name .gitignore -delete
	rm -f src/throughtime/_native.*.so

$(addsuffix /bin/python,$(VENV) $(ORACLES_VENV) $(FORECAST_VENV) $(MEMORY_VENV) $(THREADS_VENV)): %/bin/python:
	$(call make_venv,$*)

# One stamp an extra: it is older than these files whenever what must be installed may have changed.
BUILT_FROM := pyproject.toml CMakeLists.txt .editable/CMakeLists.txt $(wildcard native/*/*)

# Without a compiler pip installs the package all the same. An extension of older sources must not
# run then, and whoever has a compiler wants to know.
define install
	$(1)/bin/python $(PIP) '.[$(2)]'
	@if grep -qs none-any $(1)/lib/python*/site-packages/throughtime-*.dist-info/WHEEL; then \
		rm -f src/throughtime/_native.*.so; \
		echo "No native engine could be built; the reference engine runs instead. For the reason:" \
			"THROUGHTIME_REQUIRE_NATIVE=1 $(1)/bin/python -m pip install -e ." >&2; fi
	@touch $@
endef

$(VENV)/.%: $(BUILT_FROM) | $(VENV)/bin/python
	$(call install,$(VENV),$*)

$(ORACLES_VENV)/.%: $(BUILT_FROM) | $(ORACLES_VENV)/bin/python
	$(call install,$(ORACLES_VENV),$*)

$(FORECAST_VENV)/.%: $(BUILT_FROM) | $(FORECAST_VENV)/bin/python
	$(call install,$(FORECAST_VENV),$*)

# Modules are those of src/, the extension alone is the environment's own.
define install_sanitized
	THROUGHTIME_REQUIRE_NATIVE=1 $(1)/bin/python $(PIP) '.[test]' \
		-C editable.mode=redirect -C build-dir=build/$(1) \
		-C cmake.build-type=Debug -C 'cmake.define.THROUGHTIME_SANITIZE=$(2)'
	@touch $@
endef

$(MEMORY_VENV)/.test: $(BUILT_FROM) | $(MEMORY_VENV)/bin/python
	$(call install_sanitized,$(MEMORY_VENV),address;undefined)

$(THREADS_VENV)/.test: $(BUILT_FROM) | $(THREADS_VENV)/bin/python
	$(call install_sanitized,$(THREADS_VENV),thread)
