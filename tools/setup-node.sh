#!/bin/sh
# Node.js, npm and the pinned packages: solc for the Solidity contracts, binaryen's wasm-opt for the Stylus program,
# the clients that tests/tests/clients.rs runs, and what builds and tests the page.
#
# Looks before it installs: silent when all is there. Where node is missing it is installed with apt on a Debian
# where we are root; elsewhere a sentence says what to install, and the exit code is 1.
set -eu
cd "$(dirname "$0")/.."
limit=$PWD/tools/limit
quiet='--no-audit --no-fund --loglevel=error'

have_node() {
    command -v npm >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null
}

if ! have_node && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "setup-node: installing nodejs and npm" >&2
    {
        tools/limit 120 apt-get update -qq
        DEBIAN_FRONTEND=noninteractive tools/limit 300 apt-get install -y -qq --no-install-recommends nodejs npm
    } >/dev/null || true
fi
if ! have_node; then
    echo "setup-node: install Node.js 18 or newer with npm (https://nodejs.org)" >&2
    exit 1
fi

for folder in contracts-solidity-baseline contract tests/clients web; do
    # npm leaves its own lock file in node_modules when an installation is complete.
    installed=$folder/node_modules/.package-lock.json
    if [ ! "$installed" -nt $folder/package-lock.json ]; then
        echo "setup-node: installing the packages of $folder" >&2
        # npm ci refuses a lock file without the packages of other platforms, which some registries do not have.
        if ! (cd $folder && { "$limit" 300 npm ci $quiet 2>/dev/null || "$limit" 300 npm install --no-save $quiet; } >/dev/null); then
            echo "setup-node: npm failed in $folder: the package registry must be reachable" >&2
            exit 1
        fi
        touch "$installed"
    fi
done
