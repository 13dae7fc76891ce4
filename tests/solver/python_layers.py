"""Layers that tests of the solver name in their prototxts."""

import numpy as np

import caffe


class Loss(caffe.Layer):
    """A loss with a gradient of its own."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data[...] = 1

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 1


class Labels(caffe.Layer):
    """An 8×8 label map of ones; "255": with three rows to ignore; "every class": of 0, 1, 2 and 3 in turn."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1, 1, 8, 8)

    def forward(self, bottom, top):
        top[0].data[...] = 1
        top[0].data[:, :, :3] = 255 if "255" in self.param_str else 1
        if self.param_str == "every class":
            top[0].data.flat = np.arange(64) % 4

    def backward(self, top, propagate_down, bottom):
        pass
