#!/bin/sh
# Node.js, npm and the pinned Solidity compiler, for contracts-solidity-baseline/build.mjs.
#
# Looks before it installs: silent when all is there. Where node is missing it is installed with apt on a Debian
# where we are root; elsewhere a sentence says what to install, and the exit code is 1.
set -eu
cd "$(dirname "$0")/../contracts-solidity-baseline"

have_node() {
    command -v npm >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null
}

if ! have_node && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing nodejs and npm"
    {
        timeout 120 apt-get update -qq
        DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends nodejs npm
    } >/dev/null || true
fi
if ! have_node; then
    echo "Node.js 18 or newer with npm is needed to compile Solidity: install it from your package manager or https://nodejs.org." >&2
    exit 1
fi

# npm leaves its own lock file in node_modules when an installation is complete.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    echo "installing the Solidity compiler"
    if ! timeout 180 npm ci --no-audit --no-fund --loglevel=error >/dev/null; then
        echo "npm ci failed in contracts-solidity-baseline: the package registry must be reachable." >&2
        exit 1
    fi
    touch node_modules/.package-lock.json
fi
