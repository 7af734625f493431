#!/usr/bin/env bash
# Makes a virtual environment with TqSdk as PyPI has it, for the tests that run its programs against the gateway (400 MB).
# Fetches it once: an environment that is complete is left as it is. Says in one line what it did.
# usage: scripts/tqsdk.sh [DIRECTORY]
set -euo pipefail

package=tqsdk==3.10.4
target=${1:-target/tqsdk}
mkdir -p "$target"
target=$(cd "$target" && pwd)
environment=$target/venv
# Written last, and by no other version of this script's package or of Python.
marker=$environment/complete
python=$(python3 -c 'import platform; print(platform.python_version())')

is_complete() {
    [ "$(head -n 1 "$marker" 2>/dev/null)" = "$package Python $python" ] && "$environment/bin/python" -c 'import sys' 2>/dev/null
}

# One at a time: tests run beside each other.
exec 9>"$target/.lock"
flock 9

if is_complete; then
    echo "$environment: $package is already there"
    exit 0
fi
rm -rf "$environment"
log=$target/pip.log
if ! python3 -m venv "$environment" >"$log" 2>&1; then
    echo "missing: python3's venv module; Debian/Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi
# What TqSdk needs may grow, but not by a version that is made to break: then these tests would fail by themselves.
cat >"$target/constraints.txt" <<'CONSTRAINTS'
aiohttp<4
numpy<3
pandas<3.1
pyjwt<3
requests<3
scipy<2
sgqlc<19
simplejson<5
websockets<18
CONSTRAINTS
if ! "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
    --constraint "$target/constraints.txt" "$package" >"$log" 2>&1; then
    tail -n 3 "$log" >&2
    rm -rf "$environment"
    echo "could not fetch $package from PyPI" >&2
    exit 1
fi
# The rest says what a test that fails was run with.
installed=$("$environment/bin/python" -m pip freeze --disable-pip-version-check)
printf '%s\n' "$package Python $python" "$installed" >"$marker"
echo "$environment: $package installed"
