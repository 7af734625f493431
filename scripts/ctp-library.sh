#!/usr/bin/env bash
# Brings the genuine CTP market-data library into libs/ from the PyPI package that carries it, and checks its sum.
# The library is its vendor's: it is used from here and never committed.
# usage: scripts/ctp-library.sh [DIRECTORY]
set -euo pipefail

package=ctp-python==6.7.13
member=ctp/libthostmduserapi_se.so
sha256=204ad48dd082b2282422c5826b3d006d7e865833ae91556d6cf7c6aea8c56a18
target=${1:-libs}/thostmduserapi_se.so

matches() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]; }

if matches "$target"; then
    echo "$target is already there (CTP 6.7.13, checksum as expected)"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$work/venv" >/dev/null 2>&1 || {
        echo "missing: pip; Debian/Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
    PATH="$work/venv/bin:$PATH"
fi
# The wheel is made for CPython 3.11; only the library inside matters, whatever Python runs here.
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.11 --abi cp311 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_24_x86_64 \
    --dest "$work" "$package" >"$work/pip.log" 2>&1; then
    tail -n 3 "$work/pip.log" >&2
    echo "could not fetch $package from PyPI; with the library at hand, set \"ctp_library\" to its path instead" >&2
    exit 1
fi
python3 - "$work" "$member" "$work/library.so" <<'PYTHON'
import glob, sys, zipfile
folder, member, target = sys.argv[1:]
wheel = glob.glob(folder + "/*.whl")[0]
open(target, "wb").write(zipfile.ZipFile(wheel).read(member))
PYTHON
if ! matches "$work/library.so"; then
    echo "the library inside $package has another checksum than expected; nothing was installed" >&2
    exit 1
fi
install -D -m 755 "$work/library.so" "$target"
echo "$target: CTP 6.7.13, checksum as expected"
