"""What SegNet's rows and DeconvNet's share: they say which Caffe has their layers."""

import pytest

from fcn_caffe.net_spec import unpooling
from fcn_caffe.net_spec.catalogue import ROWS

FORKS = {"voc-deconvnet": "DeconvNet's fork, Unpooling, BN", "camvid-segnet": "SegNet's fork, Upsample, BN"}


@pytest.mark.parametrize("name", FORKS)
def test_a_caffe_without_the_layers_is_told_of_them(name, monkeypatch):
    class Without:
        class LayerParameter:
            class DESCRIPTOR:
                fields_by_name: dict = {}

    monkeypatch.setattr(unpooling, "caffe_pb2", Without)
    with pytest.raises(ValueError, match=f"{name} has layers of {FORKS[name]}"):
        ROWS[name].net("train")
