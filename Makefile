.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
SKLEARN_VERSIONS ?= 1.6 1.7 1.8 1.9
PYTEST_FLAGS ?=

PY := $(VENV)/bin/python

# Two pytest workers with two BLAS threads each would compete for two cores, and
# sums that depend on the number of threads are not the same on every machine.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------- environments
# One stamp for each set of installed things; all are made again when
# pyproject.toml changes.

# pip 25.1 is the first that knows dependency groups.
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
endef

$(VENV)/.stamp-base: pyproject.toml
	$(call make_venv,$(VENV))
	$(PY) -m pip install --quiet --editable .
	@touch $@

$(VENV)/.stamp-plot: $(VENV)/.stamp-base
	$(PY) -m pip install --quiet --editable ".[plot]"
	@touch $@

$(VENV)/.stamp-dask: $(VENV)/.stamp-base
	$(PY) -m pip install --quiet --editable ".[plot,dask]"
	@touch $@

$(VENV)/.stamp-test $(VENV)/.stamp-docs $(VENV)/.stamp-bench: $(VENV)/.stamp-%: $(VENV)/.stamp-base
	$(PY) -m pip install --quiet --group $*
	@touch $@

$(VENV)/.stamp-check: $(VENV)/.stamp-base
	$(PY) -m pip install --quiet --group lint --group typing
	@touch $@

.venv-peers/.stamp .venv-smac/.stamp .venv-hebo/.stamp .venv-evolution/.stamp .venv-fidelity/.stamp .venv-automl/.stamp: .venv-%/.stamp: pyproject.toml
	$(call make_venv,.venv-$*)
	.venv-$*/bin/python -m pip install --quiet --editable . --group bench-$*
	@if [ $* = hebo ]; then .venv-hebo/bin/python -m pip install --quiet --no-deps HEBO==0.3.6; fi
	@touch $@

.venv-migration/.stamp: pyproject.toml
	$(call make_venv,.venv-migration)
	.venv-migration/bin/python -m pip install --quiet --editable . --group migration
	@touch $@

.venv-sk%/.stamp: pyproject.toml
	$(call make_venv,.venv-sk$*)
	.venv-sk$*/bin/python -m pip install --quiet --editable . --group test "scikit-learn==$*.*"
	@touch $@

.venv-frameworks/.stamp: pyproject.toml
	$(call make_venv,.venv-frameworks)
	.venv-frameworks/bin/python -m pip install --quiet --editable . --group frameworks
	@touch $@

# -------------------------------------------------------------------- use it

.PHONY: demo
demo: $(VENV)/.stamp-plot  ## Tune a pipeline on real data and plot the convergence
	$(PY) examples/demo.py

.PHONY: demo-dask
demo-dask: $(VENV)/.stamp-dask  ## Run the quick start on a dask cluster of two workers
	$(PY) examples/plot_35_dask.py

.PHONY: examples
examples: $(VENV)/.stamp-plot $(VENV)/.stamp-test  ## Run every example but those of test-frameworks
	@set -e; for example in $$(grep -LE '^(import|from) (imblearn|keras|polars|skorch)' \
		examples/plot_*.py); do \
		echo "== $$example"; MPLBACKEND=agg $(PY) $$example; done

# --------------------------------------------------------------------- tests

.PHONY: test
test: $(VENV)/.stamp-test  ## Run the tests, the examples and the code of the documents
	$(PY) -m pytest -m "not statistical and not slow and not faults and not frameworks" $(PYTEST_FLAGS)

.PHONY: statistical slow
statistical: $(VENV)/.stamp-test  ## Run the tests of how well the optimizers search
	$(PY) -m pytest -m statistical --timeout 900 $(PYTEST_FLAGS)
slow: $(VENV)/.stamp-test  ## Run the long tests: real estimators, memory and speed ceilings
	$(PY) -m pytest -n 0 -m slow --timeout 900 $(PYTEST_FLAGS)

# Keras reads its backend when it is imported; workers have it from this environment.
.PHONY: test-frameworks
test-frameworks: .venv-frameworks/.stamp  ## Run the tests and examples of PyTorch, Keras, polars and others
	KERAS_BACKEND=torch .venv-frameworks/bin/python -m pytest -m frameworks --timeout 600 $(PYTEST_FLAGS)

