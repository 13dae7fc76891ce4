"""A net's outputs for the log: the values of its output blobs, as Caffe lists them, one line for each value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from caffe.net.net import Net

MOST_VALUES = 20
"""Values listed of one blob. Caffe lists every value, a line for each pixel of a map."""


@dataclass
class Output:
    """An output blob: its first values (of `count`), and its weight in the loss."""

    name: str
    loss_weight: float
    count: int
    values: torch.Tensor

    def add(self, other: "Output") -> None:
        """Sum up with the same output of another batch; what only one of the two has is dropped."""
        length = min(len(self.values), len(other.values))
        self.values = self.values[:length] + other.values[:length]


def outputs(net: Net) -> list[Output]:
    """The output blobs after a forward, in the order of the log. Does not wait for the device."""
    weights = net.blob_loss_weights
    blobs = [(name, net.blobs[name]) for name in net.outputs]
    return [
        Output(name, weights[name], blob.count, blob.tensor.reshape(-1)[:MOST_VALUES].to(torch.float32, copy=True))
        for name, blob in blobs
    ]


def lines(
    found: Sequence[Output], prefix: str = "{}", *, divisor: float = 1, with_weight: bool = True
) -> Iterator[str]:
    """A line a value, `{}` in the prefix being its number, and a line for each blob that has more than are listed."""
    number = 0
    for output in found:
        for index, value in enumerate((output.values / divisor).tolist()):
            text = f"{prefix.format(number + index)}{output.name} = {value:g}"
            if output.loss_weight and with_weight:
                text += f" (* {output.loss_weight:g} = {output.loss_weight * value:g} loss)"
            yield text
        number += output.count
        if output.count > len(output.values):
            yield f"    ({output.name}: {output.count - len(output.values)} more values, not listed)"


class Sums:
    """The outputs of a net, summed up over the batches of a test."""

    def __init__(self) -> None:
        self._sums: list[Output] = []

    def add(self, net: Net) -> None:
        """Take over the outputs of a batch."""
        scores = outputs(net)
        for total, score in zip(self._sums, scores, strict=False):
            total.add(score)
        self._sums = self._sums or scores

    def lines(self, prefix: str, batches: int) -> Iterator[str]:
        """Their means, as the function `lines` has them."""
        return lines(self._sums, prefix, divisor=batches)
