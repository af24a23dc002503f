#!/usr/bin/env python3
"""Writes golden/pillow-20x20.bin, and compares a whole test set: needs `pip install pillow numpy`.

    python3 data/golden/make.py            # the golden file: the first 50 images of the MNIST test set
    python3 data/golden/make.py all FILE   # the same for all 10,000 (cargo test compares them where
                                           # INKLING_PILLOW names the file)

An image is 400 bytes, row by row: what torchvision's Resize((20, 20)) gives for a PIL image, which is Pillow's
antialiased BILINEAR filter.
"""

import gzip
import pathlib
import sys

import numpy
from PIL import Image

data = pathlib.Path(__file__).resolve().parent.parent
raw = gzip.open(data / "t10k-images-idx3-ubyte.gz").read()
images = numpy.frombuffer(raw, numpy.uint8, offset=16).reshape(-1, 28, 28)

everything = sys.argv[1:2] == ["all"]
count, path = (len(images), sys.argv[2]) if everything else (50, data / "golden" / "pillow-20x20.bin")
with open(path, "wb") as sink:
    for image in images[:count]:
        sink.write(Image.fromarray(image).resize((20, 20), Image.Resampling.BILINEAR).tobytes())
