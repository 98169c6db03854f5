#!/bin/sh
# Install what debian-packages.txt lists and is missing, without starting any service.
#
# PostgreSQL, etcd, Prometheus and HAProxy start (and PostgreSQL makes a cluster) when they are installed,
# unless told not to: policy-rc.d forbids starts, createcluster.conf forbids the cluster. Both are put back
# as they were, whatever happens in between.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
list=$here/debian-packages.txt

entries() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$list"; }

missing() {
    entries | while read -r package program; do
        [ -n "$program" ] && command -v "$program" >/dev/null && continue
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done | tr '\n' ' '
}

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not a Debian machine; install these by hand, without starting their services:" >&2
    entries >&2
    exit 2
fi
packages=$(missing)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        exec sudo -n "$0"
    fi
    echo "setup: missing Debian packages: $packages" >&2
    echo "setup: root or sudo is needed to install them. Run this once:" >&2
    echo "    sudo $0" >&2
    exit 2
fi

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf
saved=$(mktemp -d)
export DEBIAN_FRONTEND=noninteractive

put_back() {
    if [ -e "$saved/policy" ]; then cp -p "$saved/policy" "$policy"; else rm -f "$policy"; fi
    if [ -e "$saved/cluster" ]; then cp -p "$saved/cluster" "$cluster"; fi
    rm -rf "$saved"
}
trap put_back EXIT
trap 'exit 130' INT TERM
[ ! -e "$policy" ] || cp -p "$policy" "$saved/policy"

echo "setup: installing Debian packages: $packages"
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
log=$saved/apt.log
run() { "$@" >"$log" 2>&1 || { cat "$log" >&2; echo "setup: failed: $*" >&2; exit 2; }; }
run apt-get update -q
case " $packages" in
*" postgresql"*)
    # First, so that its configuration exists before the server package reads it.
    run apt-get install -q -y --no-install-recommends postgresql-common
    cp -p "$cluster" "$saved/cluster"
    echo "create_main_cluster = false" >>"$cluster"
    ;;
esac
# shellcheck disable=SC2086 # one argument a package
run apt-get install -q -y --no-install-recommends $packages
