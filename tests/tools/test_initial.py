"""fcn_caffe/training/initial.py: what a stage takes from the one before, and what it is given anew."""

from dataclasses import replace

import numpy as np
import pytest

import caffe
from fcn_caffe.net_spec.tags import SYNSETS, ClassifierStart
from fcn_caffe.surgery import upsample_filt
from fcn_caffe.training.initial import initialise
from fcn_caffe.variants.build import build, published
from fcn_caffe.variants.customise import everything


def test_upsampling_that_the_stage_before_learned_is_kept_and_the_rest_is_bilinear(empty):
    rows = everything().rows
    before = caffe.Net("nets/demo-fcn16s/deploy.prototxt", caffe.TEST)
    learned = np.random.default_rng(0).normal(size=before.params["upscore2"][0].data.shape)
    before.params["upscore2"][0].data[...] = learned
    before.save("before.caffemodel")
    net = caffe.Net("nets/demo-fcn8s/deploy.prototxt", caffe.TEST)
    initialise(net, rows["demo-fcn8s"], rows, ["before.caffemodel"], allow_zero=True)
    np.testing.assert_allclose(net.params["upscore2"][0].data, learned, rtol=1e-6)
    np.testing.assert_allclose(net.params["upscore_pool4"][0].data[1, 1], upsample_filt(4))
    assert not net.params["upscore_pool4"][0].data[0, 1].any()


def deeplab_nets(tmp_path, drawn):
    """A VGG16 of small numbers and a LargeFOV net, both of few channels, with the row that makes one from the other."""
    rows = everything().rows
    row = replace(rows["voc7-largefov" if drawn else "voc-largefov"], name="largefov")
    source = published("ilsvrc/vgg16", "conv")
    for index, (name, blobs) in enumerate(source.params.items()):
        for blob in blobs:
            blob.data[...] = index + 1
        if name in ("fc6", "fc7"):
            blobs[0].data[...] = np.arange(len(blobs[0].data))[:, None, None, None]
    weights = tmp_path / "vgg16.caffemodel"
    source.save(str(weights))
    net = build(row.net("deploy"))
    initialise(net, row, rows, [weights], allow_zero=True)
    return source, net


@pytest.mark.slow(reason="a whole VGG16")
@pytest.mark.parametrize("drawn", [False, True])
def test_deeplab_takes_the_convolutions_of_vgg16_and_a_sample_of_its_wide_layers(tmp_path, drawn):
    source, net = deeplab_nets(tmp_path, drawn)
    for name in ("conv1_1", "conv3_2", "conv5_3"):
        assert (net.params[name][0].data == source.params[name][0].data).all()
    fc6 = net.params["fc6"][0].data
    if drawn:
        assert 0.9 < fc6.std() / np.sqrt(2 / (512 * 9)) < 1.1
        assert not net.params["fc6"][1].data.any()
    else:
        assert (fc6[:, 0, 0, 0] == np.arange(0, 4096, 4)).all()
        assert (net.params["fc7"][0].data[:, 5, 0, 0] == np.arange(0, 4096, 4)).all()


def test_scores_of_tags_begin_as_what_the_classifier_knows_beside_its_mean(tmp_path):
    rows = everything().rows
    row = rows["voc7-mil"]
    source = published("ilsvrc/squeezenet_v1.1", "conv")
    source.params["conv10"][0].data[...] = np.arange(1000)[:, None, None, None]
    source.params["conv10"][1].data[...] = np.arange(1000) / 10
    weights = tmp_path / "squeezenet.caffemodel"
    source.save(str(weights))
    net = build(row.net("deploy"))
    initialise(net, replace(row, classifier=ClassifierStart(SYNSETS, gain=0.5, background=2)), rows, [weights], True)
    scores, biases = (blob.data for blob in net.params["score_fr_7cls"])
    of_classes = [(mean - 499.5) / 2 for mean in (283, 346, 209.5, 339, 348.5)]
    expected = [0, *of_classes[:4], 0, of_classes[4]]
    np.testing.assert_allclose(scores[:, 3, 0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(biases, [2, *(value / 10 for value in expected[1:])], rtol=1e-5)


def test_a_row_without_a_classifier_begins_as_zeros(tmp_path):
    rows = everything().rows
    source = published("ilsvrc/squeezenet_v1.1", "conv")
    source.params["conv10"][0].data[...] = 1
    weights = tmp_path / "squeezenet.caffemodel"
    source.save(str(weights))
    net = build(rows["voc7-mil-zero"].net("deploy"))
    initialise(net, rows["voc7-mil-zero"], rows, [weights], allow_zero=True)
    assert not any(blob.data.any() for blob in net.params["score_fr_7cls"])