.PHONY: faults
faults: $(VENV)/.stamp-test  ## Run the tests of workers that die, hang or are interrupted
	$(PY) -m pip install --quiet --editable ".[dask,ray]"
	$(PY) -m pytest -n 0 -m faults --timeout 300 $(PYTEST_FLAGS)

.PHONY: test-versions
test-versions: $(SKLEARN_VERSIONS:%=.venv-sk%/.stamp)  ## Run the tests on scikit-learn 1.6, 1.7, 1.8 and 1.9
	@set -e; for version in $(SKLEARN_VERSIONS); do \
		echo "== scikit-learn $$version"; \
		.venv-sk$$version/bin/python -m pytest $(PYTEST_FLAGS); done

.PHONY: test-migration
test-migration: .venv-migration/.stamp  ## Run the code before and after a migration, peers included
	.venv-migration/bin/python -m pytest -n 0 -m documents -k migration -W ignore::Warning \
		tests/test_documents.py $(PYTEST_FLAGS)
	.venv-migration/bin/python -m pytest -n 0 tests/space/test_libraries.py \
		tests/search/test_other_libraries.py $(PYTEST_FLAGS)

# -------------------------------------------------------------------- checks

.PHONY: check
check: $(VENV)/.stamp-check  ## Check format, lint, types, layers, spelling and language
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy --strict
	$(VENV)/bin/lint-imports
	$(PY) -m codespell_lib
	$(PY) tools/docstrings.py --check
	$(PY) tools/prose.py

.PHONY: docstrings
docstrings: $(VENV)/.stamp-base  ## Copy the shared parameters to the docstrings of the searches
	$(PY) tools/docstrings.py

.PHONY: format
format: $(VENV)/.stamp-check  ## Format the code and mend what can be mended
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format

# ------------------------------------------------------- documentation, speed

.PHONY: docs
docs: $(VENV)/.stamp-docs  ## Build the documentation, warnings are errors
	$(PY) -m sphinx -W --keep-going -b html docs docs/_build/html

.PHONY: bench-overhead
bench-overhead: $(VENV)/.stamp-bench  ## Measure what a search costs beside its fits, peers included
	$(PY) benchmarks/overhead.py --json benchmarks/overhead.json

.PHONY: bench-journal
bench-journal: $(VENV)/.stamp-test  ## Measure what a journal costs, and what it saves of killed searches
	$(PY) benchmarks/journal.py --json benchmarks/journal.json

.PHONY: bench-parallel
bench-parallel: $(VENV)/.stamp-bench  ## Measure busy workers, wall time, memory and bytes, peers included
	$(PY) benchmarks/parallel.py --json benchmarks/parallel.json

OF_WINDOWS := "lepton-bayes, window of 7" "lepton-bayes, batches of 7" "lepton-bayes, batches of 2" \
	"lepton-bayes, window of 11" "lepton-bayes, batches of 11" "lepton-bayes, batches of 3"
.PHONY: bench-window
bench-window: $(VENV)/.stamp-bench  ## Measure how busy workers are by trials in flight, and their regret
	$(PY) $(REGRET) run pool $(OF_WINDOWS) --problems "development made" --seeds 7
	$(PY) benchmarks/window.py --json benchmarks/window.json

# Peers whose proposals cost a second or so get fewer seeds. What has been run is not run again.
REGRET := benchmarks/regret.py
HEBO_PROBLEMS := tree, wine, log_loss;support vectors, digits, accuracy;gradient, breast, accuracy
HEBO_PROBLEMS := $(HEBO_PROBLEMS);pipeline, digits, accuracy;rosenbrock 4;mixed 7, noisy
.PHONY: bench-regret
bench-regret: .venv-peers/.stamp .venv-smac/.stamp .venv-hebo/.stamp  ## Compare the best after n trials with all peers (hours)
	.venv-peers/bin/python $(REGRET) run pool lepton-bayes lepton-swarm lepton-genetic optuna-tpe
	.venv-peers/bin/python $(REGRET) run lepton-bayes+defaults "lepton-bayes, batches of 4" \
		optuna-gp optuna-cmaes hyperopt-tpe --problems held-out
	.venv-peers/bin/python $(REGRET) run skopt-gp --problems held-out --seeds 1
	.venv-smac/bin/python $(REGRET) run smac --problems held-out --seeds 3
	.venv-hebo/bin/python $(REGRET) run hebo --problems "$(HEBO_PROBLEMS)" --seeds 1
	$(MAKE) report-regret

