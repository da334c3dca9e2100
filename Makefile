# Everything a developer runs. A fresh machine needs only Python 3.11 or newer with venv and pip, and make.
# Each target installs what it needs into $(VENV) once; after that it starts at once.

PYTHON ?= python3
VENV ?= .venv
VERSIONS ?= 3.11 3.12 3.13 3.14 3.15
ARGS ?=
# Most tests wait for kernel processes, so several run at a time; those of one file stay together.
PARALLEL ?= -n 4 --dist loadfile

BIN := $(VENV)/bin
# The first needs little and is shown while the rest is still to be installed; the last needs Dask.
FIRST := examples/tour.ipynb
MORE := examples/async_and_sync.ipynb examples/receipt.ipynb examples/side_by_side.ipynb
LAST := examples/elsewhere.ipynb
NOTEBOOKS := $(FIRST) $(MORE) $(LAST)
BENCHMARKS := $(wildcard benchmarks/__main__.py)
# An editable install sees changed code by itself, but not changed dependencies or kernelspec files.
INSTALLED := pyproject.toml $(wildcard kernelspec/*)

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-all test-third-party test-upstream trust mutants check docs package clean
# Two installers at once would spoil the environment.
.NOTPARALLEL:

help: ## list the targets
	@echo "make TARGET [ARGS=...] [PYTHON=python3] [VENV=.venv]"
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1 /p' $(firstword $(MAKEFILE_LIST)) | while read -r target text; do \
		if [ "$$target" != bench ] || [ -n "$(BENCHMARKS)" ]; then printf '  %-16s %s\n' "$$target" "$$text"; fi; done

# Client and kernel are on this machine, so they speak over files and not over TCP, where others could listen. Their
# place is named: by default it is the working directory, and that of the kernel is another.
RUN_NOTEBOOKS = sockets=$$(mktemp -d) && trap 'rm -rf "$$sockets"' EXIT && $(BIN)/jupyter nbconvert --log-level ERROR \
	--to html --execute --ExecutePreprocessor.kernel_name=namespace_kernel \
	--KernelManager.transport=ipc --KernelManager.ip="$$sockets/kernel" $(ARGS)

demo: $(VENV)/.installed-tour ## run the example notebooks with this kernel and write them as HTML
	@echo "Running $(FIRST)"
	@$(RUN_NOTEBOOKS) $(FIRST)
	@echo "Open in a browser: $(CURDIR)/$(FIRST:.ipynb=.html)"
	@$(MAKE) --no-print-directory demo-more

.PHONY: demo-more
demo-more: $(VENV)/.installed-demo
	@echo "Running $(MORE)"
	@$(RUN_NOTEBOOKS) $(MORE)
	@$(MAKE) --no-print-directory $(VENV)/.installed-dask
	@echo "Running $(LAST)"
	@$(RUN_NOTEBOOKS) $(LAST)
	@echo "Open in a browser, too:"
	@for notebook in $(MORE:.ipynb=.html) $(LAST:.ipynb=.html); do echo "  $(CURDIR)/$$notebook"; done

lab: $(VENV)/.installed-lab ## open the examples in JupyterLab, this kernel selected
	@$(BIN)/jupyter lab --MultiKernelManager.default_kernel_name=namespace_kernel \
		$$(if [ "$$(id -u)" = 0 ]; then echo --allow-root; fi) $(ARGS) $(firstword $(NOTEBOOKS))

test: $(VENV)/.installed-test ## run the tests; ARGS goes to pytest
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-all: ## run the tests with each of VERSIONS, each in an environment of its own
	@find_python() { \
		versions="$${PYENV_ROOT:-$$HOME/.pyenv}/versions"; \
		for candidate in "python$$1" "$$versions/$$1/bin/python$$1" "$$versions"/$$1[.-]*/bin/python$$1; do \
			if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then echo "$$candidate"; return; fi; \
		done; return 1; }; \
	missing=; failed=; \
	for version in $(VERSIONS); do find_python $$version >/dev/null || missing="$$missing $$version"; done; \
	if [ -n "$$missing" ]; then \
		echo "No Python$$missing (with venv) on PATH or in pyenv." \
			"Install it, for example with: pyenv install$$missing - or name the ones you have: make test-all VERSIONS='...'" >&2; \
		exit 1; \
	fi; \
	for version in $(VERSIONS); do \
		echo "== Python $$version"; \
		$(MAKE) --no-print-directory test VENV=.venvs/$$version PYTHON="$$(find_python $$version)" \
			|| failed="$$failed $$version"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed with Python$$failed" >&2; exit 1; fi

