"""The names of a layer's parameters in state_dicts and safetensors files."""

import re

WORDS = {"weight": 0, "bias": 1, "mean": 0, "variance": 1, "count": 2, "scale": 3, "shift": 4}
"""A parameter's word, and its number among the layer's blobs."""
_STATISTICS = ("mean", "variance", "count", "scale", "shift")
_NUMBERED = re.compile(r"blob(\d{1,4})")


def word(layer_type: str, index: int, count: int) -> str:
    """The word of one of a layer's `count` parameters: weight and bias, a BatchNorm's, or blob0, blob1, …"""
    if layer_type == "BatchNorm":
        return _STATISTICS[index]
    return ("weight", "bias")[index] if count <= 2 else f"blob{index}"


def index_of(name: str) -> int | None:
    """The number that a word stands for; None for another word."""
    found = _NUMBERED.fullmatch(name)
    return int(found[1]) if found else WORDS.get(name)


def module_name(layer: str) -> str:
    """A layer's name as the name of a module, which may have no dots."""
    return layer.replace(".", "_")
