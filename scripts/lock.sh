#!/bin/sh
# Pins what pyproject.toml asks for, with hashes and for every platform and Python, in requirements/.
#   base.txt   what runs: the package with its extras          dev.txt    the same and what checks and tests it
#   image.txt  what runs in the container: no plots            build.txt  what builds the package there
#   deploy.txt what checks deploy/, in an environment of its own
# Arguments go on to the resolver: `scripts/lock.sh --upgrade` takes the newest releases instead of keeping the old pins.
set -eu
cd "$(dirname "$0")/.."

compile() { # compile OUTPUT ARGUMENT...
    output=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
        --output-file "$output" "$@"
}

compile requirements/base.txt --all-extras "$@" pyproject.toml
compile requirements/dev.txt --all-extras --group dev --constraint requirements/base.txt "$@" pyproject.toml
compile requirements/image.txt --extra fast --constraint requirements/base.txt "$@" pyproject.toml
compile requirements/build.txt --group build --constraint requirements/dev.txt "$@"
compile requirements/deploy.txt --group deploy "$@"
