"""What a data layer of this repository delivers, in whichever Caffe runs this: Python 3.9, pycaffe's own API."""

from __future__ import annotations

import os
import sys

TURNS = 4


def delivered(argument: dict) -> dict:
    """The tops of a few turns of a layer: `argument` has its module, its name, its tops and its settings."""
    sys.path.insert(0, os.path.join(os.environ["CHECKOUT"], "data_layers"))
    import caffe

    tops = "".join(f' top: "{top}"' for top in argument["tops"])
    layer = f'module: "{argument["module"]}" layer: "{argument["layer"]}" param_str: "{argument["settings"]}"'
    with open("net.prototxt", "w") as file:
        file.write(f'layer {{ name: "data" type: "Python"{tops} python_param {{ {layer} }} }}')
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    found = {}
    for turn in range(TURNS):
        net.forward()
        found.update({f"{turn}/{top}": net.blobs[top].data.copy() for top in argument["tops"]})
    return found
