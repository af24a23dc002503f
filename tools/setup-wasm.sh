#!/bin/sh
# Finds or installs what builds the Stylus contract: a Rust compiler with the standard library's sources, and a linker
# for WASM.
#
#   eval "$(tools/setup-wasm.sh)"
#
# Standard output is `export` lines; what it does is told on standard error. Does nothing twice. In this order:
#   1. the rustc of the path, if its toolchain has rust-src (`rustup component add rust-src`);
#   2. Debian's rustc with rust-web-src's sources and lld;
#   3. rustup: adds rust-src, within SETUP_TIMEOUT seconds (60 unless set);
#   4. Debian as root: installs rustc-web, rust-web-src and lld.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup-wasm: $*" >&2; }

has_sources() { [ -e "$("$1" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; }
# The contract is in the 2024 edition of the workspace, whose rust-version is 1.95.
recent() { "$1" --version | awk '{ split($2, v, "."); exit !(v[1] > 1 || v[2] >= 95) }'; }

rustup_ready() { command -v rustc >/dev/null && recent rustc && has_sources rustc; }

debian=/usr/bin/rustc
debian_linker() { ls /usr/bin/wasm-ld /usr/bin/wasm-ld-* 2>/dev/null | head -n 1; }
debian_ready() { [ -x $debian ] && recent $debian && has_sources $debian && [ -n "$(debian_linker)" ]; }
use_debian() {
    say "using Debian's $($debian --version)"
    echo "export RUSTC=$debian CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(basename "$(debian_linker)")"
}

if rustup_ready; then
    say "using $(rustc --version)"
elif debian_ready; then
    use_debian
elif command -v rustup >/dev/null && recent rustc &&
    say "adding rust-src with rustup" && tools/limit "${SETUP_TIMEOUT:-60}" rustup component add rust-src >&2; then
    say "using $(rustc --version)"
elif command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] &&
    say "installing Debian's rustc-web, rust-web-src and lld" &&
    { tools/limit 300 apt-get update -qq >&2 || true; } &&
    tools/limit 600 apt-get install -y -qq --no-install-recommends rustc-web rust-web-src lld >&2 && debian_ready; then
    use_debian
else
    say "install Rust 1.95 or newer with its sources: rustup component add rust-src"
    exit 1
fi
