#!/bin/sh
# Everything that can be said of the code without running it. All checks run; it fails when one has.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

check() { # check NAME COMMAND ARGUMENT...
    name=$1
    shift
    echo "check: $name"
    "$@" || failed="$failed $name"
}

check lint $bin/ruff check --quiet .
check format $bin/ruff format --quiet --check .
check types $bin/mypy --no-error-summary .
check generated-code $bin/python scripts/proto.py --check
check generated-docs $bin/python scripts/configuration.py --check
check web-sums scripts/web.sh stamps
if ! command -v npm >/dev/null || ! scripts/web.sh install; then
    echo "check: without npm and its packages the web sources were not looked at, beyond their sums"
    [ "${CI:-}" != true ] || failed="$failed web"
else
    check web scripts/web.sh check
fi
check import-directions $bin/python -m pytest --quiet --no-header tests/unit/test_imports.py

[ -z "$failed" ] || {
    echo "check: failed:$failed" >&2
    exit 1
}
echo "check: all well"
