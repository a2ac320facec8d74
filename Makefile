# Every target works as the first command in a fresh clone: with git, make and
# Python 3.11 or newer it makes a virtual environment in .venv when it needs one.
# PYTHON=/path/to/python3 chooses the interpreter, ARGS="..." is passed on.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# A user-wide `user = true` in pip's settings would make it refuse a virtual environment.
export PIP_USER := no

# $(call set_up,NAME,REQUIREMENT): an environment in .venv in which REQUIREMENT is
# installed.  The stamp .venv/NAME holds the directory it was made for, because the
# scripts of a virtual environment do not survive a move.
define set_up
@set -e; \
fresh() { \
    [ -f ".venv/$$1" ] && [ "$$(cat ".venv/$$1")" = "$$(pwd)" ] \
        && [ -z "$$(find pyproject.toml -newer ".venv/$$1")" ] \
        && $(BIN)/python -c '' 2>/dev/null; \
}; \
suits() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
if fresh $(1) || fresh gitbench-dev; then exit 0; fi; \
if ! suits $(BIN)/python || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
    chosen=; bare=; seen=; \
    for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
        "$$python" -c '' 2>/dev/null || continue; \
        seen="$$seen $$python ($$("$$python" -c 'import platform; print(platform.python_version())' 2>/dev/null))"; \
        suits "$$python" || continue; \
        if "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
            chosen=$$python; break; \
        fi; \
        bare="$${bare:-$$python}"; \
    done; \
    if [ -z "$$chosen" ] && [ -n "$$bare" ]; then \
        echo "$$bare cannot make virtual environments, because its module venv or" >&2; \
        echo "ensurepip is missing.  Install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
        exit 1; \
    elif [ -z "$$chosen" ]; then \
        echo "gitbench needs Python 3.11 or newer; found:$${seen:- none}." >&2; \
        echo "Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
        exit 1; \
    fi; \
    echo "Making a virtual environment in .venv with $$chosen ..."; \
    "$$chosen" -m venv --clear .venv; \
fi; \
echo "Installing $(2) and what it needs into .venv (a minute or two, once) ..."; \
if [ -t 1 ]; then \
    ( while sleep 2 && kill -0 $$$$ 2>/dev/null; do printf .; done ) & dots=$$!; \
fi; \
code=0; $(BIN)/python -m pip install --quiet --editable "$(2)" || code=$$?; \
if [ -n "$${dots:-}" ]; then kill $$dots 2>/dev/null || :; echo; fi; \
if [ $$code -ne 0 ]; then \
    echo "The installation failed; it needs a network or a proxy to reach PyPI." >&2; \
    exit $$code; \
fi; \
pwd > ".venv/$(1)"
endef

.PHONY: help
help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile \
	    | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## Make or renew the virtual environment for development.
	$(call set_up,gitbench-dev,.[dev])

.PHONY: setup-demo
setup-demo:
	$(call set_up,gitbench,.)

.PHONY: demo
demo: setup-demo ## Try gitbench on a small project that is made for you.
	@$(BIN)/gitbench demo $(ARGS)

.PHONY: test
test: setup ## Run all tests.
	$(BIN)/python -m pytest -n auto $(ARGS)

.PHONY: lint
lint: setup ## Check style, form and types.
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

.PHONY: bench
bench: setup ## Measure gitbench against its budgets and its peers.
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-smoke
bench-smoke: setup ## Run every benchmark once on small data, to see that it runs.
	$(BIN)/python -m benchmarks --smoke $(ARGS)
	$(BIN)/python -m benchmarks.changepoints --smoke

.PHONY: formats
formats: setup ## Run nine real tools and check what is stored of their numbers.
	$(BIN)/python -m tests.real_tools $(ARGS)

.PHONY: calibrate
calibrate: setup ## Count how often the gate is wrong, on results of unchanged code.
	$(BIN)/python -m benchmarks.calibration $(ARGS)

.PHONY: docs
docs: setup ## Write the generated pages of the reference anew.
	$(BIN)/python -m tests.docs_runner --update

.PHONY: wheel
wheel: setup ## Build the wheel and the sdist into dist/.
	$(BIN)/python -m hatchling build -d dist -t sdist -t wheel

.PHONY: clean
clean: ## Delete all that make and the tools have made.
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .mypy_cache \
	    .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
