"""fcn_caffe/training/initial.py: what a stage takes from the one before, and what it is given anew."""

import numpy as np

import caffe
from fcn_caffe.surgery import upsample_filt
from fcn_caffe.training.initial import initialise
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
