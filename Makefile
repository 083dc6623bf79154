# `make demo` and `make test` are all that a newcomer needs; each makes the virtual environment that it runs in.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := images/demo
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: demo site test test-oldest test-newest bench lint lab notebooks notebook-study readme-pictures readme-film clean help

help:
	@echo "make demo   pictures of a run of the embedded model, in $(DEMO)/"
	@echo "make site   the notebooks, every name and every view as a static site, in $(SITE)/"
	@echo "make test   the whole test-suite (real JupyterLab in Chromium included)"
	@echo "make bench  what tracing costs on this machine: a table, $(BENCH)/benchmark.json and .png"
	@echo "make test-oldest   the whole test-suite, with the oldest versions that pyproject.toml allows"
	@echo "make test-newest   the whole test-suite, with the newest versions that the package registry has"
	@echo "make lab    JupyterLab on notebooks/"
	@echo "make lint   ruff and mypy"

# torch comes first. Without it, the packages that depend on it would install a build of their own choice.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("sdexplore needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Makes a Python environment in $(VENV)/ and installs torch into it. On Linux it may bring CUDA: some gigabytes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt torch
	@touch $@

$(VENV)/.package: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installs sdexplore with diffusers, transformers, JupyterLab and matplotlib: about a minute."
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@

$(VENV)/.site: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[site]"
	@touch $@

demo: $(VENV)/.package
	@mkdir -p $(DEMO)
	@echo "Runs the first notebook with the embedded model: about a minute."
	$(BIN)/jupyter execute --timeout=600 --output=../$(DEMO)/01_a_look_inside.ipynb notebooks/01_a_look_inside.ipynb
	@echo "The notebook with its output and its figures are in $(CURDIR)/$(DEMO):"
	@ls $(DEMO)

# The notebooks as they are committed, the README, and an entry for each public name. A warning is an error. The pages ask no
# host, so the folder can be opened as it is, or put on any server.
SITE := build/site
site: $(VENV)/.site
	$(BIN)/python notebooks/site/build.py $(SITE)
	@echo "Open $(CURDIR)/$(SITE)/index.html"

# A process a core, each with one thread: one more was no faster (750 s for 732 s on two cores); `python -m pytest tests/views` without them starts sooner.
SPREAD := --numprocesses logical --maxprocesses 8 --dist loadfile

# Bytecode is kept even where the environment says otherwise: without it each process compiles every file of the tests anew.
test: $(VENV)/.test
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(SPREAD)

# The oldest versions that pyproject.toml allows, in their own environment; ruff and mypy alone are the newest.
OLDEST := $(VENV)-oldest

$(OLDEST)/.made: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-oldest.txt torch
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-oldest.txt --editable ".[test]"
	@touch $@

test-oldest: $(OLDEST)/.made
	$(OLDEST)/bin/python -m pytest $(SPREAD)

# The newest versions, without any constraint, in an environment of their own. It is upgraded at every call, so that a release
# of last night is tested today. The versions are printed first: a failure names what it was seen with.
NEWEST := $(VENV)-newest
NEWEST_INSTALL := $(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager

test-newest:
	test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
	$(NEWEST_INSTALL) torch
	$(NEWEST_INSTALL) --editable ".[test]"
	$(NEWEST)/bin/python -m pip list --disable-pip-version-check
	$(NEWEST)/bin/python -m pytest

# Ratios within one run; a quiet machine gives narrow intervals. BENCH_OPTIONS=--quick takes a minute.
BENCH := images/benchmark
bench: $(VENV)/.package
	@mkdir -p $(BENCH)
	$(BIN)/python -m sdexplore.bench --json $(BENCH)/benchmark.json --plot $(BENCH)/benchmark.png $(BENCH_OPTIONS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: $(VENV)/.package
	$(BIN)/jupyter lab --notebook-dir=notebooks

# Runs every notebook anew and keeps its output, which GitHub shows. Progress bars are off: there they would stay at 0 %.
notebooks: $(VENV)/.test
	TQDM_DISABLE=1 $(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.timeout=600 \
		--ExecutePreprocessor.store_widget_state=False $(NOTEBOOKS)
	$(BIN)/python .ci/without_bars.py $(NOTEBOOKS)

# Makes the 380 runs of notebook 11 anew, some ten minutes of one core, and the notebook with them.
notebook-study: $(VENV)/.test
	rm -rf notebooks/11_studies
	TQDM_DISABLE=1 $(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.timeout=7200 \
		--ExecutePreprocessor.store_widget_state=False notebooks/11_studies.ipynb

# Notebook 07 writes these pictures into its article (`make notebooks`); the article's manifest.json names their keys.
ARTICLE := images/a-small-model-from-inside
readme-pictures:
	@mkdir -p images/readme
	cp $(ARTICLE)/001.png images/readme/denoising.png
	cp $(ARTICLE)/003.png images/readme/attention.png
	cp $(ARTICLE)/005.png images/readme/tokens.png
	cp $(ARTICLE)/007.png images/readme/guidance.png

# One run in the dashboard, filmed in Chromium; on a quiet machine it runs as fast as a reader will see it.
readme-film: $(VENV)/.test
	@mkdir -p images/readme
	$(BIN)/python .ci/film_of_dashboard.py images/readme/dashboard.webp

clean:
	rm -rf $(VENV) $(OLDEST) $(NEWEST) $(DEMO) artifacts build dist
