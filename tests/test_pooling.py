"""What Debian's Caffe cannot show of pooling: STOCHASTIC, which runs on the GPU alone there, and round_mode."""

import numpy as np
import pytest
import torch

import caffe
from caffe.errors import ShapeError
from caffe.layer_types.vision.pooling import LOWEST, PoolingWindow, chosen_pool, max_pool
from tests.cases import run as runner
from tests.cases.case import case

SHAPE = (2, 3, 7, 5)


def net_of(settings: str, shape=SHAPE, type: str = "Pooling", **more):
    return runner.build(case(type, settings, shape, **{"kinds": "positive", **more}))


def windows_of(image: np.ndarray, size: int, stride: int, rows: int, columns: int) -> list[list[np.ndarray]]:
    starts = [(row * stride, column * stride) for row in range(rows) for column in range(columns)]
    flat = [image[y : y + size, x : x + size].ravel() for y, x in starts]
    return [flat[row * columns : (row + 1) * columns] for row in range(rows)]


def test_stochastic_in_test_phase_is_the_expectation():
    net = net_of("pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }", phase="TEST")
    x, y = net.blobs["bottom0"].data, net.forward()["top0"]
    assert y.shape == (2, 3, 3, 2)
    seen = windows_of(x[1, 2], 3, 2, 3, 2)
    expected = [[(window**2).sum() / window.sum() for window in row] for row in seen]
    np.testing.assert_allclose(y[1, 2], expected, rtol=1e-5)


def test_stochastic_of_zeros_is_zero_in_both_phases():
    for phase in ("TRAIN", "TEST"):
        net = net_of("pooling_param { pool: STOCHASTIC kernel_size: 2 }", phase=phase, kinds="zeros")
        assert not net.forward()["top0"].any()


def test_stochastic_in_train_phase_takes_a_value_of_the_window_and_gives_it_the_gradient():
    caffe.set_random_seed(3)
    net = net_of("pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 3 }", (2, 3, 6, 9), kinds="distinct")
    net.blobs["bottom0"].data[...] += 3
    x, y = net.blobs["bottom0"].data, net.forward()["top0"]
    seen = windows_of(x[0, 1], 3, 3, 2, 3)
    assert all(y[0, 1, row, column] in seen[row][column] for row in range(2) for column in range(3))
    net.blobs["top0"].diff[...] = 7
    net.backward()
    np.testing.assert_array_equal(net.blobs["bottom0"].diff, np.where(np.isin(x, y), np.float32(7), np.float32(0)))


def test_stochastic_draws_anew_with_every_forward_and_repeats_with_the_seed():
    net = net_of("pooling_param { pool: STOCHASTIC kernel_size: 5 }", (1, 8, 12, 12), kinds="distinct")
    caffe.set_random_seed(1)
    first, second = net.forward()["top0"].copy(), net.forward()["top0"].copy()
    caffe.set_random_seed(1)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(net.forward()["top0"], first)


def test_stochastic_chooses_in_proportion_to_the_values():
    x = torch.tensor([[[[1.0, 0.0], [2.0, 5.0]]]])
    draws = torch.linspace(0.0005, 0.9995, 1000)
    window = PoolingWindow(kernel=(2, 2), stride=(1, 1), pad=(0, 0))
    chosen = torch.stack([chosen_pool(x, window, draw.reshape(1, 1, 1, 1)) for draw in draws]).flatten()
    assert [(chosen == value).sum().item() for value in (0.0, 1.0, 2.0, 5.0)] == [0, 125, 250, 625]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_spp_can_be_stochastic_where_it_needs_no_pad(phase):
    net = net_of("spp_param { pyramid_height: 3 pool: STOCHASTIC }", (2, 3, 8, 4), type="SPP", phase=phase)
    y = net.forward()["top0"]
    assert y.shape == (2, 3 * 21)
    assert (y[:, 15:].max(axis=1) <= net.blobs["bottom0"].data.max(axis=(1, 2, 3))).all()


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_round_mode_floor_leaves_out_what_hangs_over(method):
    settings = f"pool: {method} kernel_size: 3 stride: 2"
    floor = net_of(f"pooling_param {{ {settings} round_mode: FLOOR }}", (2, 3, 6, 8))
    ceil = net_of(f"pooling_param {{ {settings} round_mode: CEIL }}", (2, 3, 6, 8))
    ceil.blobs["bottom0"].data[...] = floor.blobs["bottom0"].data
    y, whole = floor.forward()["top0"], ceil.forward()["top0"]
    assert (y.shape, whole.shape) == ((2, 3, 2, 3), (2, 3, 3, 4))
    np.testing.assert_array_equal(y, whole[:, :, :2, :3])


def test_round_mode_floor_refuses_a_map_smaller_than_the_window():
    with pytest.raises(ShapeError, match="3×3"):
        net_of("pooling_param { kernel_size: 4 stride: 2 round_mode: FLOOR }", (1, 1, 3, 3))
    assert net_of("pooling_param { kernel_size: 4 stride: 2 }", (1, 1, 3, 3)).blobs["top0"].shape == (1, 1, 1, 1)


def test_an_empty_window_has_no_gradient():
    """Caffe writes in front of its array here."""
    x = torch.randn(1, 1, 4, 4, requires_grad=True)
    y = max_pool(x, PoolingWindow(kernel=(1, 1), stride=(2, 4), pad=(0, 0)))
    assert y.shape == (1, 1, 3, 2)
    assert (y[0, 0, 2] == LOWEST).all()
    assert (y[0, 0, :, 1] == LOWEST).all()
    (gradient,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert gradient.sum() == 2


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("sizes", [(6, 8), (7, 5), (1, 4), (2, 2), (9, 3)])
@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (2, 2)), ((3, 1), (3, 2)), ((2, 3), (4, 3)), ((1, 2), (3, 5))])
def test_max_pooling_without_gradient_is_the_same(kernel, stride, sizes, floor):
    x = torch.randint(-2, 3, (2, 3, *sizes)).float()
    window = PoolingWindow(kernel, stride, (0, 0), floor)
    if min(window.positions(tuple(x.shape))) > 0:
        assert torch.equal(max_pool(x, window), max_pool(x.clone().requires_grad_(), window).detach())


@pytest.mark.parametrize("kernel", [(1, 1), (1, 2), (2, 1), (3, 3)])
def test_the_top_has_memory_of_its_own(kernel):
    x = torch.randn(1, 2, 2, 2)
    kept = x.clone()
    max_pool(x, PoolingWindow(kernel, stride=(3, 3), pad=(0, 0))).zero_()
    assert torch.equal(x, kept)
