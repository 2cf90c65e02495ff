#!/bin/sh
# Pins what pyproject.toml asks for, with hashes and for every platform and Python, in requirements/.
#   base.txt  what runs: the package with its extras        dev.txt  the same and what checks and tests it
# Arguments go on to the resolver: `scripts/lock.sh --upgrade` takes the newest releases instead of keeping the old pins.
set -eu
cd "$(dirname "$0")/.."

compile() { # compile OUTPUT ARGUMENT...
    output=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
        --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
        --output-file "$output" "$@" pyproject.toml
}

compile requirements/base.txt "$@"
compile requirements/dev.txt --group dev --constraint requirements/base.txt "$@"
