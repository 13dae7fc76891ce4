"""Which axes of a net's inputs may have any size, found by reshaping the net and looking at each blob's shape."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from caffe.errors import CaffeError
from caffe.net import Net
from caffe.shapes import Shape

Shapes = dict[str, Shape]
MORE = (37, 59)
"""Rows and columns that are added to see what depends on them: with them, no map of a usual net keeps its size."""
EVEN_MORE = (64, 128)
"""Likewise, for nets that halve maps and double them again, and accept no odd sizes."""


@contextmanager
def _kept(net: Net) -> Iterator[Shapes]:
    """The shapes of the inputs, which the net has again afterwards."""
    before = {name: net.blobs[name].shape for name in net.inputs}
    try:
        yield before
    finally:
        reshape(net, before)


def reshape(net: Net, shapes: Shapes) -> None:
    """Give the inputs these shapes, and all blobs theirs. Raises CaffeError where a layer cannot have them."""
    for name, shape in shapes.items():
        net.blobs[name].reshape(*shape)
    net.reshape()


def fits(net: Net, shapes: Shapes) -> bool:
    """Whether the net can run with inputs of these shapes; its own shapes are restored."""
    with _kept(net):
        try:
            reshape(net, shapes)
        except (CaffeError, ValueError):
            return False
        return True


def batch(shape: Shape) -> Shape:
    return (shape[0] + 1, *shape[1:]) if shape else shape


def streams(shape: Shape) -> Shape:
    """A recurrent net's inputs are (timesteps, streams, …), and its timesteps fixed."""
    return (shape[0], shape[1] + 1, *shape[2:]) if len(shape) > 1 else shape


def larger(shape: Shape) -> Shape:
    return (*shape[:2], shape[2] + MORE[0], shape[3] + MORE[1]) if len(shape) == 4 else shape


def larger_by_even(shape: Shape) -> Shape:
    return (*shape[:2], shape[2] + EVEN_MORE[0], shape[3] + EVEN_MORE[1]) if len(shape) == 4 else shape


def doubled(shape: Shape) -> Shape:
    return (*shape[:2], shape[2] * 2, shape[3] * 2) if len(shape) == 4 else shape


Changes = list[Callable[[Shape], Shape]]
Trial = tuple[dict[int, str], list[Changes], Callable[[Shape], bool]]
"""What the free axes are called; changes of shapes, of which the first list that works counts; which shapes change."""
TRIALS: dict[str, Trial] = {
    "batch": ({0: "batch"}, [[batch]], lambda shape: len(shape) > 0),
    "streams": ({1: "streams"}, [[streams]], lambda shape: len(shape) > 1),
    "size": ({2: "height", 3: "width"}, [[larger, doubled], [larger_by_even, doubled]], lambda shape: len(shape) == 4),
}


class Freedom:
    """inputs: of each input, what its free axes are called (None: fixed); blobs: the shapes, None for what varies."""

    def __init__(self, net: Net, allowed: set[str]):
        names: dict[str, list[str | None]] = {name: [None] * len(net.blobs[name].shape) for name in net.inputs}
        seen: dict[str, list[Shape]] = {name: [blob.shape] for name, blob in net.blobs.items()}
        self.free: set[str] = set()
        for trial, (axes, changes, concerns) in TRIALS.items():
            if trial not in allowed or (trial == "streams" and "batch" in self.free):
                continue
            found = next(filter(None, (self._try(net, each) for each in changes)), [])
            if not found or not any(concerns(net.blobs[name].shape) for name in net.inputs):
                continue
            self.free.add(trial)
            for shapes in found:
                for name, shape in shapes.items():
                    seen[name].append(shape)
            for name in net.inputs:
                if concerns(net.blobs[name].shape):
                    for axis, word in axes.items():
                        names[name][axis] = word
        self.inputs = {name: tuple(words) for name, words in names.items()}
        self.blobs = {
            name: tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))
            for name, shapes in seen.items()
        }

    @staticmethod
    def _try(net: Net, changes: Changes) -> list[Shapes]:
        """The shapes of all blobs after each change of the inputs; none if one of them cannot be."""
        found = []
        with _kept(net) as before:
            for change in changes:
                try:
                    reshape(net, {name: change(shape) for name, shape in before.items()})
                except (CaffeError, ValueError):
                    return []
                shapes = {name: blob.shape for name, blob in net.blobs.items()}
                if any(len(shape) != len(net.blobs[name].shape) for name, shape in shapes.items()):
                    return []
                found.append(shapes)
        return found
