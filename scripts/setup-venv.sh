#!/bin/sh
# Make .venv with exactly the locked packages and this project; quick when nothing changed.
#
# The stamp says that it is whole, of which files and of which Python. Without one it is made anew: what an
# interrupted run left may be anything.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
stamp=.venv/.installed
new_enough() { "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
# Debian's own before another on the PATH: it is built with a profile and about a fifth faster than one that is not,
# which twenty processes of a lab on two cores make felt.
python=python3
! new_enough /usr/bin/python3 || python=/usr/bin/python3
python=${PYTHON:-$python}
version=$("$python" -c 'import os, sys; print("%d.%d" % sys.version_info[:2], os.path.realpath(sys.executable))' 2>/dev/null) ||
    version=none
want="$(cat requirements.lock pyproject.toml scripts/setup-venv.sh | sha256sum) $version"
have=
[ ! -x .venv/bin/python ] || have=$(cat "$stamp" 2>/dev/null) || have=
[ "$have" != "$want" ] || exit 0

if ! new_enough "$python"; then
    echo "setup: Python 3.11 or newer with its venv module is needed; '$python' is not one (set PYTHON=/path/to/python3.11)" >&2
    exit 2
fi
echo "setup: installing the locked Python packages into .venv (about a minute)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() { "$@" >"$log" 2>&1 || { cat "$log" >&2; echo "setup: failed: $*" >&2; exit 2; }; }
rm -f "$stamp"
case $have in
*"- $version") ;;
*) run "$python" -m venv --clear .venv ;;
esac
run .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
run .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
# Compiled once here, so that the first drill does not pay for it in many processes at a time.
.venv/bin/python -m compileall -q src >/dev/null || true
echo "$want" >"$stamp"
