"""caffe/ops/wide_strides.py: strides with which oneDNN crashes or gives other numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import caffe
from caffe.ops.calls import ConvolutionCall
from caffe.ops.weight import Weight
from caffe.ops.wide_strides import USUAL, is_wide, narrowed
from tests.cases.case import layer
from tests.plan.nets import build, fill, input

CASES = [
    # N, C, (H, W), O, kernel, pad, stride, dilation
    (1, 4, (1, 1), 4, (1, 1), (0, 1), (2, 2), (1, 1)),  # float32, packed: a crash
    (2, 4, (5, 1), 1, (4, 2), (1, 3), (3, 4), (1, 1)),
    (2, 1, (6, 3), 1, (3, 2), (2, 0), (1, 4), (1, 1)),  # float32, packed: other numbers
    (1, 1, (300, 3), 16, (4, 4), (0, 1), (1, 2), (1, 1)),
    (1, 4, (1, 40), 1, (4, 1), (3, 1), (3, 3), (2, 1)),  # bfloat16: a crash
    (1, 16, (9, 6), 8, (1, 4), (0, 2), (1, 4), (1, 2)),  # bfloat16: other numbers
    (1, 3, (40, 3), 8, (1, 4), (0, 2), (2, 3), (2, 2)),
    (1, 2, (3, 3), 2, (5, 5), (2, 2), (7, 3), (1, 1)),
    (1, 4, (1, 1), 4, (1, 1), (1, 1), (2, 2), (1, 1)),
    (2, 1, (300, 40), 16, (1, 4), (4, 0), (5, 1), (1, 1)),  # float32, packed: a crash
    (1, 32, (300, 3), 8, (2, 1), (2, 0), (5, 3), (1, 1)),
    (1, 32, (300, 6), 1, (1, 4), (0, 6), (3, 2), (1, 2)),  # bfloat16: a crash
    (2, 8, (6, 6, 3), 8, (2, 1, 3), (0, 0, 0), (3, 2, 2), (1, 1, 1)),
]


ONE_NUMBER = [  # kernels have one along an axis, and the dilation is wide there
    (1, 2, (7,), 3, (1,), (0,), (1,), (2**20,)),
    (2, 3, (6, 5), 4, (1, 3), (0, 1), (1, 1), (2**20, 1)),
    (1, 2, (4, 5, 3), 3, (1, 2, 1), (0, 0, 0), (1, 1, 1), (2**20, 1, 2**20)),
]
CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def rounded(values, kind):
    return torch.from_numpy(values).to(kind).double()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("case", CASES + ONE_NUMBER, ids=str)
def test_a_convolution_that_onednn_gets_wrong_gives_the_numbers_of_the_definition(case, precision):
    images, channels, sizes, outputs, kernel, pad, stride, dilation = case
    settings = {"kernel_size": kernel, "pad": pad, "stride": stride, "dilation": dilation}
    text = " ".join(f"{name}: {list(values)}" for name, values in settings.items())
    body = f"convolution_param {{ num_output: {outputs} {text} }}"
    caffe.set_precision(precision)
    net = build(input("x", images, channels, *sizes) + layer("y", "Convolution", ["x"], ["y"], body))
    kind = torch.float32 if precision == "fp32" else torch.bfloat16
    for turn in range(4):  # weights are packed once shapes recur
        fill(net, turn)
        found = torch.from_numpy(net.forward()["y"].copy()).double()
        x, weight, bias = (rounded(v, kind) for v in (net.blobs["x"].data, *(blob.data for blob in net.params["y"])))
        narrow = tuple(d if k > 1 else 1 for k, d in zip(kernel, dilation, strict=True))
        expected = CONVOLVE[len(sizes)](x, weight, bias, stride, pad, narrow)
        tolerance = (1e-5 if precision == "fp32" else 2**-7) * float(expected.abs().max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_a_narrowed_convolution_is_the_same_and_no_longer_wide():
    generator = torch.Generator().manual_seed(0)

    def draw(low: int, high: int) -> tuple[int, ...]:
        return tuple(torch.randint(low, high, (2,), generator=generator).tolist())

    narrower = 0
    for _ in range(400):
        sizes, kernel, pad, stride, dilation = draw(1, 9), draw(1, 4), draw(0, 4), draw(1, 6), draw(1, 3)
        extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        if any(size + 2 * p < extent for size, p, extent in zip(sizes, pad, extents, strict=True)):
            continue
        x, weight = (torch.randn(1, 2, *size, generator=generator, dtype=torch.float64) for size in (sizes, kernel))
        call = ConvolutionCall(x, Weight(weight, 0, None, {}, {}), None, stride, pad, dilation, 1)
        expected = F.conv2d(x, weight, None, stride, pad, dilation)
        wide = [
            step > 1 and (count == 1 or step > max(extent, USUAL) or (size < step and p > 0))
            for step, count, extent, size, p in zip(stride, expected.shape[2:], extents, sizes, pad, strict=True)
        ]
        assert is_wide(call) == any(wide)
        c = narrowed(call)
        assert not is_wide(c)
        torch.testing.assert_close(F.conv2d(c.x, weight, None, c.stride, c.pad, c.dilation), expected)
        assert any(wide) or c is call
        narrower += any(wide)
    assert narrower > 50