.PHONY: bench-smooth
bench-smooth: .venv-peers/.stamp  ## Compare how near the optimum of smooth functions searches come
	.venv-peers/bin/python benchmarks/smooth.py run lepton-bayes optuna-gp
	.venv-peers/bin/python benchmarks/smooth.py report --json benchmarks/smooth.json

.PHONY: bench-objectives
bench-objectives: .venv-peers/.stamp  ## Compare the hypervolume of several objectives with Optuna's samplers
	.venv-peers/bin/python benchmarks/objectives.py run lepton-bayes lepton-genetic lepton-swarm lepton-single \
		optuna-nsga2 optuna-tpe optuna-gp
	.venv-peers/bin/python benchmarks/objectives.py report --json benchmarks/objectives.json

# Peers are told how many trials they have: 500 are other runs than 64. Ours are not told. Fits of
# live problems take hours, and get fewer seeds.
EVOLUTION := nevergrad-pso nevergrad-real-pso pyswarms nature-inspired-pso gasearchcv pymoo-mixed \
	optuna-nsga2 deap scipy-de
OURS_500 := lepton-swarm lepton-genetic "lepton-swarm, no surrogate" "lepton-genetic, no surrogate"
OF_16 := "lepton-swarm, batches of 16" "lepton-genetic, batches of 16"
RUN_EVOLUTION := .venv-evolution/bin/python $(REGRET) run
.PHONY: bench-evolution report-evolution
bench-evolution: .venv-evolution/.stamp  ## Compare swarms and genetic algorithms with their peers (hours)
	$(RUN_EVOLUTION) pool $(EVOLUTION) --problems held-out
	$(RUN_EVOLUTION) $(EVOLUTION) $(OURS_500) --problems "held-out made" --trials 500
	$(RUN_EVOLUTION) $(OURS_500) lepton-bayes --problems "held-out live"
	$(RUN_EVOLUTION) $(EVOLUTION) $(OURS_500) --problems "held-out live" --trials 500 --seeds 1
	$(RUN_EVOLUTION) $(OF_16) --problems "held-out made" --trials 200
	$(RUN_EVOLUTION) $(OF_16) --problems "held-out live" --trials 200 --seeds 1
	$(RUN_EVOLUTION) lepton-bayes --problems "held-out made" --trials 200 --seeds 5
	$(MAKE) report-evolution

report-evolution: .venv-evolution/.stamp  ## Print and plot what bench-evolution has measured
	for ours in lepton-genetic lepton-swarm; do .venv-evolution/bin/python $(REGRET) report \
		--budgets 32 64 200 500 --ours $$ours --contestants lepton-bayes $(EVOLUTION) $(OURS_500) \
		$(OF_16) --json benchmarks/evolution.json --plot docs/_static/evolution.png; done

.PHONY: bench-bbob
bench-bbob: .venv-evolution/.stamp  ## Compare on multimodal functions with CMA-ES and differential evolution
	.venv-evolution/bin/python benchmarks/bbob.py run cmaes scipy-de "scipy-de, 20 members" random \
		$(OURS_500) --instances 15 --jobs 2
	.venv-evolution/bin/python benchmarks/bbob.py report --json benchmarks/bbob.json

.PHONY: bench-ablation
bench-ablation: .venv-peers/.stamp  ## Measure what each ingredient of BayesOptimizer is worth
	.venv-peers/bin/python $(REGRET) run pool lepton-bayes ablations --problems quick --seeds 3
	.venv-peers/bin/python $(REGRET) run lepton-bayes "lepton-bayes, no forest" --problems held-out
	$(MAKE) report-regret

.PHONY: bench-proposals bench-calibration
bench-proposals: .venv-peers/.stamp  ## Measure the CPU and memory of a proposal, peers included
	.venv-peers/bin/python benchmarks/proposals.py --json benchmarks/proposals.json
bench-calibration: .venv-peers/.stamp  ## Count the scores inside the bands of BayesOptimizer.predict
	.venv-peers/bin/python benchmarks/calibration.py --json benchmarks/calibration.json

.PHONY: bench-automl
bench-automl: .venv-automl/.stamp  ## Compare the choice of models with FLAML's, 60 s each, 30 s for large tables (an hour)
	.venv-automl/bin/python benchmarks/automl.py run
	.venv-automl/bin/python benchmarks/automl.py report
	.venv-automl/bin/python benchmarks/automl.py run --tasks large --seconds 30 --jobs 1
	.venv-automl/bin/python benchmarks/automl.py report --tasks large --seconds 30

