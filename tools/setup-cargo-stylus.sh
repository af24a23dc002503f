#!/bin/sh
# Installs the cargo-stylus that tests/tests/cargo_stylus.rs drives, into build/cargo-stylus. Does nothing where it is
# there, or anywhere on the path.
#
# 419 crates: some minutes. `.ci/run` calls this; `make test` does without and says that it skips those tests. At most
# CARGO_STYLUS_TIMEOUT seconds, 3600 unless set; what was built until then is there the next time.
set -eu
cd "$(dirname "$0")/.."

version=0.10.10
home=build/cargo-stylus

say() { echo "setup-cargo-stylus: $*" >&2; }

for program in cargo-stylus $home/bin/cargo-stylus; do
    if [ "$($program stylus --version 2>/dev/null)" = "stylus $version" ]; then
        exit 0
    fi
done

say "installing cargo-stylus $version into $home (some minutes)"
# Optimized it would take three times as long to build, and it has little to do.
if ! CARGO_PROFILE_DEV_DEBUG=0 tools/limit "${CARGO_STYLUS_TIMEOUT:-3600}" \
    cargo install "cargo-stylus@$version" --locked --debug --quiet --root $home --target-dir $home/target; then
    say "cargo install failed: the package registry must be reachable, and a C compiler installed"
    exit 1
fi
rm -rf $home/target
