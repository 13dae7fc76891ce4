"""The mean of ILSVRC 2012 that scripts look for beside the package."""

from pathlib import Path

import numpy as np

import caffe

MEANS = [104.00698793, 116.66876762, 122.67891434]


def test_the_mean_file_has_the_published_shape_and_means():
    mean = np.load(Path(caffe.__file__).parent / "imagenet" / "ilsvrc_2012_mean.npy")
    assert mean.shape == (3, 256, 256)
    assert np.allclose(mean.mean(1).mean(1), MEANS, rtol=1e-12)


def test_a_transformer_takes_it_as_scripts_write_it():
    mean = np.load(Path(caffe.__file__).parent / "imagenet" / "ilsvrc_2012_mean.npy")
    transformer = caffe.io.Transformer({"data": (1, 3, 227, 227)})
    transformer.set_mean("data", mean.mean(1).mean(1))
    assert np.allclose(transformer.mean["data"].ravel(), MEANS, rtol=1e-12)
