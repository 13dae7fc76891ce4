"""The table of backbones against the paper's (CVPR 2015, table 1)."""

import pytest

from analyses import backbones
from fcn_caffe.net_spec.trunks import CAFFENET, GOOGLENET, VGG16

TABLE_1 = [(CAFFENET, 8, 57, 355, 32), (VGG16, 16, 134, 404, 32), (GOOGLENET, 22, 6, 907, 32)]


@pytest.mark.parametrize(("trunk", "layers", "millions", "field", "stride"), TABLE_1, ids=lambda value: str(value)[:20])
def test_the_papers_table(trunk, layers, millions, field, stride):
    row = backbones.backbone(trunk)
    assert (row.layers, round(row.parameters / 1e6), row.field, row.stride) == (layers, millions, field, stride)


@pytest.mark.parametrize(
    ("trunk", "parameters"), [(VGG16, 134_346_581), (CAFFENET, 56_954_261), (GOOGLENET, 5_995_077)]
)
def test_parameters_of_21_classes(trunk, parameters):
    assert backbones.backbone(trunk).parameters == parameters


@pytest.mark.parametrize(("trunk", "field"), [(VGG16, 404), (CAFFENET, 355), (GOOGLENET, 715)])
def test_only_googlenet_sees_less_as_an_fcn(trunk, field):
    assert backbones.backbone(trunk).fcn_field == field


def test_classes_change_the_scores_alone():
    assert backbones.backbone(VGG16, 7).parameters == 134_346_581 - 14 * 4097


def test_the_command_prints_ours_and_theirs(capsys):
    assert backbones.main([]) == 0
    assert "googlenet                 22    5,995,077   907       715     32   22 6M 907 32" in capsys.readouterr().out
