"""The rows of CRF as RNN: an FCN with one layer more, which learns at rates of its own."""

import pytest

from fcn_caffe.net_spec import crfrnn, geometry
from fcn_caffe.net_spec.catalogue import ROWS, VARIANTS
from fcn_caffe.net_spec.crfrnn import CrfRnn

CRFS = [row for row in VARIANTS if isinstance(row, CrfRnn)]
every = pytest.mark.parametrize("row", CRFS, ids=lambda row: row.name)


@every
def test_but_for_the_crf_it_is_the_net_that_it_starts_from(row):
    (start,) = row.starts
    mine, theirs = row.net("deploy"), ROWS[start].net("deploy")
    (layer,) = (layer for layer in mine.layer if layer.type in row.foreign)
    assert list(layer.bottom) == ["coarse", "coarse", "data"]
    assert list(layer.top) == ["score"]
    assert [each.name.replace("coarse", "score") for each in mine.layer if each is not layer and each != layer] == [
        each.name for each in theirs.layer
    ]
    assert geometry.parameters(mine) == geometry.parameters(theirs)


@every
def test_it_is_trained_by_five_iterations_and_used_by_ten(row):
    counts = [_crf(row.net(phase)).multi_stage_meanfield_param.num_iterations for phase in row.phases]
    assert counts == [5, 10, 10]


@every
def test_the_net_learns_at_a_tenth_of_its_stages_rate_or_less(row):
    assert row.recipe.base_lr <= ROWS[row.starts[0]].recipe.base_lr / 10 or row.name == "voc-fcn8s-crfrnn"


def test_rates_are_the_published_ones():
    layer = _crf(ROWS["voc-fcn8s-crfrnn"].net("train"))
    assert [param.lr_mult for param in layer.param] == [1e4, 1e4, 1e3]
    settings = layer.multi_stage_meanfield_param
    assert (settings.theta_alpha, settings.theta_beta, settings.theta_gamma) == (160, 3, 3)
    assert (settings.spatial_filter_weight, settings.bilateral_filter_weight) == (3, 5)
    solver = ROWS["voc-fcn8s-crfrnn"].solver()
    assert (solver.base_lr, solver.momentum) == (pytest.approx(1e-13), pytest.approx(0.99))


def test_a_caffe_without_the_layer_is_told_of_it(monkeypatch):
    monkeypatch.setattr(crfrnn, "FIELD", "no_such_param")
    with pytest.raises(ValueError, match=r"demo-fcn8s-crfrnn has a layer of CRF as RNN's fork, MultiStageMeanfield"):
        ROWS["demo-fcn8s-crfrnn"].net("train")


def _crf(net):
    (layer,) = (layer for layer in net.layer if layer.name == "inference1")
    return layer
