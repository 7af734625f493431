#!/usr/bin/env bash
# Brings a genuine CTP market-data library from the PyPI package that carries it, and checks its sum. Fetches it once: one
# that is there and sound is left as it is. The library is its vendor's: it is used from here and never committed.
# Ends with 1 when it cannot be had, with 3 when the package holds something else than it should.
# usage: scripts/ctp-library.sh [DIRECTORY [VERSION]]   (libs, 6.7.13; also 6.3.15 and 6.5.1)
set -euo pipefail

directory=${1:-libs}
version=${2:-6.7.13}
# What the older packages carry has a hash in its name.
case $version in
    6.7.13)
        package=ctp-python==6.7.13
        sha256=204ad48dd082b2282422c5826b3d006d7e865833ae91556d6cf7c6aea8c56a18
        # The wheel is made for CPython 3.11; only the library inside matters, whatever Python runs here.
        wheel=(--implementation cp --python-version 3.11 --abi cp311)
        wheel+=(--platform manylinux_2_28_x86_64 --platform manylinux_2_24_x86_64)
        ;;
    6.5.1)
        package=openctp-ctp==6.5.1.7
        sha256=deb52cb624d34224606bc39833442953ef8e11a8bf8bda3daa2aa346b8693d43
        wheel=()
        ;;
    6.3.15)
        package=openctp-ctp==6.3.15.7
        sha256=b2985601380322faacdb99e2479fbd38c57061cfceadc78c598d0a7bd054e93f
        wheel=()
        ;;
    *)
        echo "no package is known that carries CTP $version: name 6.7.13, 6.5.1 or 6.3.15" >&2
        exit 2
        ;;
esac
target=$directory/thostmduserapi_se.so

matches() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]; }

# One at a time: tests run beside each other. The lock is on the directory, so that nothing of it stays.
mkdir -p "$directory"
exec 9<"$directory"
flock 9

if matches "$target"; then
    echo "$target is already there (CTP $version, checksum as expected)"
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
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --retries 1 --timeout 20 \
    "${wheel[@]}" --dest "$work" "$package" >"$work/pip.log" 2>&1; then
    tail -n 3 "$work/pip.log" >&2
    echo "could not fetch $package from PyPI; with the library at hand, set \"ctp_library\" to its path instead" >&2
    exit 1
fi
python3 - "$work" "$work/library.so" <<'PYTHON'
import glob, os, sys, zipfile
folder, target = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(folder + "/*.whl")[0])
(member,) = [name for name in wheel.namelist() if os.path.basename(name).startswith("libthostmduserapi_se")]
open(target, "wb").write(wheel.read(member))
PYTHON
if ! matches "$work/library.so"; then
    echo "the library inside $package has another checksum than expected; nothing was installed" >&2
    exit 3
fi
# Aside and renamed: whoever runs on the old one keeps it, and nobody sees half of the new one.
install -m 755 "$work/library.so" "$target.new"
mv "$target.new" "$target"
echo "$target: CTP $version, checksum as expected"
