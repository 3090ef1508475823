#!/bin/sh
# Makes a virtual environment and installs a requirements file into it; every way to fail is one line.
# usage: tools/venv.sh REQUIREMENTS [FOLDER], .venv by default, with PYTHON set to choose an interpreter
set -u
requirements=$1
folder=${2:-.venv}

fail() {
    echo "make: $1" >&2
    exit 1
}

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ ! -x "$folder/bin/python" ]; then
    found=
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if usable "$candidate"; then
            found=$candidate
            break
        fi
    done
    [ -n "$found" ] || fail "no Python 3.11 or newer found; install one, or say PYTHON=/path/to/python3"
    "$found" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$found cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"
    "$found" -m venv "$folder" >/dev/null || fail "the virtual environment $folder could not be made"
fi

mkdir -p var
echo "installing $requirements into $folder" >&2
if ! "$folder/bin/python" -m pip install --disable-pip-version-check -r "$requirements" >var/install.log 2>&1; then
    reason=$(grep -i '^error' var/install.log | tail -1)
    fail "the installation failed: ${reason:-$(tail -1 var/install.log)} (all of it: var/install.log)"
fi
