"""What layers are made of.

layer.py        Layer: what pycaffe shows, and what a user's Python layer derives from
native.py       NativeLayer: what Net calls
torch_layer.py  TorchLayer: a NativeLayer made of torch functions
traits.py       what others may rely on of a class
rows.py         which rows of its bottoms a band of rows of its tops takes
registry.py     the classes by the names that prototxts give them
"""

from caffe.layer_types.base.layer import Layer
from caffe.layer_types.base.native import Count, NativeLayer
from caffe.layer_types.base.registry import (
    ADDED,
    BY_DIALECT,
    REGISTRY,
    L,
    create,
    known_types,
    layer_class,
    layer_type,
)
from caffe.layer_types.base.rows import Rows
from caffe.layer_types.base.torch_layer import TorchLayer
from caffe.layer_types.base.traits import Handling, Precision, ReceptiveField, Traits
from caffe.shapes import Shape

__all__ = [
    "ADDED",
    "BY_DIALECT",
    "REGISTRY",
    "Count",
    "Handling",
    "L",
    "Layer",
    "NativeLayer",
    "Precision",
    "Rows",
    "ReceptiveField",
    "Shape",
    "TorchLayer",
    "Traits",
    "create",
    "known_types",
    "layer_class",
    "layer_type",
]
