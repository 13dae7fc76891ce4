"""Fillers at the edges of what shapes there are; their values are held by the case tables."""

import pytest

from caffe.layer_types.helpers.fillers import FILLERS, fill
from caffe.proto import caffe_pb2


@pytest.mark.parametrize("name", FILLERS)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 3, 0, 4), (0, 3, 2, 2)])
def test_a_shape_without_values_is_filled_with_none(name, shape):
    for norm in caffe_pb2.FillerParameter.VarianceNorm.values():
        assert fill(caffe_pb2.FillerParameter(type=name, variance_norm=norm), shape).shape == shape


def test_neither_is_a_sparse_one_divided_by_nothing():
    assert fill(caffe_pb2.FillerParameter(type="gaussian", sparse=2), (0, 3)).shape == (0, 3)
