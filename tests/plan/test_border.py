"""Border elision as geometry: what is computed on short maps is what whole maps hold, bit for bit.

Images and weights are small whole numbers, so that every sum is exact, however it is ordered.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F

from caffe.blob import short_map
from caffe.layer_types.base import ReceptiveField
from caffe.layer_types.vision.pooling import PoolingWindow, average_pool, max_pool
from caffe.plan import border

Pair = tuple[int, int]
SIDES = (97, 131, 281, 333, 375, 499, 500)


@dataclass(frozen=True)
class Slider:
    """A layer that slides a window over the map."""

    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    pool: Callable | None = None

    def field(self, axis: int) -> ReceptiveField:
        return ReceptiveField(self.dilation[axis] * (self.kernel[axis] - 1) + 1, self.stride[axis], self.pad[axis])

    def __call__(self, x: torch.Tensor, weight: torch.Tensor, pad: Pair | None = None) -> torch.Tensor:
        pad = self.pad if pad is None else pad
        if self.pool:
            return self.pool(x, PoolingWindow(self.kernel, self.stride, pad))
        return F.conv2d(x, weight, None, self.stride, pad, self.dilation)


def conv(size: int, pad: int = 0, stride: int = 1, dilation: int = 1) -> Slider:
    return Slider((size, size), (stride, stride), (pad, pad), (dilation, dilation))


def pool(size: int, stride: int, pad: int = 0, method: Callable = max_pool) -> Slider:
    return Slider((size, size), (stride, stride), (pad, pad), pool=method)


SAME = conv(3, 1)


def vgg(pad: int) -> list[Slider]:
    blocks = [[SAME] * count + [pool(2, 2)] for count in (2, 2, 3, 3, 3)]
    return [conv(3, pad), *[layer for block in blocks for layer in block][1:], conv(7), conv(1)]


def alexnet(pad: int) -> list[Slider]:
    return [conv(11, pad, 4), pool(3, 2), conv(5, 2), pool(3, 2), SAME, SAME, SAME, pool(3, 2), conv(6), conv(1)]


def googlenet(pad: int) -> list[Slider]:
    return [conv(7, pad, 2), pool(3, 2), conv(1), SAME, pool(3, 2), pool(3, 1, 1), conv(5, 2)]


def plans(chain: list[Slider], image: Pair) -> list[tuple[border.Step, border.Step]]:
    axes = (border.plan([layer.field(axis) for layer in chain], size) for axis, size in enumerate(image))
    return list(zip(*axes, strict=False))


def check(chain: list[Slider], image: Pair, seed: int = 0) -> list[float]:
    """Both ways, layer by layer; the share of each map that the short way computes."""
    rng = torch.Generator().manual_seed(seed)
    whole = torch.randint(-4, 5, (1, 1, *image), generator=rng).double()
    steps, lacks, short, shares = plans(chain, image), None, whole, []
    for layer, (rows, columns) in zip(chain, steps, strict=False):
        weight = torch.randint(2, (1, 1, *layer.kernel), generator=rng).double() * 2 - 1
        if lacks is None:
            less = [
                (pad - low, pad - high)
                for pad, (low, high) in zip(layer.pad, (rows.pad_less, columns.pad_less), strict=True)
            ]
            short = layer(F.pad(whole, (*less[1], *less[0])), weight, (0, 0))
        else:
            short = layer(short_map.lengthen(short, lacks, (rows.bottom, columns.bottom)), weight)
        whole = layer(whole, weight)
        lacks = (rows.top, columns.top)
        assert torch.equal(short_map.lengthen(short, lacks), whole), (layer, lacks)
        shares.append(short.numel() / whole.numel())
    return shares


@pytest.mark.parametrize("net", [vgg, alexnet, googlenet])
@pytest.mark.parametrize("image", [(500, 500), (375, 500), (333, 499), (281, 500), (97, 131)])
def test_short_maps_hold_what_whole_maps_hold(net, image):
    shares = check(net(100), image)
    assert len(shares) >= 4
    assert max(shares) < 1


@pytest.mark.parametrize("image", list(itertools.combinations(SIDES, 2)))
def test_any_two_sides(image):
    sides = tuple(side // 4 for side in image)
    assert check(vgg(30), sides)
    assert check(alexnet(30), sides)


def test_how_much_of_a_photograph_with_pad_100_is_computed():
    shares = check(vgg(100), (500, 500))
    assert [round(share, 2) for share in (shares[1], shares[4], shares[8])] == [0.54, 0.59, 0.74]


def random_layer(rng: random.Random) -> Slider:
    choices = [
        SAME,
        SAME,
        conv(1),
        conv(3),
        conv(5, 2),
        conv(3, 2, dilation=2),
        conv(3, 1, 2),
        conv(1, 0, 2),
        conv(3, 4),
    ]
    choices += [pool(2, 2), pool(2, 2, method=average_pool), pool(3, 2), pool(3, 2, 1), pool(3, 1, 1), pool(2, 3)]
    down, right = rng.choice(choices), rng.choice(choices)
    if rng.random() < 0.7 or down.pool is not right.pool:
        return down
    pairs = ((getattr(down, name)[0], getattr(right, name)[1]) for name in ("kernel", "stride", "pad", "dilation"))
    return Slider(*pairs, pool=down.pool)


def random_chain(rng: random.Random) -> list[Slider]:
    kernel = (rng.choice((1, 2, 3, 5, 7, 11)), rng.choice((1, 2, 3, 5, 7, 11)))
    stride = rng.choice(((1, 1), (1, 1), (2, 2), (4, 4), (1, 3)))
    first = Slider(kernel, stride, (kernel[0] + rng.randint(1, 40), kernel[1] + rng.randint(1, 40)))
    return [first, *(random_layer(rng) for _ in range(rng.randint(0, 9)))]


def long_enough(chain: list[Slider], image: Pair) -> list[Slider]:
    """As many layers as the image is large enough for."""
    x = torch.zeros(1, 1, *image, dtype=torch.float64)
    for index, layer in enumerate(chain):
        try:
            x = layer(x, torch.zeros(1, 1, *layer.kernel, dtype=torch.float64))
        except RuntimeError:
            return chain[:index]
    return chain


@pytest.mark.parametrize("seed", range(10))
def test_random_chains(seed):
    rng = random.Random(seed)
    shortened = 0
    for _ in range(100):
        image = rng.randint(1, 60), rng.randint(1, 60)
        shortened += len(check(long_enough(random_chain(rng), image), image, rng.randint(0, 10**6))) > 1
    assert shortened > 30


def test_a_narrow_border_is_left_alone():
    assert border.plan([conv(3, 4).field(0), SAME.field(0), pool(2, 2).field(0)], 20) == []
