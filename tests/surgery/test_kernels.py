"""Bilinear kernels, and which deconvolutions take them."""

import numpy as np
import pytest

from fcn_caffe.surgery import interp, upsample_filt
from tests.surgery.nets import net, zeros


@pytest.mark.parametrize(("size", "factor"), [(64, 32), (63, 32), (32, 16), (16, 8), (4, 2), (3, 2), (1, 1)])
def test_kernel_sums_to_the_factor_squared(size: int, factor: int) -> None:
    assert upsample_filt(size).shape == (size, size)
    assert upsample_filt(size).sum() == pytest.approx(factor**2)


def test_kernel_of_factor_two() -> None:
    assert upsample_filt(4)[1].tolist() == [0.1875, 0.5625, 0.5625, 0.1875]


@pytest.mark.parametrize(("size", "stride"), [(4, 2), (64, 32), (63, 32), (5, 3)])
def test_upsampling_a_constant_gives_the_constant(size: int, stride: int) -> None:
    ramp = np.sqrt(np.diag(upsample_filt(size)))
    line = np.zeros(5 * stride + size)
    for i in range(6):
        line[i * stride : i * stride + size] += ramp
    assert np.allclose(line[size:-size], 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_channel_is_interpolated_from_itself(channels: int) -> None:
    target = net(up=[(channels, channels, 4, 4)])
    interp(target, ["up"])
    for i in range(channels):
        for j in range(channels):
            expected = upsample_filt(4) if i == j else np.zeros((4, 4))
            assert np.allclose(target.params["up"][0].data[i, j], expected)


def test_one_output_per_group() -> None:
    target = net(up=[zeros(3, 1, 4, 4)])
    interp(target, ["up"])
    assert np.allclose(target.params["up"][0].data, upsample_filt(4))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 2, 4, 4), "layer 'up': input . output channels need to be the same .*3×2×4×4"),
        ((3, 3, 4, 2), "layer 'up': filters need to be square, and the weights are 3×3×4×2"),
        ((3, 3), "layer 'up': filters need to be square"),
    ],
)
def test_other_shapes_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interp(net(up=[shape]), ["up"])


def test_unknown_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer 'upscore' with parameters; there are up"):
        interp(net(up=[(1, 1, 4, 4)]), ["upscore"])
