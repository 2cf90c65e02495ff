#!/bin/sh
# Installs the Debian packages that are its arguments, after naming them; exits 1 where that may not or cannot be.
# Only as root or with a sudo that asks for no password, and never with SYSTEM=no.
set -eu

[ "${SYSTEM:-}" != no ] || {
    echo "system: not installing $* (SYSTEM=no)"
    exit 1
}
command -v apt-get >/dev/null || {
    echo "system: not installing $*: no apt-get here"
    exit 1
}
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "system: not installing $*: neither root nor a sudo without password"
    exit 1
fi

# A package with a daemon would start it. Tests start their own, as they want it, and nobody asked for one that stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

echo "system: installing with apt-get: $*"
$as_root apt-get -qq update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" </dev/null >/dev/null
