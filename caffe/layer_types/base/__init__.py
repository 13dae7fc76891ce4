"""The base classes of layers, and what the engine knows of each layer type.

layer.py        Layer: pycaffe's class, from which a user's Python layer derives
native.py       NativeLayer: the interface that Net calls
torch_layer.py  TorchLayer: a NativeLayer that computes by torch functions
traits.py       Traits: facts about a layer type that the plan, the solver and the tools rely on
rows.py         Rows: which rows of the bottoms a band of rows of the tops needs
registry.py     the classes by the type names that prototxts use
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
    stands_for,
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
    "stands_for",
]
