# `make help` lists the targets. Everything runs in virtual environments of its own; PYTHON picks the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
DEMO := .venv-demo
PEERS := .venv-bench
BIN := $(VENV)/bin
# One more than the cores of a small machine: a sixth of the time is spent in waiting.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest

# One thread per process: the tests already use every core, and one thread keeps figures repeatable.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check format docs ci slow figures wheel bench peers servers registry pictures watchers constraints clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(DEMO)/.stamp ## attack, judge and fix a bank's fraud model, offline, in an environment of its own
	$(DEMO)/bin/temper demo fraud

test: $(VENV)/.stamp ## every test that is not slow, and the doctests; those of the architecture belong to `make check`
	@PYTHON=$(PYTHON) bash scripts/debian_packages.sh
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not slow and not campaign" --ignore tests/architecture

check: $(VENV)/.stamp ## format, lint, types, architecture, generated documents up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) tests/architecture
	$(BIN)/python scripts/reference.py --check

format: $(VENV)/.stamp ## rewrite the source the way `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.stamp ## write docs/reference again
	$(BIN)/python scripts/reference.py

ci: ## what the build machine runs after `make check`
	$(MAKE) test
	$(MAKE) slow
	$(MAKE) figures
	$(MAKE) wheel

slow: $(VENV)/.stamp ## kills, clusters, big data
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "slow and not campaign" || [ $$? -eq 5 ] # 5: there is no slow test

figures: $(VENV)/.stamp ## run the fraud demo and compare its figures with the expected ones
	$(BIN)/python scripts/figures.py

wheel: $(VENV)/.stamp ## build the wheel, install it in a fresh environment, use it from another directory
	$(BIN)/python scripts/wheel.py

bench: $(VENV)/.stamp $(PEERS)/.stamp ## campaigns of tests, long stories, sizes, start-up and the comparisons with peers, which live in an environment of their own
	$(PYTEST) -n $(WORKERS) -m campaign
	$(PEERS)/bin/python -m bench

peers: .venv-garak/.stamp .venv-pyrit/.stamp ## garak and PyRIT, 7 GB in environments of their own, for bench.injection.runner
	@echo 'BENCH_GARAK=$$PWD/.venv-garak/bin/python BENCH_PYRIT=$$PWD/.venv-pyrit/bin/python $(PEERS)/bin/python -m bench.injection.runner'

servers: .venv-bentoml/.stamp .venv-mlserver/.stamp .venv-locust/.stamp ## BentoML, MLServer and Locust, 0.6 GB in environments of their own, for bench.guard.frameworks and bench.load.generator
	@echo '$(PEERS)/bin/python -m bench guard.frameworks load.generator'

watchers: .venv-evidently/.stamp .venv-nannyml/.stamp .venv-alibi/.stamp .venv-fairlearn/.stamp ## Evidently, NannyML, alibi-detect and fairlearn, 5 GB in environments of their own, for bench.monitoring.drift and labels
	@echo 'BENCH_EVIDENTLY=$$PWD/.venv-evidently/bin/python BENCH_NANNYML=$$PWD/.venv-nannyml/bin/python BENCH_ALIBI=$$PWD/.venv-alibi/bin/python $(PEERS)/bin/python -m bench.monitoring.drift'
	@echo 'BENCH_NANNYML=$$PWD/.venv-nannyml/bin/python BENCH_FAIRLEARN=$$PWD/.venv-fairlearn/bin/python $(PEERS)/bin/python -m bench.monitoring.labels'

registry: .venv-mlflow/.stamp ## MLflow, 0.7 GB in an environment of its own, for bench.governance.registry
	@echo 'BENCH_MLFLOW=$$PWD/.venv-mlflow/bin/python $(PEERS)/bin/python -m bench.governance.registry'

pictures: .venv-pictures/.stamp ## imagecorruptions in an environment of its own, for bench.stress.images
	@echo 'BENCH_IMAGECORRUPTIONS=$$PWD/.venv-pictures/bin/python $(PEERS)/bin/python -m bench.stress.images'

# pip's resolver does not come to an end on garak; uv's does. A bare torch would pull gigabytes more.
.venv-garak/.stamp: FIRST := torch==2.13.0
.venv-garak/.stamp: PEER := garak==0.17.1
.venv-pyrit/.stamp: PEER := pyrit==1.1.0
.venv-bentoml/.stamp: PEER := bentoml==1.4.40 lightgbm==4.7.0 uvloop==0.23.0 httptools==0.9.0
.venv-pictures/.stamp: PEER := imagecorruptions==1.1.2 numpy==1.26.4 scikit-image==0.20.0 scipy==1.13.1 setuptools==65.5.0
.venv-mlserver/.stamp: PEER := mlserver==1.7.1 mlserver-lightgbm==1.7.1 lightgbm==4.7.0
.venv-locust/.stamp: PEER := locust==2.47.0
.venv-evidently/.stamp: PEER := evidently==0.7.23 pandas==2.3.3
.venv-nannyml/.stamp: PEER := nannyml==0.13.1 statsmodels pandas==2.3.3 setuptools
.venv-alibi/.stamp: PEER := alibi-detect==0.13.0
.venv-fairlearn/.stamp: PEER := fairlearn==0.15.0
.venv-mlflow/.stamp: PEER := mlflow==3.17.2
.venv-garak/.stamp .venv-pyrit/.stamp .venv-bentoml/.stamp .venv-mlserver/.stamp .venv-locust/.stamp .venv-pictures/.stamp \
.venv-evidently/.stamp .venv-nannyml/.stamp .venv-alibi/.stamp .venv-fairlearn/.stamp .venv-mlflow/.stamp:
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet uv
	$(if $(FIRST),VIRTUAL_ENV=$(@D) $(@D)/bin/uv pip install --quiet $(FIRST))
	VIRTUAL_ENV=$(@D) $(@D)/bin/uv pip install --quiet $(PEER)
	touch $@

constraints: ## resolve every dependency again and pin what came out
	$(PYTHON) scripts/constraints.py

clean: ## remove environments, caches and builds
	rm -rf $(VENV) $(DEMO) $(PEERS) .venv-garak .venv-pyrit .venv-bentoml .venv-mlserver .venv-locust .venv-pictures .venv-evidently .venv-nannyml .venv-alibi .venv-fairlearn .venv-mlflow build dist demo src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src -name '*.nb[ic]' -delete

# The extras decide what an environment holds. A changed pin builds it again from nothing, so nothing old stays behind.
$(VENV)/.stamp: EXTRAS := dev
$(DEMO)/.stamp: EXTRAS := xgboost,explain,labels
$(PEERS)/.stamp: EXTRAS := dev,bench
$(PEERS)/.stamp: ALONE := torchattacks==3.5.1 modelscan==0.8.8
$(VENV)/.stamp $(DEMO)/.stamp $(PEERS)/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Temper needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --constraint constraints.txt setuptools
	$(@D)/bin/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable ".[$(EXTRAS)]"
	$(if $(ALONE),$(@D)/bin/python -m pip install --quiet --no-deps $(ALONE))
	touch $@
