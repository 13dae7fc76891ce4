# FCN on Caffe, alive again. `make` lists the targets; everything is installed into .venv, nothing outside this folder.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/installed

# Where the paper's data and weights are; see `make voc-fcn8s`.
export VGG16_CAFFEMODEL

VARIANTS := $(filter-out demo-classifier,$(basename $(notdir $(wildcard solvers/*.prototxt))))
TASKS    := $(notdir $(patsubst %/task.json,%,$(wildcard tasks/*/task.json)))

# A process for each core that this one may use; whoever is done takes tests from the end of another's list.
WORKERS  := -q -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all fast coverage faults test-oldest check docs site nets parity parity-record analyses bench gpu clean $(VARIANTS) $(TASKS)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-zA-Z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  make VARIANT          Train a variant and the stages before it: $(VARIANTS)" | fold -s -w 110
	@echo "  make TASK             The same for a task of your own (tools/new_task.py): $(TASKS)"

install: $(STAMP) ## Make .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1' setuptools
	$(PY) -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@

# What is trained is kept in this folder, whatever lies above it.
demo analyses $(VARIANTS) $(TASKS): export FCN_CAFFE_ROOT := $(CURDIR)

demo: $(STAMP) ## Run the whole job on an embedded data set: classifier, surgery, 32s, 16s, 8s, scores, pictures
	$(PY) tools/demo.py

test: $(STAMP) ## Run the tests, a process for each core (ARGS='-k softmax')
	$(PY) -m pytest $(WORKERS) -m "not slow" $(ARGS)

test-all: test ## Run the tests, and then those that take long, too
	$(PY) -m pytest $(WORKERS) -m slow $(ARGS)

fast: $(STAMP) ## Run what tells most in a minute: every layer's numbers, formats, data layers, surgery
	$(PY) -m pytest $(WORKERS) -m "not slow and not thorough" $(ARGS)

coverage: $(STAMP) ## Run the fast tests, and list in out/coverage.txt which lines they do not reach
	@mkdir -p out
	$(PY) -m pytest $(WORKERS) -m "not slow and not thorough" --cov --cov-report= $(ARGS)
	$(PY) -m coverage report --show-missing --skip-covered > out/coverage.txt
	@tail -n 1 out/coverage.txt

faults: $(STAMP) ## Read 10,000 damaged files and kill 20 trainings, with a fresh seed (Linux; ARGS='--inputs 500 --only hdf5-data')
	$(PY) -m tests.faults $(ARGS)

test-oldest: ## Run the tests with the oldest packages that are supported, in .venv-oldest (Python 3.10 or 3.11; ARGS=tests/formats)
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --upgrade 'pip>=25.1' setuptools
	$(VENV)-oldest/bin/python -m pip install --quiet --constraint constraints-oldest.txt --editable . --group test
	$(VENV)-oldest/bin/python -m pytest $(WORKERS) $(ARGS)

check: $(STAMP) ## Lint, types, and whether the generated files are up to date (writes nothing)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(PY) -m caffe.proto.generate --check
	$(PY) -m net_spec --check
	$(PY) -m docs.generate --check

docs: $(STAMP) ## Write docs/layers.md, fork-layers.md, cli.md, environment.md and api.md from the sources
	$(PY) -m docs.generate

site: $(STAMP) ## Make the site of README.md and docs/ in out/site/html, and check its links; no network, once mkdocs is installed
	@$(PY) -c 'import material' 2> /dev/null || $(PY) -m pip install --quiet --constraint constraints.txt --group site
	$(PY) -m docs.site

nets: $(STAMP) ## Write nets/ and solvers/ from net_spec/
	$(PY) -m net_spec

parity: $(STAMP) ## Compare with BVLC Caffe itself (Linux, as root: makes a Debian 11 in .bvlc)
	$(PY) -m pytest -q tests/parity

parity-record: $(STAMP) ## Record BVLC Caffe's numbers again for the cases that changed
	$(PY) -m tests.parity.record
	$(PY) -m tests.parity.solver

analyses: $(STAMP) ## Run the papers' analyses on the nets of `make demo` and, if they are there, the labels in data/voc-labels
	$(PY) -m analyses backbones
	$(PY) -m analyses shift_and_stitch
	if [ -d data/voc-labels ]; then $(PY) -m analyses background && $(PY) -m analyses upper_bound; fi
	$(PY) -m analyses patch_sampling
	$(PY) -m analyses momentum
	$(PY) -m analyses masking demo-fcn32s --train
	$(PY) -m analyses skips
	$(PY) -m analyses loss_map demo-fcn32s demo-fcn16s demo-fcn8s

bench: $(STAMP) ## Measure beside ONNX Runtime, OpenVINO, OpenCV, PyTorch and BVLC Caffe (Linux; an hour; ARGS=--quick)
	$(PY) -m benchmarks.run $(ARGS)

gpu: $(STAMP) ## Test and measure on a GPU, in eight minutes (DEVICE=cpu: the same in small, without one)
	PYTHON=$(PY) bash benchmarks/gpu.sh $(or $(DEVICE),cuda)

$(VARIANTS) $(TASKS): $(STAMP)
	$(PY) tools/solve.py $@ --chain --resume $(if $(VOC_DIR),--voc-dir "$(VOC_DIR)") $(if $(SBD_DIR),--sbd-dir "$(SBD_DIR)") $(if $(CLASSES),--classes $(CLASSES)) $(if $(NAME),--name $(NAME)) $(ARGS)

clean: ## Remove what runs have written (not data/ and snapshot/)
	rm -rf out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
