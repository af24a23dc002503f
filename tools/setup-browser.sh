#!/bin/sh
# Chromium, which tests/tests/web.rs drives.
#
# Looks before it installs: silent when it is there. Where it is missing it is installed with apt on a Debian where we are
# root; elsewhere a sentence says what to do, and the exit code is 1. `.ci/run` calls this; `make test` does without and
# says that it skips that test.
set -eu
cd "$(dirname "$0")/.."

chromium=${INKLING_CHROMIUM:-/usr/bin/chromium}

if [ ! -x "$chromium" ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "setup-browser: installing chromium" >&2
    {
        tools/limit 120 apt-get update -qq
        # The page asks for the system's fonts: without any there is no text to look at.
        DEBIAN_FRONTEND=noninteractive tools/limit 600 apt-get install -y -qq --no-install-recommends chromium fonts-liberation fonts-dejavu-core
    } >/dev/null || true
fi
if [ ! -x "$chromium" ]; then
    echo "setup-browser: install Chromium, and name it in INKLING_CHROMIUM if it is not /usr/bin/chromium" >&2
    exit 1
fi