test-third-party: $(VENV)/.installed-test ## run the tests of ipykernel, nbclient and CPython against this kernel, for some minutes
	@$(BIN)/python -m tests.third_party $(ARGS)

test-upstream: UPSTREAM := .venvs/upstream
test-upstream: ## run what depends on Jupyter's packages against their newest pre-releases
	@$(MAKE) --no-print-directory VENV=$(UPSTREAM) $(UPSTREAM)/.installed-test
	@$(UPSTREAM)/bin/python -m pip install -qq --disable-pip-version-check --upgrade --pre ipykernel ipython jupyter_client traitlets
	@$(UPSTREAM)/bin/python -m pip list 2>/dev/null | grep -iE '^(ipykernel|ipython|jupyter_client|traitlets) '
	@$(UPSTREAM)/bin/python -m pytest $(PARALLEL) tests/test_seams.py tests/kernel/test_protocol*.py tests/third_party $(ARGS)

trust: $(VENV)/.installed-test ## the long form of tests/trust, beside ipykernel, for docs/reliability.md; ARGS="--help"
	@$(BIN)/python -m tests.trust $(ARGS)

mutants: $(VENV)/.installed-test ## break the code in a hundred ways and see that the tests notice; ARGS="--list"
	@$(BIN)/python -m tests.trust.mutants $(ARGS)

check: $(VENV)/.installed-check ## lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy namespace_kernel

ifneq ($(BENCHMARKS),)
.PHONY: bench
bench: $(VENV)/.installed-bench ## measure against other kernels; ARGS goes to benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)
endif

docs: $(VENV)/.installed-docs ## build the documentation into build/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/mkdocs/mkdocs.yml $(ARGS)
	@echo "Open in a browser: $(CURDIR)/build/docs/index.html"

package: $(VENV)/.installed-package ## build the wheel and the source archive into dist, and check both
	@rm -rf dist
	@$(BIN)/python -m hatchling build
	@$(BIN)/twine check --strict dist/*
	@$(BIN)/check-wheel-contents dist/*.whl

clean: ## remove the environments and everything that was built
	rm -rf .venv .venvs build dist .mypy_cache .pytest_cache .ruff_cache tests/artifacts
	rm -f $(NOTEBOOKS:.ipynb=.html)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) --version 2>&1): Python 3.11 or newer is needed. Name one: make PYTHON=python3.11" >&2; \
		exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) could not make an environment; Debian and Ubuntu have venv in a package: apt-get install python3-venv" >&2; \
		exit 1; }
	@# uv installs in a fraction of pip's time. Without it pip does the same, if it knows dependency groups.
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv || { echo "Going on without uv"; \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'; }
	@touch $@

# A group of pyproject.toml beside the package. On a terminal the installer shows how far it is.
$(VENV)/.installed-%: $(VENV)/.created $(INSTALLED)
	@echo "Installing namespace_kernel and what '$*' needs into $(VENV)"
	@quiet=; test -t 2 || quiet=--quiet; \
	if test -x $(BIN)/uv; then \
		$(BIN)/uv pip install $$quiet --compile-bytecode --python $(BIN)/python --group $* --editable .; \
	else \
		$(BIN)/python -m pip install $$quiet --disable-pip-version-check --group $* --editable .; \
	fi
	@# Where PYTHONDONTWRITEBYTECODE is set, each kernel that starts would compile it.
	@$(BIN)/python -m compileall -q namespace_kernel
	@touch $@
