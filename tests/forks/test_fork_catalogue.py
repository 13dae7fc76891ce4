"""Every type of a fork says what it is, and has a case."""

import inspect

import pytest

import caffe
from caffe.net.fork_names import TYPES
from docs.generate import fork_layers
from docs.generate.layers import entries
from tests.forks import cases

ADDED = fork_layers.added()
HAVE_TESTS_OF_THEIR_OWN = {
    *("MultiStageMeanfield", "DenseCRF"),
    *("BoxAnnotatorOHEM", "CenterLoss"),
    *("PriorBox", "DetectionOutput", "Proposal", "YoloDetectionOutput", "Yolov3DetectionOutput"),
    *("AnnotatedData", "BoxGroupOutput", "BoxOutput", "ScaleRoute", "DecodeBBox", "DetectionEvaluate", "VideoData"),
    *("ImageSegData", "DenseImageData", "ImageLabelmapData", "SegAccuracy", "MatRead", "MatWrite"),
}


@pytest.mark.parametrize("name", ADDED)
def test_a_type_says_what_a_user_has_to_know(name):
    said = entries(inspect.cleandoc(ADDED[name].__doc__))
    assert said["description"].endswith(".")
    assert "=" in said["formula"]
    assert {"bottom", "top", "source"} <= set(said)
    assert ("parameters" in said) == bool(ADDED[name].settings)


@pytest.mark.parametrize("name", ADDED)
def test_a_type_has_a_case(name):
    assert name in HAVE_TESTS_OF_THEIR_OWN or any(f'type: "{name}"' in text for text, _, _ in cases.every().values())


def test_types_of_forks_are_listed_apart_from_bvlcs():
    assert len(caffe.layer_type_list()) == 61
    assert set(ADDED) <= set(caffe.layer_type_list(added=True))
    assert set(ADDED) <= set(TYPES)
