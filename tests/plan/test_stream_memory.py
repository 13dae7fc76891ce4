"""What a net that is computed in bands of rows keeps: no rows that nobody will read, and few of those that wait."""

from __future__ import annotations

import pytest
import torch

import caffe
from caffe.net.bands import Bands
from caffe.plan import upsampling, winograd
from caffe.plan.capabilities import drawn
from caffe.plan.streaming.stages import Stage
from tests.cases.case import layer
from tests.plan.nets import build, conv, input, pool
from tests.plan.streaming import in_bands_of

HEIGHT, ROWS = 64, 4
TEXT = (
    input("data", 1, 3, HEIGHT, 8)
    + conv("conv1", "data", 16, 3, 1)
    + conv("thin", "conv1", 2, 1)
    + pool("pool1", "conv1")
    + conv("conv2", "pool1", 4, 7, 3)
    + layer("up", "Deconvolution", ["conv2"], ["up"], "convolution_param { num_output: 2 kernel_size: 2 stride: 2 }")
    + layer("cut", "Crop", ["up", "data"], ["cut"], "crop_param { axis: 2 offset: 0 }")
    + layer("sum", "Eltwise", ["cut", "thin"], ["sum"])
)


def most_kept(net: caffe.Net, patch: pytest.MonkeyPatch) -> dict[str, int]:
    """The most rows of each map that are kept at once while the net is computed in bands, by the map's name."""
    in_bands_of(patch, ROWS)
    image = net.blobs["data"].tensor.clone()
    bands = Bands(net.name, net.graph, {"data": image.shape}, ["sum"], {"data": lambda row: image[:, :, row : row + 1]})
    values = {net.graph.blob_names[number]: value for number, value in bands._current.items()}
    most = dict.fromkeys(values, 0)
    compute = Stage._computed

    def computed(stage: Stage, *settings):
        for name, value in values.items():
            most[name] = max(most[name], sum(band.shape[2] for _, band in value._bands))
        return compute(stage, *settings)

    patch.setattr(Stage, "_computed", computed)
    result = bands.values["sum"]
    row = 0
    result.add_taker(lambda: row)
    while row < HEIGHT:
        result.compute_to(row + 1)
        row += 1
        result.give_up()
    assert not any(band for value in values.values() for band in value._bands)
    return most


def test_rows_wait_in_the_map_with_fewer_channels(monkeypatch):
    most = most_kept(build(TEXT), monkeypatch)
    assert max(rows for name, rows in most.items() if name.startswith("conv1")) <= 2 * ROWS
    assert most["thin"] > 2 * ROWS


def test_nothing_is_kept_of_a_map_of_which_only_the_shape_is_needed(monkeypatch):
    most = most_kept(build(TEXT), monkeypatch)
    assert [rows for name, rows in most.items() if name.startswith("data_data_0_split_1")] == [0]


def test_few_filters_at_once_are_brought_back_from_the_transform_domain(monkeypatch):
    x, weight = drawn(1, 8, 18, 22), drawn(200, 8, 3, 3)
    kernels = winograd.transformed(weight, lasting=False)
    expected = winograd.correlate(x, kernels, None, (1, 1), 3)
    sizes, multiply = [], winograd._multiply

    def multiplied(*factors: torch.Tensor) -> torch.Tensor:
        outputs = multiply(*factors)
        sizes.append(outputs.shape[1])
        return outputs

    monkeypatch.setattr(winograd, "_multiply", multiplied)
    monkeypatch.setattr(winograd, "OUTPUTS_AT_ONCE", 1)
    found = winograd.correlate(x, kernels, None, (1, 1), 3)
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    assert sizes == [64, 64, 64, 8]


@pytest.mark.parametrize(("size", "stride", "pad"), [(16, 8, 4), (4, 2, 0), (5, 3, 2), (4, 4, 1), (7, 1, 3), (2, 3, 0)])
def test_a_wide_map_is_upsampled_some_columns_at_a_time(size, stride, pad, monkeypatch):
    x, factors = torch.randn(1, 2, 3, 40, dtype=torch.float64), torch.randn(2, size, dtype=torch.float64)
    expected = upsampling.spread(x, factors, (stride, stride), (pad, pad))
    made, interpolation = [], upsampling._interpolation

    def interpolated(size: int, *settings) -> torch.Tensor:
        made.append(size)
        return interpolation(size, *settings)

    monkeypatch.setattr(upsampling, "_interpolation", interpolated)
    monkeypatch.setattr(upsampling, "COLUMNS_AT_ONCE", 16)
    assert torch.allclose(upsampling.spread(x, factors, (stride, stride), (pad, pad)), expected)
    assert (max(made[1:]) < 40) == (size >= stride)
