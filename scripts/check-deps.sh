#!/usr/bin/env bash
# Says which tools are missing, one line each, and how to get them; with --install installs the system's packages.
# usage: scripts/check-deps.sh [--install] [build|test]
set -euo pipefail

install=no
if [ "${1:-}" = "--install" ]; then install=yes; shift; fi
purpose=${1:-build}

missing=()      # Debian packages
complaints=()   # lines for a person
need() { # tool package why
    command -v "$1" >/dev/null 2>&1 && return
    missing+=("$2")
    complaints+=("missing: $1 ($3); Debian/Ubuntu: apt-get install $2")
}

need cc gcc "links Rust programs"
need c++ g++ "compiles the shim over Boost"
need make make "runs the build"
boost='#include <boost/interprocess/managed_shared_memory.hpp>'
if ! echo "$boost" | c++ -E ${QAMD_BOOST_INCLUDE:+-isystem "$QAMD_BOOST_INCLUDE"} -x c++ - >/dev/null 2>&1; then
    missing+=(libboost-dev)
    complaints+=("missing: Boost's headers (the qamddata segment); Debian/Ubuntu: apt-get install libboost-dev")
fi
if [ "$purpose" = test ]; then
    need python3 python3 "fetches the genuine CTP library, runs client tests"
    need nm binutils "looks at what a library exports"
    if command -v python3 >/dev/null 2>&1 && ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
        missing+=(python3-venv)
        complaints+=("missing: python3's venv module; Debian/Ubuntu: apt-get install python3-venv")
    fi
fi

if [ ${#missing[@]} -gt 0 ] && [ "$install" = yes ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        printf '%s\n' "${complaints[@]}" >&2
        echo "this system has no apt-get: install these by its own means" >&2
        exit 1
    fi
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    echo "installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
elif [ ${#missing[@]} -gt 0 ]; then
    printf '%s\n' "${complaints[@]}" >&2
    exit 1
fi

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v cargo >/dev/null 2>&1; then
    echo "missing: cargo (Rust $wanted or later); install it from https://rustup.rs" >&2
    exit 1
fi
have=$(cargo --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n1)" != "$wanted" ]; then
    echo "too old: Rust $have; qamd needs $wanted or later (rustup update stable)" >&2
    exit 1
fi
