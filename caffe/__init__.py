"""Caffe, alive again."""

from importlib import import_module

TRAIN, TEST = 0, 1
_WHERE = {
    "Net": "caffe.net",
    "Layer": "caffe.layer",
    "set_random_seed": "caffe.device",
    "set_mode_cpu": "caffe.device",
    "set_mode_gpu": "caffe.device",
}


def __getattr__(name):
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name == "layer_type_list":
        from caffe import layer, layer_types

        def layer_type_list():
            layer_types.load()
            return sorted(layer.REGISTRY)

        return layer_type_list
    if name in ("layers", "params"):
        return getattr(import_module("caffe.net_spec"), name)
    raise AttributeError(name)
