"""Python layers that published nets name, used if no module of their names is found: most were written for Python 2."""

import ast
import math
import re
from typing import Any

from caffe.errors import NetError
from caffe.layer_types.base import Layer
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


def settings(text: str, owner: str) -> dict[str, Any]:
    """A param_str: a dict as Python writes it, or `name: value` lines as YAML has them. NetError for anything else."""
    plain = re.sub(r"!!python/\w+\s*", "", text).strip()
    if not plain.startswith("{"):
        plain = "{" + ",".join(line for line in plain.splitlines() if line.strip()) + "}"
    plain = re.sub(r"([{,]\s*)([A-Za-z_]\w*)\s*:", r"\1'\2':", plain)
    try:
        found = ast.literal_eval(plain)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise NetError(
            f"{owner}: param_str is {text!r}, expected settings such as 'feat_stride': 16. Correct it."
        ) from error
    return dict(found)


class PublishedLayer(Layer):
    """A Python layer of a published net, whose errors name it; it has no gradient unless it writes `backward`."""

    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    """What each bottom and top is."""
    optional = (0, 0)
    """How many of the last bottoms, and of the last tops, may be left out."""

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        self.name = layer_param.name

    def __str__(self) -> str:
        return f"layer '{self.name}' ({self.type})"

    def check(self, bottom: Any, top: Any) -> None:
        """Raise NetError for another number of bottoms or tops."""
        wrong, words = False, []
        for found, wanted, spare in zip((bottom, top), (self.bottoms, self.tops), self.optional, strict=True):
            wrong = wrong or not len(wanted) - spare <= len(found) <= len(wanted)
            last = f" (the last {spare} may be left out)" if spare else ""
            words.append(f"{', '.join(wanted) or 'none'}{last}")
        if wrong:
            raise NetError(
                f"{self}: {len(bottom)} bottom and {len(top)} top blobs; expected as bottoms {words[0]}, as tops "
                f"{words[1]}. Correct the `bottom` and `top` lines of the layer.",
                layer=self.name,
                found=(len(bottom), len(top)),
                expected=(len(self.bottoms), len(self.tops)),
            )

    def refuse(self, bottom: Any, expected: str) -> NetError:
        """The error for bottoms of other shapes."""
        shapes = ", ".join(shape_text(blob.data.shape) for blob in bottom)
        return NetError(f"{self}: bottoms are {shapes}; expected {expected}. Correct them.", layer=self.name)

    def number(self, given: dict[str, Any], name: str, example: object) -> float:
        """A setting that has to be a number above 0. NetError where it is missing, or another."""
        value = given.get(name)
        if isinstance(value, int | float) and 0 < value < math.inf:
            return value
        raise NetError(
            f"{self}: param_str is {self.param_str!r}, expected '{name}': {example}, say. Add or correct it.",
            layer=self.name,
        )

    def numbers(self, given: dict[str, Any], name: str) -> list[float]:
        """A setting that has to be numbers above 0. NetError for another."""
        values = given[name]
        if isinstance(values, list | tuple) and values:
            return [self.number({name: value}, name, [8, 16, 32]) for value in values]
        return [self.number({}, name, [8, 16, 32])]

    def reshape(self, bottom: Any, top: Any) -> None:
        """Tops get their shapes with their numbers."""

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        """This layer does not propagate gradients."""
