#!/bin/sh
# Everything about web/, the browser SDK and the pages. Node is needed to build them, never to run the project.
#
#   scripts/web.sh install            put web/node_modules in place, as the lock says
#   scripts/web.sh build [ENTRY...]   generate, build what the coordinator serves (sdk, dashboard, demo, apprtc)
#   scripts/web.sh format             format the sources and repair what the linter can
#   scripts/web.sh stamps             are generated constants and built files those of these sources? (no node needed)
#   scripts/web.sh check              lint, types, and whether generated and built files are what would be made now
#   scripts/web.sh test [WORD...]     the unit tests, or those whose path has one of the words
#   scripts/web.sh sum ENTRY          the sum of an entry's sources and of what was built of them
set -eu
cd "$(dirname "$0")/.."

entries="sdk dashboard demo apprtc"
generated=web/sdk/src/gen/broker.ts

fail() {
    echo "web: $*" >&2
    exit 1
}

sums() { LC_ALL=C sort | while read -r file; do cksum "$file"; done | cksum | tr ' ' -; }

# What the built files depend on: the entry's own sources, and what all entries share.
sources() {
    echo web/package-lock.json
    echo web/build.mjs
    echo web/tsconfig.json
    [ "$1" != sdk ] || echo protocol/broker.proto
    find "web/$1/src" -type f
    find "web/$1" -maxdepth 1 -type f \( -name '*.html' -o -name '*.css' \)
    [ ! -d "web/$1/static" ] || find "web/$1/static" -type f
}

sum() {
    echo "sources $(sources "$1" | sums)"
    echo "built $(find "coordinator/static/$1" -type f | sums)"
}

is_fresh() { [ -f "web/$1/built.stamp" ] && [ "$(sum "$1")" = "$(cat "web/$1/built.stamp")" ]; }

stamps() {
    .venv/bin/python scripts/web_constants.py --check
    stale=
    for entry in $entries; do
        is_fresh "$entry" || stale="$stale coordinator/static/$entry"
    done
    [ -z "$stale" ] || fail "stale, run \`make web\`:$stale"
}

# A sum decides whether node_modules is what the lock says: asking npm would take seconds.
install() {
    command -v npm >/dev/null || fail "npm is needed (Debian: apt-get install npm)"
    stamp=web/node_modules/.stamp-$(cksum <web/package-lock.json | tr ' ' -)
    [ -e "$stamp" ] && return
    echo "web: npm ci"
    (cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    touch "$stamp"
}

generate() { # generate DIRECTORY
    mkdir -p "$1"
    .venv/bin/python -m grpc_tools.protoc --proto_path=protocol \
        --plugin=protoc-gen-ts_proto=web/node_modules/.bin/protoc-gen-ts_proto --ts_proto_out="$1" \
        --ts_proto_opt=env=browser,forceLong=number,enumsAsLiterals=true,unrecognizedEnum=false,snakeToCamel=true \
        --ts_proto_opt=outputJsonMethods=false,outputPartialMethods=false,annotateFilesWithVersion=false broker.proto
}

# Everything that the outcome of a check depends on.
all_of_it() {
    find web -type f ! -path 'web/node_modules/*' ! -path 'web/build/*' ! -path 'web/dist/*'
    for entry in $entries; do [ ! -d "coordinator/static/$entry" ] || find "coordinator/static/$entry" -type f; done
    echo protocol/broker.proto
    echo scripts/web.sh
}

check() {
    stamps
    install
    checked=web/node_modules/.checked-$(all_of_it | sums)
    [ ! -e "$checked" ] || return 0
    fresh=web/build/check
    rm -rf "$fresh"
    generate "$fresh/gen"
    cmp -s "$fresh/gen/broker.ts" "$generated" || fail "$generated is stale, run \`make web\`"
    (cd web && npm run --silent check)
    (cd web && node build.mjs --into build/check)
    for entry in $entries; do
        diff -r "$fresh/$entry" "coordinator/static/$entry" >/dev/null ||
            fail "coordinator/static/$entry is not what its sources make here, run \`make web\`"
    done
    rm -f web/node_modules/.checked-*
    touch "$checked"
}

command=${1:-}
[ $# = 0 ] || shift
case $command in
install) install ;;
build)
    install
    generate web/sdk/src/gen
    .venv/bin/python scripts/web_constants.py
    (cd web && node build.mjs "$@")
    ;;
format)
    install
    (cd web && npm run --silent format)
    ;;
stamps) stamps ;;
check) check ;;
test)
    install
    (cd web && node test.mjs "$@")
    ;;
sum) sum "$1" ;;
*) fail "usage: scripts/web.sh install|build|format|stamps|check|test|sum" ;;
esac
