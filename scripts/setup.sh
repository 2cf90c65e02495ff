#!/bin/sh
# Makes .venv exactly as requirements/dev.txt pins it, with this project installed in place; does nothing when it is so already.
#   PYTHON=python3.12   which interpreter (3.11 or newer; default: the one .venv has, else python3)
#   SYSTEM=no           never install a Debian package
set -eu
cd "$(dirname "$0")/.."

# Two sums a run, and no Python started: asking whether all is well must cost next to nothing.
stamp=.venv/.stamp-$( { pwd && cat requirements/dev.txt pyproject.toml; } | cksum | tr ' ' -)

say() { echo "setup: $*"; }
fail() {
    echo "setup: $*" >&2
    exit 1
}

require_python() {
    command -v "$python" >/dev/null || fail "there is no $python here: install Python 3.11 or newer, or name one: PYTHON=python3.12 make setup"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || fail "$python does not run"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python is Python $version, and 3.11 or newer is needed; name another: PYTHON=python3.12 make setup"
}

has_ensurepip() { "$python" -c 'import venv, ensurepip; ensurepip.version()' 2>/dev/null; }

# Debian splits ensurepip, without which there is no pip in a virtual environment, off into a package.
require_ensurepip() {
    has_ensurepip && return
    scripts/debian-packages.sh "python$version-venv" || true
    has_ensurepip ||
        fail "$python cannot make virtual environments (no module ensurepip): as root, run apt-get install python$version-venv" \
            "(or what brings ensurepip on this system), or name another Python: PYTHON=python3.12 make setup"
}

if [ -n "${PYTHON:-}" ]; then
    python=$PYTHON
    require_python
    [ ! -e .venv ] || grep -q "^version = $version\." .venv/pyvenv.cfg 2>/dev/null || rm -rf .venv
else
    python=python3
fi

[ -e "$stamp" ] && [ -x .venv/bin/python ] && exit 0

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    require_python
    require_ensurepip
    say "making .venv with $python ($version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

say "installing requirements/dev.txt into .venv"
rm -f .venv/.stamp-*
# Wheels only: building one would fetch build tools that no lock names.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
    --only-binary :all: --require-hashes -r requirements/dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
    --no-index --no-deps --no-build-isolation --editable .
touch "$stamp"
say "done: $(.venv/bin/python --version) in .venv"
