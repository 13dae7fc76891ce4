"""Surgery on small nets, in whichever Caffe runs this: Python 3.9, pycaffe's own API."""

from __future__ import annotations

import numpy as np

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 5 } } } '
CLASSIFIER = (
    INPUT
    + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 6 } }
layer { name: "score" type: "InnerProduct" bottom: "fc" top: "score" inner_product_param { num_output: 2 } }
"""
)
CONVOLUTIONAL = (
    INPUT
    + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "fc-conv" type: "Convolution" bottom: "conv" top: "fc"
  convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "score-conv" type: "Convolution" bottom: "fc" top: "score"
  convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "upscore" type: "Deconvolution" bottom: "score" top: "upscore"
  convolution_param { num_output: 2 kernel_size: 4 stride: 2 bias_term: false } }
"""
)
MORE = CONVOLUTIONAL.replace('"score-conv"', '"score-more"').replace("num_output: 2", "num_output: 5")


def _convolutionalize(target, source):
    from fcn_caffe import surgery

    surgery.convolutionalize(target, source, "-conv")
    surgery.interp(target, ["upscore"])


def _transplant(target, source):
    from fcn_caffe import surgery

    surgery.transplant(target, source)


def _expand(target, source):
    from fcn_caffe import surgery

    surgery.expand_score(target, "score-more", source, "score-conv")


SURGERY = {
    "convolutionalize, interp": (CLASSIFIER, CONVOLUTIONAL, _convolutionalize),
    "transplant": (CONVOLUTIONAL, CONVOLUTIONAL, _transplant),
    "expand_score": (CONVOLUTIONAL, MORE, _expand),
}


def moved(name: str) -> dict:
    """Every parameter of the target after an operation; those of both nets are drawn first."""
    source_text, target_text, operate = SURGERY[name]
    source, target = _net("source.prototxt", source_text, 1), _net("target.prototxt", target_text, 2)
    operate(target, source)
    return {
        f"{layer}/{index}": blob.data.copy()
        for layer, blobs in target.params.items()
        for index, blob in enumerate(blobs)
    }


def _net(path: str, text: str, seed: int):
    import caffe

    with open(path, "w") as file:
        file.write(text)
    net, drawn = caffe.Net(path, caffe.TEST), np.random.RandomState(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = drawn.standard_normal(blob.data.shape)
    return net
