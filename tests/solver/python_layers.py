"""Layers that tests of the solver name in their prototxts."""

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
    """An 8×8 label map of ones, with three rows to ignore (255)."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1, 1, 8, 8)

    def forward(self, bottom, top):
        top[0].data[...] = 1
        top[0].data[:, :, :3] = 255 if "255" in self.param_str else 1

    def backward(self, top, propagate_down, bottom):
        pass
