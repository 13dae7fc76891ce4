"""Nets whose whole numbers are extreme, built and run in a process of their own, whose memory and time are limited.

python -m tests.extreme_settings TYPE…       a line of JSON for each setting and value: what came of it
"""

import itertools
import json
import os
import resource
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np
import torch

import caffe
from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.formats.upgrade import upgrade_net
from caffe.proto import bvlc_fields, caffe_pb2
from docs.generate import layers
from tests.cases import all_cases

VALUES = (2**31 - 1, 2**32 - 1, 2**30, 0, -7, -(2**31))
MOST_MEMORY, MOST_SECONDS = 6 << 30, 300


def nets(layer_type):
    """For each whole number among a type's settings: its name, the value, and a case's net with it."""
    cases = [case for case in all_cases() if f'type: "{layer_type}"' in case.text and case.refused is None]
    if not cases:
        return
    cases.sort(key=lambda case: case.type != layer_type)
    messages = [name for name, _ in itertools.groupby(layers.settings_of(caffe.layer_types.base.REGISTRY[layer_type]))]
    for name in messages:
        fields = bvlc_fields(caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name[name].message_type)
        for field in (field for field in fields if field.cpp_type in (1, 2, 3, 4)):
            case = _case_with(cases, name, field.name)
            for value in VALUES:
                net = prototxt.parse(case.prototxt(), caffe_pb2.NetParameter())
                upgrade_net(net, case.id)
                layer = next(layer for layer in net.layer if layer.type == layer_type)
                if _set(getattr(layer, name), field, value):
                    yield case, f"{name}.{field.name}", value, net


def _case_with(cases, message, field):
    """A case that sets the field, or any."""
    return next((case for case in cases if f" {field}:" in case.text and message in case.text), cases[0])


def _set(settings, field, value):
    try:
        if field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED:
            count = max(1, len(getattr(settings, field.name)))
            settings.ClearField(field.name)
            getattr(settings, field.name).extend([value] * count)
        else:
            setattr(settings, field.name, value)
    except ValueError:  # the type of the field has no such number
        return False
    return True


def outcome(case, net_param):
    """ "ran", or what was said."""
    with open("net.prototxt", "w", encoding="utf-8") as file:
        file.write(str(net_param))
    try:
        net = caffe.Net("net.prototxt", caffe.TRAIN)
        for name in net.inputs:
            net.blobs[name].data[...] = case.input(name, net.blobs[name].data.shape)
        for _ in range(2):
            net.forward()
    except CaffeError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - reported, and judged by whoever reads it
        return f"NOT OURS: {type(error).__name__}: {error}"
    return "ran"


def try_all(layer_type):
    """One line of JSON before each net, and one after it."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    sys.path.insert(0, "")  # some cases bring a Python layer along
    for case, setting, value, net in nets(layer_type):
        os.chdir(tempfile.mkdtemp())
        if case.files:
            case.files(Path.cwd())
        about = {"type": layer_type, "setting": setting, "value": value}
        print(json.dumps(about), flush=True)
        print(json.dumps({**about, "outcome": outcome(case, net)}), flush=True)


def main(types):
    torch.set_num_threads(1)  # a process that forks has no threads
    known = caffe.layer_type_list()
    for layer_type in types or known:
        child = os.fork()
        if not child:
            status = 1
            try:
                try_all(layer_type)
                status = 0
            except Exception:  # noqa: BLE001 - a child that forked must not return
                traceback.print_exc()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"type": layer_type, "status": status}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
