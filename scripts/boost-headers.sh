#!/usr/bin/env bash
# Brings the Boost headers that the ABI tests compile against: Debian's 1.74 and 1.81, and the newest of the pip package
# `boost-headers`. Prints one line for each: its version and its include directory. Fetches only what is not there yet.
# Ends with 1 when one of them cannot be had.
# usage: scripts/boost-headers.sh [DIRECTORY]
set -euo pipefail

target=${1:-target/boost}
mkdir -p "$target"
target=$(cd "$target" && pwd)

header=boost/interprocess/managed_shared_memory.hpp
# One at a time: tests run beside each other.
exec 9>"$target/.lock"
flock 9

version_of() { # include-dir: "1.74" from "1_74"
    sed -n 's/^#define BOOST_LIB_VERSION "\([0-9_]*\)".*/\1/p' "$1/boost/version.hpp" | tr _ .
}

debian() { # version
    local package=libboost$1-dev include=$target/debian-$1/usr/include work
    if [ ! -f "$include/$header" ] && [ -f "/usr/include/$header" ] && [ "$(version_of /usr/include)" = "$1" ]; then
        include=/usr/include
    fi
    if [ ! -f "$include/$header" ]; then
        work=$(mktemp -d "$target/.fetch-XXXXXX")
        # A new machine has no list of packages yet.
        if ! (cd "$work" && { apt-get download "$package" || { apt-get update -qq && apt-get download "$package"; }; }) \
            >"$work/log" 2>&1; then
            tail -n 3 "$work/log" >&2
            rm -rf "$work"
            echo "could not fetch Debian's $package" >&2
            return 1
        fi
        dpkg-deb -x "$work"/*.deb "$work/unpacked"
        rm -rf "$target/debian-$1"
        mv "$work/unpacked" "$target/debian-$1"
        rm -rf "$work"
    fi
    echo "$(version_of "$include") $include"
}

newest() {
    local include=$target/newest/boost_headers/include work pip=(python3 -m pip)
    if [ ! -f "$include/$header" ]; then
        work=$(mktemp -d "$target/.fetch-XXXXXX")
        if ! "${pip[@]}" --version >/dev/null 2>&1; then
            python3 -m venv "$work/venv" >/dev/null 2>&1 || {
                rm -rf "$work"
                echo "missing: pip; Debian/Ubuntu: apt-get install python3-venv" >&2
                return 1
            }
            pip=("$work/venv/bin/python" -m pip)
        fi
        if ! "${pip[@]}" download --quiet --disable-pip-version-check --no-deps --dest "$work" boost-headers \
            >"$work/log" 2>&1; then
            tail -n 3 "$work/log" >&2
            rm -rf "$work"
            echo "could not fetch boost-headers from PyPI" >&2
            return 1
        fi
        python3 -m zipfile -e "$work"/*.whl "$work/unpacked"
        rm -rf "$target/newest"
        mv "$work/unpacked" "$target/newest"
        rm -rf "$work"
    fi
    echo "$(version_of "$include") $include"
}

# Another one that this machine has installed.
system() {
    local version
    [ -f "/usr/include/$header" ] || return 0
    version=$(version_of /usr/include)
    case $version in 1.74 | 1.81) ;; *) echo "$version /usr/include" ;; esac
}

# In the background, where a failure ends each for itself; what can be had is printed all the same.
failed=0
debian 1.74 & wait $! || failed=1
debian 1.81 & wait $! || failed=1
newest & wait $! || failed=1
system
exit $failed
