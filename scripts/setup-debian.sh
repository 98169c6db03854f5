#!/bin/sh
# Install what debian-packages.txt lists and is missing, without starting any service.
#
# PostgreSQL, etcd, Prometheus and HAProxy start (and PostgreSQL makes a cluster) when they are installed,
# unless told not to: policy-rc.d forbids starts, createcluster.conf forbids the cluster. Both are put back
# as they were, whatever happens in between; what a killed run left of them is known by its marker and put
# back by the next. Services that came with it do not start at the next boot either; those that were there
# before keep their ways.
set -eu
export LC_ALL=C # apt-get's messages are read

here=$(cd "$(dirname "$0")/.." && pwd)
list=$here/debian-packages.txt

entries() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$list"; }

missing() {
    entries | while read -r package program; do
        [ -n "$program" ] && command -v "$program" >/dev/null && continue
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done | tr '\n' ' '
}

by_hand() {
    echo "setup: $1; install these by hand, without starting their services:" >&2
    entries >&2
    exit 2
}
command -v dpkg-query >/dev/null || by_hand "this is not a Debian machine"
root=${SETUP_ROOT:-} # a directory that stands for /, in tests
policy=$root/usr/sbin/policy-rc.d
cluster=$root/etc/postgresql-common/createcluster.conf
before=$policy.before-setup # the policy that was there, if there was one
marker="# of setup-debian.sh, which removes this at its end"
wait_s=300
units="etcd haproxy postgresql prometheus prometheus-node-exporter"
marked() { grep -qsF "$marker" "$1"; }

packages=$(missing)
if [ -n "$packages" ]; then
    release=$(. "$root/etc/os-release" && echo "${ID:-} ${VERSION_ID:-}") 2>/dev/null || release="of no name"
    # PostgreSQL 15 and the paths it is started from are this release's.
    [ "$release" = "debian 12" ] || by_hand "the packages are those of Debian 12, and this is '$release'"
fi
[ -n "$packages" ] || marked "$policy" || marked "$cluster" || exit 0

if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        exec sudo -n "$0"
    fi
    echo "setup: missing Debian packages: ${packages:-none, but a killed set-up left its settings behind}" >&2
    echo "setup: root is needed for that. Run this once:" >&2
    if command -v sudo >/dev/null; then echo "    sudo $0" >&2; else echo "    su -c '$here/scripts/setup-debian.sh'" >&2; fi
    exit 2
fi

exec 9<"$root/usr/sbin"
flock -n 9 || { echo "setup: waiting for another set-up to end"; flock 9; }
packages=$(missing)
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive

put_back() {
    if marked "$policy"; then
        if [ -e "$before" ]; then mv -f "$before" "$policy"; else rm -f "$policy"; fi
    fi
    rm -f "$before" "$policy.new"
    if marked "$cluster"; then sed -i "/$marker/d" "$cluster"; fi
}
forbid() {
    [ ! -e "$policy" ] || marked "$policy" || cp -p "$policy" "$before"
    printf '#!/bin/sh\n%s\n# fresh: %s\nexit 101\n' "$marker" "$fresh" >"$policy.new"
    chmod 755 "$policy.new"
    mv -f "$policy.new" "$policy"
    [ ! -e "$cluster" ] || marked "$cluster" || echo "create_main_cluster = false $marker" >>"$cluster"
}
# Units that were not there before this run, or before the killed one that it follows.
fresh=$(marked "$policy" && sed -n 's/^# fresh: //p' "$policy" || true)
for unit in $units; do
    [ -e "$root/lib/systemd/system/$unit.service" ] || case " $fresh " in *" $unit "*) ;; *) fresh="$fresh $unit" ;; esac
done
disable_fresh() {
    command -v systemctl >/dev/null || return 0
    for unit in $fresh; do
        [ -e "$root/lib/systemd/system/$unit.service" ] || continue
        systemctl disable "$unit.service" >"$log" 2>&1 || echo "setup: $unit may start at the next boot" >&2 || true
    done
}
failed() { cat "$log" >&2; echo "setup: failed: $*" >&2; exit 2; }
# A new machine installs its own updates first. apt-get waits for its own lock when it installs, not when it updates.
update() {
    end=$(($(date +%s) + wait_s))
    until apt-get update -q >"$log" 2>&1; do
        grep -q "Could not get lock" "$log" && [ "$(date +%s)" -lt "$end" ] || failed apt-get update
        sleep 2
    done
}
install() {
    set -- apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=$wait_s "$@"
    "$@" >"$log" 2>&1 || failed "$@"
}

trap 'disable_fresh; put_back; rm -f "$log"' EXIT
trap 'exit 130' HUP INT TERM
[ -n "$packages" ] || exit 0 # after what a killed run left undone

echo "setup: installing Debian packages: $packages"
forbid
update
case " $packages" in
*" postgresql"*)
    # First, so that its configuration exists before the server package reads it.
    install postgresql-common
    forbid
    ;;
esac
# shellcheck disable=SC2086 # one argument a package
install $packages
