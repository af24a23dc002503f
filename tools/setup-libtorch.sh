#!/bin/sh
# Finds or makes the libtorch 2.13.0 that tch 0.26 wants, for the trainer.
#
#   export LIBTORCH=$(tools/setup-libtorch.sh)
#
# Standard output is the folder to put into LIBTORCH, or nothing: then unset LIBTORCH and let the crate feature
# `download-libtorch` fetch it from pytorch.org during the build. What it does is told on standard error.
# Does nothing twice. In this order:
#   1. LIBTORCH is set and holds a libtorch: that one;
#   2. build/libtorch: that one;
#   3. x86_64 Linux with python3, pip and gcc: the CPU part of pip's torch wheel, unpacked into build/libtorch
#      (540 MB to download, 486 MB on disk; at most LIBTORCH_TIMEOUT seconds, 600 unless set);
#   4. nothing.
set -eu

version=2.13.0
root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/build/libtorch

say() { echo "setup-libtorch: $*" >&2; }

is_libtorch() { [ -e "$1/lib/libtorch_cpu.so" ] || [ -e "$1/lib/libtorch_cpu.dylib" ]; }

if [ -n "${LIBTORCH:-}" ]; then
    if is_libtorch "$LIBTORCH"; then
        say "LIBTORCH=$LIBTORCH is set: nothing to do"
        echo "$LIBTORCH"
        exit 0
    fi
    say "LIBTORCH=$LIBTORCH holds no lib/libtorch_cpu.so: ignored"
fi

if is_libtorch "$home" && [ -e "$home/build-version" ]; then
    say "using build/libtorch ($(cat "$home/build-version"))"
    echo "$home"
    exit 0
fi

unable() {
    say "$1: leaving libtorch to the build (feature download-libtorch), which needs https://download.pytorch.org"
    exit 0
}

[ "$(uname -sm)" = "Linux x86_64" ] || unable "not x86_64 Linux"
for tool in python3 gcc timeout; do
    command -v "$tool" >/dev/null || unable "no $tool"
done
python3 -m pip --version >/dev/null 2>&1 || unable "python3 has no pip"

work=$root/build/libtorch.partial
rm -rf "$work"
mkdir -p "$work/wheels" "$work/all"
trap 'rm -rf "$work"' EXIT

say "downloading the torch $version wheel with pip (540 MB)"
timeout "${LIBTORCH_TIMEOUT:-600}" python3 -m pip download -q --disable-pip-version-check --no-deps \
    --only-binary :all: -d "$work/wheels" \
    "torch==$version" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 >&2 ||
    unable "pip could not fetch torch $version"

say "unpacking"
# Only what linking and running on a CPU needs: the wheel's libtorch_cpu.so names two small NVIDIA libraries.
python3 - "$work" <<'PY'
import pathlib, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
torch = {"torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1", "torch/version.py"}
nvidia = {"libcudart.so.13", "libcupti.so.13"}
for wheel in (work / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name in torch or name.startswith("torch/include/"):
                archive.extract(name, work / "all")
            elif wheel.name.startswith("nvidia") and name.rsplit("/", 1)[-1] in nvidia:
                target = work / "all" / "torch" / "lib" / name.rsplit("/", 1)[-1]
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
PY
torch=$work/all/torch
# tch links against libtorch.so, which in a CPU wheel would only name these two.
gcc -shared -o "$torch/lib/libtorch.so" -Wl,-soname,libtorch.so -L"$torch/lib" \
    -Wl,--no-as-needed,--allow-shlib-undefined -ltorch_cpu -lc10 >&2 || unable "gcc could not link libtorch.so"
sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py" >"$torch/build-version"
rm -rf "$home"
mv "$torch" "$home"
say "made build/libtorch ($(cat "$home/build-version"))"
echo "$home"
