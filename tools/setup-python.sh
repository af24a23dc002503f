#!/bin/sh
# Makes build/python, a Python with the web3.py that tests/tests/clients.rs runs. Does nothing where it is there.
#
# Where it cannot be had (no Python 3.10 or newer, no package index) this says so and succeeds: the tests that want it are
# skipped, or fail where INKLING_REQUIRE_CLIENTS is set.
set -eu
cd "$(dirname "$0")/.."

wanted=tests/clients/requirements.txt
home=build/python

say() { echo "setup-python: $*" >&2; }

# What was installed, once all of it was.
if cmp -s $wanted $home/installed.txt; then
    exit 0
fi
unable() {
    say "$1: the tests of web3.py will be skipped"
    rm -rf $home
    exit 0
}

command -v python3 >/dev/null || unable "no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || unable "python3 is older than 3.10"
say "installing web3.py into $home"
rm -rf $home
# Debian's Python has venv without pip in it unless python3-venv is installed; its own pip can serve any other.
if python3 -m venv $home >/dev/null 2>&1; then
    pip="$home/bin/python -m pip"
else
    python3 -m venv --without-pip $home && pip="python3 -m pip --python $home/bin/python" || unable "python3 has no venv"
fi
tools/limit "${PYTHON_TIMEOUT:-900}" $pip install -q --disable-pip-version-check --no-input -r $wanted >&2 ||
    unable "pip could not install $wanted"
cp $wanted $home/installed.txt
