#!/bin/sh
# Writes what compose.yaml needs and no repository may hold: .env, and secrets/ with new random secrets. What is there already stays.
#
#   ./init.sh ADDRESS [SITE]
#
# ADDRESS  the IPv4 address at which clients reach this machine (its public one; 127.0.0.1 will not do: containers have one of their own)
# SITE     the name of the https site, for which Caddy gets a certificate; localhost by default, with one of Caddy's own authority
set -eu
cd "$(dirname "$0")"

address=${1:-}
site=${2:-localhost}
fail() {
    echo "init: $*" >&2
    exit 1
}
echo "$address" | grep -Eqx '([0-9]{1,3}\.){3}[0-9]{1,3}' || fail "usage: ./init.sh ADDRESS [SITE], with an IPv4 address, not '$address'"
case $address in 127.*) fail "$address is every container's own address: name the one that clients reach this machine at" ;; esac
echo "$site" | grep -Eqx '[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?' || fail "'$site' is no host name"

umask 077
mkdir -p secrets
# Files in a container belong to whom they belong to outside, and nobody there is root: so everyone may read them, and the folder keeps
# everyone else of this machine away from them.
put() { # put NAME <content
    [ ! -e "secrets/$1" ] || return 0
    cat >"secrets/.$1"
    chmod 444 "secrets/.$1"
    mv "secrets/.$1" "secrets/$1"
    echo "init: wrote secrets/$1"
}
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

random | put auth-secret
random | put redis-password
random | put turn-secret
random | put grafana-password
put redis.conf <<END
requirepass $(cat secrets/redis-password)
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
END
# The container's own addresses are found by coturn; what it announces is this machine's.
sed -e "/^listening-ip=/d" -e "s/^relay-ip=.*/external-ip=$address/" \
    -e "s/^allowed-peer-ip=.*/allowed-peer-ip=$address/" -e "s/^realm=.*/realm=$site/" \
    -e "s/^min-port=.*/min-port=49160/" -e "s/^max-port=.*/max-port=49259/" -e "s/^total-quota=.*/total-quota=100/" \
    -e "s/^static-auth-secret=.*/static-auth-secret=$(cat secrets/turn-secret)/" ../coturn/turnserver.conf | put turnserver.conf

how=
if [ ! -e .env ]; then
    printf 'RTCBROKER_ANNOUNCE=%s\nRTCBROKER_SITE=%s\n' "$address" "$site" >.env
    echo "init: wrote .env"
else
    # It may have been edited since, and coturn's file has the address, too: so neither is written over, but nobody is left in doubt.
    for line in "RTCBROKER_ANNOUNCE=$address" ${2:+"RTCBROKER_SITE=$site"}; do
        grep -Fqx "$line" .env && continue
        how=", with what was there,"
        echo "init: kept .env, with $(grep "^${line%%=*}=" .env || echo "no ${line%%=*}"), not ${line#*=}" >&2
    done
    [ -z "$how" ] || echo "init: to change that: rm .env secrets/turnserver.conf, and the same command again; the secrets stay" >&2
fi
echo "init: ready$how for: docker compose up --build --detach --wait"
echo "init: Grafana, at http://localhost:3000, lets admin in with: $PWD/secrets/grafana-password"
