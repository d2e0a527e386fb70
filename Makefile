# Every target sets itself up: a virtual environment in .venv, the package in it, versions from constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= demo-out
FUZZ_SECONDS ?= 60
BENCH_PROVE ?= --split confirm
BENCH_CAMPAIGNS ?= --split tune --seeds 1
# numba leaves compiled kernels behind; keep them in one place that `make clean` knows
export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba
# without bytecode the tests compile every file again in each of their many processes
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check types quick-tests calibrate test-spark test-postgres test-models bench bench-real bench-campaigns bench-screen bench-prove bench-ledger fuzz clean format

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Stillwatch needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.dev: .venv/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.venv/.spark: .venv/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,spark]'
	@touch $@

.venv/.models: .venv/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,models]'
	@touch $@

demo: .venv/.run ## simulate a provider's fortnight, scan it, say where the report is
	$(BIN)/stillwatch demo --out $(OUT)

test: .venv/.dev ## all tests
	$(BIN)/python -m pytest -m "not spark and not postgres and not many_runs" -n 2

calibrate: .venv/.dev ## error rates of the product's own tests over hundreds of simulated logs (a quarter of an hour and more)
	$(BIN)/python -m pytest -m many_runs -n 2 tests/calibration

check: .venv/.dev ## format, lint, types, layers and the quick tests, in under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -j2 types quick-tests # the type checker uses one core for twenty seconds

types: .venv/.dev
	$(BIN)/pyright

quick-tests: .venv/.dev
	$(BIN)/python -m pytest -m "not slow and not spark and not postgres and not many_runs" -n 2 --dist loadfile --hypothesis-profile=quick -q tests/unit tests/properties tests/docs

test-spark: .venv/.spark ## the contract suite on PySpark in local mode (needs Java 17)
	$(BIN)/python -m pytest -m spark

test-postgres: .venv/.dev ## the case store on a real PostgreSQL, which the tests start (needs Debian's package postgresql)
	$(BIN)/python -m pytest -m postgres tests/unit/cases

test-models: .venv/.models ## watermarks and model folders on torch and transformers (a build without an accelerator is enough)
	$(BIN)/python -m pytest tests/unit/marks/test_processors.py tests/unit/provenance/test_model_folders.py tests/unit/test_bench_prove.py

bench: .venv/.dev ## speed and memory of a whole scan against the floor, of screening and of the evidence log; results into benchmarks/RESULTS.md, SCREEN.md and LEDGER.md
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/screen.py
	$(BIN)/python benchmarks/ledger.py

bench-real: .venv/.dev ## a campaign hidden in real conversations, where the public corpora lie beside the project
	$(BIN)/python benchmarks/real_log.py

bench-campaigns: .venv/.dev ## many hidden campaigns against nine other detectors; tune split unless BENCH_CAMPAIGNS='--split report'
	PYTHONPATH=benchmarks $(BIN)/python -m campaigns $(BENCH_CAMPAIGNS)

bench-screen: .venv/.dev ## speed and error rates of screening; results into benchmarks/SCREEN.md
	$(BIN)/python benchmarks/screen.py

bench-prove: .venv/.models ## a teacher, students and innocents trained here and proved; results into benchmarks/PROVE.md (under 40 minutes on two cores)
	OMP_NUM_THREADS=1 PYTHONPATH=benchmarks $(BIN)/python -m proving $(BENCH_PROVE)

bench-ledger: .venv/.dev ## speed of the evidence log; results into benchmarks/LEDGER.md
	$(BIN)/python benchmarks/ledger.py

fuzz: .venv/.dev ## hostile case files, notes and proofs against parsers and both verifiers, for FUZZ_SECONDS
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(FUZZ_SECONDS)

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .cache demo-out bench-out build dist .pytest_cache .ruff_cache .hypothesis
