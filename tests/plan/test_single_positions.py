"""caffe/ops/single.py: windows with one position along an axis, whose stride oneDNN takes although it must not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import caffe
from caffe.ops.calls import ConvolutionCall
from caffe.ops.single import has_unused_stride, without_unused_strides
from caffe.ops.weight import Weight
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
    (2, 8, (6, 6, 3), 8, (2, 1, 3), (0, 0, 0), (3, 2, 2), (1, 1, 1)),
]


CONVOLVE = {2: F.conv2d, 3: F.conv3d}


def rounded(values, kind):
    return torch.from_numpy(values).to(kind).double()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_window_with_one_position_along_an_axis_gives_the_numbers_of_the_definition(case, precision):
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
        expected = CONVOLVE[len(sizes)](x, weight, bias, stride, pad, dilation)
        tolerance = (1e-5 if precision == "fp32" else 2**-7) * float(expected.abs().max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_a_stride_that_is_never_taken_becomes_one_and_all_else_stays():
    rng = torch.Generator().manual_seed(0)
    changed = 0
    for _ in range(300):
        draw = lambda low, high: tuple(int(torch.randint(low, high, (), generator=rng)) for _ in range(2))  # noqa: E731
        sizes, kernel, pad, stride, dilation = draw(1, 7), draw(1, 4), draw(0, 4), draw(1, 5), draw(1, 3)
        fits = all(s + 2 * p >= d * (k - 1) + 1 for s, k, p, d in zip(sizes, kernel, pad, dilation, strict=True))
        if not fits:
            continue
        x, weight = (torch.randn(1, 2, *size, generator=rng, dtype=torch.float64) for size in (sizes, kernel))
        call = ConvolutionCall(x, Weight(weight, 0, None, {}, {}), None, stride, pad, dilation, 1)
        plain = without_unused_strides(call)
        expected = F.conv2d(x, weight, None, stride, pad, dilation)
        single = [step > 1 and size == 1 for step, size in zip(stride, expected.shape[2:], strict=True)]
        assert has_unused_stride(call) == any(single)
        assert plain.stride == tuple(1 if one else step for one, step in zip(single, stride, strict=True))
        torch.testing.assert_close(F.conv2d(plain.x, weight, None, plain.stride, plain.pad, dilation), expected)
        assert not has_unused_stride(plain)
        changed += any(single)
    assert changed > 30
