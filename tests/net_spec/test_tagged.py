"""The rows that learn from tags: no mask in training, masks in scoring."""

import ast

import pytest

from fcn_caffe.net_spec.catalogue import VARIANTS
from fcn_caffe.net_spec.tags import SYNSETS, Tagged

TAGGED = [row for row in VARIANTS if isinstance(row, Tagged)]
every = pytest.mark.parametrize("row", TAGGED, ids=lambda row: row.name)


@every
def test_training_reads_tags_and_scoring_masks(row):
    for phase, tagged in zip(row.phases, (True, False), strict=False):
        reader = row.net(phase).layer[0]
        assert ("tags" in ast.literal_eval(reader.python_param.param_str)) == tagged


@every
def test_its_loss_reads_the_coarse_scores_and_the_tags(row):
    layer = row.net("train").layer[-1]
    assert (layer.type, layer.python_param.module) == ("Python", "tag_layers")
    assert list(layer.bottom) == ["score_fr_7cls", "label"]
    assert list(layer.loss_weight) == [1]


@every
def test_sizes_are_used_where_they_are_given(row):
    settings = ast.literal_eval(row.net("train").layer[-1].python_param.param_str)
    assert (row.tags == "sizes") == bool(settings.get("sizes") or settings.get("within"))


@every
def test_nothing_is_dropped_from_what_it_scores(row):
    assert "Dropout" not in {layer.type for phase in row.phases for layer in row.net(phase).layer}


def test_no_class_of_the_classifier_counts_twice():
    lines = [line for lines in SYNSETS.values() for line in lines]
    assert len(lines) == len(set(lines))
    assert 0 not in SYNSETS
