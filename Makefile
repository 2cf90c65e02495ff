# Every command of the project. What each needs it sets up first; `make` alone lists them.
#   PYTHON=python3.12  the interpreter for .venv      SYSTEM=no  install no Debian package
#   DURATION=20        seconds after which the demo ends
#   COORDINATORS=2     several, on a Redis that the demo starts

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format proto web docs screenshots lock bench clean

BIN := .venv/bin

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1	\2/p' Makefile

setup:  ## make .venv from the pinned locks (quick when it is there)
	@scripts/setup.sh

demo: setup  ## a cluster with bots walking in a small world, and a live table (DURATION=20 ends it, COORDINATORS=2 on Redis)
	@$(BIN)/rtcbroker demo $(if $(DURATION),--duration $(DURATION)) $(if $(COORDINATORS),--coordinators $(COORDINATORS))

test: setup  ## run all tests, measure coverage, list what could not run
	@scripts/test.sh

check: setup  ## lint, format, types, staleness of generated code, import directions
	@scripts/check.sh

format: setup  ## format the code and repair what the linter can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .
	@! command -v npm >/dev/null || scripts/web.sh format

proto: setup  ## generate protocol/pb from protocol/broker.proto
	@$(BIN)/python scripts/proto.py

web: setup  ## build the browser SDK, the dashboard and the demo world that the coordinator serves (needs Node)
	@scripts/web.sh build

docs: setup  ## write docs/configuration.md from the settings models
	@$(BIN)/python scripts/configuration.py

screenshots: setup  ## take the pictures of docs/pictures anew, from a real demo in Chromium
	@$(BIN)/python scripts/screenshots.py

lock: setup  ## pin the dependencies of pyproject.toml again (UPGRADE=yes: the newest)
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

bench: setup  ## run the benchmarks
	@$(BIN)/python -m benchmarks

clean:  ## remove .venv and everything made
	rm -rf .venv build dist web/node_modules web/build web/dist *.egg-info htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
