"""Filters, rows and columns of wide layers are kept at equal distances, and the next layer loses the same inputs."""

import numpy as np
import pytest

from fcn_caffe.surgery import subsample
from tests.surgery.nets import net, zeros

WIDE = {"fc6": [(8, 5, 7, 7), (8,)], "fc7": [(8, 8, 1, 1), (8,)]}


@pytest.mark.parametrize(
    ("kernel", "width", "places", "filters"),
    [
        (3, 4, [0, 3, 6], [0, 2, 4, 6]),
        (4, 2, [0, 2, 4, 6], [0, 4]),
        (7, 8, [0, 1, 2, 3, 4, 5, 6], list(range(8))),
        (1, 1, [3], [0]),
    ],
)
def test_every_value_comes_from_its_place(kernel, width, places, filters):
    source = net(**WIDE)
    target = net(fc6=[zeros(width, 5, kernel, kernel), zeros(width)], fc7=[zeros(width, width, 1, 1), zeros(width)])
    subsample(target, source, ["fc6", "fc7"])
    for i, old in enumerate(filters):
        for row, old_row in enumerate(places):
            for column, old_column in enumerate(places):
                expected = source.params["fc6"][0].data[old, :, old_row, old_column]
                assert (target.params["fc6"][0].data[i, :, row, column] == expected).all()
        assert target.params["fc6"][1].data[i] == source.params["fc6"][1].data[old]
        assert (target.params["fc7"][0].data[i, :, 0, 0] == source.params["fc7"][0].data[old, filters, 0, 0]).all()
        assert target.params["fc7"][1].data[i] == source.params["fc7"][1].data[old]


def test_biases_of_old_files_have_four_axes():
    source, target = net(fc6=[(4, 2, 3, 3), (1, 1, 1, 4)]), net(fc6=[zeros(2, 2, 3, 3), zeros(2)])
    subsample(target, source, ["fc6"])
    assert target.params["fc6"][1].data.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("fc6", "fc7", "who"),
    [
        ((3, 5, 3, 3), (3, 3, 1, 1), "fc6"),
        ((4, 6, 3, 3), (4, 4, 1, 1), "fc6"),
        ((4, 5, 9, 9), (4, 4, 1, 1), "fc6"),
        ((4, 5, 3, 3), (4, 2, 1, 1), "fc7"),
    ],
    ids=["outputs that do not divide", "other inputs", "a larger kernel", "other outputs than the layer before"],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(fc6, fc7, who):
    target = net(fc6=[zeros(*fc6), zeros(fc6[0])], fc7=[zeros(*fc7), zeros(fc7[0])])
    with pytest.raises(ValueError, match=f"layer '{who}'.*num_output or kernel_size"):
        subsample(target, net(**WIDE), ["fc6", "fc7"])
    assert not any(np.any(blob.data) for blobs in target.params.values() for blob in blobs)