.PHONY: bench-stream
bench-stream: $(VENV)/.stamp-bench  ## Keep a search up with streams, beside tuning once and tuning anew
	$(PY) benchmarks/stream.py --json benchmarks/stream.json

.PHONY: bench-steps
bench-steps: $(VENV)/.stamp-test  ## Measure what keeping the first steps of a pipeline saves and costs
	$(PY) benchmarks/steps.py --json benchmarks/steps.json

.PHONY: bench-transfer
bench-transfer: $(VENV)/.stamp-bench  ## Count the evaluations that older studies save, or cost if misleading
	$(PY) benchmarks/transfer.py --json benchmarks/transfer.json

.PHONY: bench-racing
bench-racing: $(VENV)/.stamp-bench  ## Count the fits that racing saves, and how often the winner is another
	$(PY) benchmarks/racing.py --json benchmarks/racing.json

.PHONY: bench-fidelity
bench-fidelity: .venv-fidelity/.stamp  ## Compare fit seconds to a score: racing, a resource, and peers
	.venv-fidelity/bin/python benchmarks/fidelity.py --json benchmarks/fidelity.json

.PHONY: bench-choice
bench-choice: $(VENV)/.stamp-bench  ## Score what refit="1se" and final_cv choose on data never seen
	$(PY) benchmarks/choice.py --json benchmarks/choice.json

.PHONY: bench-ensemble
bench-ensemble: .venv-automl/.stamp  ## Score ensembles and thresholds on data never seen (goes on where it was)
	.venv-automl/bin/python benchmarks/ensemble.py run
	.venv-automl/bin/python benchmarks/ensemble.py report

.PHONY: bench-spaces
bench-spaces: $(VENV)/.stamp-bench  ## Compare built-in spaces with those of peers (hours; goes on where it was)
	$(PY) benchmarks/spaces.py run
	$(PY) benchmarks/spaces.py report
.PHONY: bench-fit-times
bench-fit-times: $(VENV)/.stamp-test  ## Time random settings of each built-in space (goes on where it was)
	$(PY) benchmarks/fit_times.py run
	$(PY) benchmarks/fit_times.py report --json benchmarks/fit_times.json

.PHONY: bench-false-alarms
bench-false-alarms: $(VENV)/.stamp-base  ## Count how often tuning seems to help where it cannot
	$(PY) benchmarks/false_alarms.py --json benchmarks/false_alarms.json

.PHONY: bench-cost
bench-cost: $(VENV)/.stamp-bench  ## Compare the best score at the end of the time, fit seconds priced or not
	$(PY) benchmarks/cost.py --json benchmarks/cost.json

.PHONY: bench-auto
bench-auto: .venv-peers/.stamp  ## Compare what AutoSearchCV chooses with the best in hindsight (hours)
	.venv-peers/bin/python benchmarks/auto.py run --problems made
	.venv-peers/bin/python benchmarks/auto.py report --json benchmarks/auto.json
.PHONY: bench-importance
bench-importance: $(VENV)/.stamp-bench  ## Compare importances with known ones, Optuna's beside ours
	$(PY) benchmarks/importance.py --json benchmarks/importance.json

.PHONY: bench-plots plots-figures
bench-plots: $(VENV)/.stamp-plot  ## Time each display of 500 trials and 20 parameters
	$(PY) benchmarks/plots.py --json benchmarks/plots.json
plots-figures: $(VENV)/.stamp-plot  ## Draw the pictures of the displays for the guide again
	$(PY) benchmarks/plots.py --pictures docs/_static

.PHONY: report-regret
report-regret: .venv-peers/.stamp  ## Print and plot what bench-regret has measured
	.venv-peers/bin/python $(REGRET) report --json benchmarks/regret.json --plot docs/_static/regret.png \
		--contestants lepton-bayes lepton-bayes+defaults "lepton-bayes, batches of 4" lepton-swarm \
		lepton-genetic optuna-tpe optuna-gp optuna-cmaes hyperopt-tpe skopt-gp smac hebo ablations

.PHONY: readme-figure
readme-figure: $(VENV)/.stamp-plot  ## Draw the figure of the README again
	$(PY) benchmarks/readme_figure.py

.PHONY: clean
clean:  ## Remove the environments and all that was built
	rm -rf .venv .venv-* build dist docs/_build docs/auto_examples docs/api/generated \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis demo_convergence.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
