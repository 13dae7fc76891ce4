"""What real Caffe does with files: functions that run in the chroot (Python 3.9, pycaffe)."""

from __future__ import annotations

import numpy as np

SOLVERS = {"binary": "BINARYPROTO", "hdf5": "HDF5"}

NET = """
name: "tiny"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 2 dim: 3 dim: 6 dim: 5 } shape { dim: 2 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { decay_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" param { name: "shared" } include { phase: TRAIN }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "ip2" type: "InnerProduct" bottom: "conv" top: "ip2" param { name: "shared" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "ip2" top: "sum" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss" }
layer { name: "silence" type: "Silence" bottom: "sum" }
"""
SOLVER = (
    'net: "net.prototxt" base_lr: 0.1 lr_policy: "multistep" stepvalue: 2 gamma: 0.5 momentum: 0.9 max_iter: 10 '
    'solver_mode: CPU random_seed: 3 snapshot_diff: true snapshot_prefix: "{}" snapshot_format: {}'
)


def snapshot(_: object) -> dict[str, np.ndarray]:
    """Snapshots at iteration 3 in both formats; the parameters' data and diff then."""
    import caffe

    arrays = {}
    for prefix in SOLVERS:
        solver = caffe.SGDSolver(prefix + ".prototxt")
        solver.step(3)
        solver.snapshot()
        for name, blobs in solver.net.params.items():
            for index, blob in enumerate(blobs):
                arrays[f"{prefix}.{name}.{index}.data"] = blob.data.copy()
                arrays[f"{prefix}.{name}.{index}.diff"] = blob.diff.copy()
    return arrays


def resume(states: dict[str, str]) -> dict[str, np.ndarray]:
    """Restore prefix → state, and snapshot again at once; the parameters that came with the state."""
    import caffe

    arrays = {}
    for prefix, state in states.items():
        solver = caffe.SGDSolver(prefix + ".prototxt")
        solver.restore(state)
        solver.snapshot()
        for name, blobs in solver.net.params.items():
            for index, blob in enumerate(blobs):
                arrays[f"{prefix}.{name}.{index}"] = blob.data.copy()
    return arrays


def mean_of(path: str) -> dict[str, np.ndarray]:
    """A mean file through caffe.io."""
    import caffe

    blob = caffe.proto.caffe_pb2.BlobProto()
    with open(path, "rb") as file:
        blob.ParseFromString(file.read())
    return {"mean": caffe.io.blobproto_to_array(blob)}


def build(argument: list) -> dict[str, np.ndarray]:
    """Builds text as a net with a phase, level and stages, and saves it as built.caffemodel."""
    import caffe

    text, phase, level, stages = argument
    with open("built.prototxt", "w") as file:
        file.write(text)
    caffe.Net("built.prototxt", phase, level=level, stages=stages).save("built.caffemodel")
    return {}


def loaded(files: list[str]) -> dict[str, np.ndarray]:
    """What a net of one InnerProduct, whose weights are zero, takes from each file of weights."""
    import caffe

    arrays = {}
    for file in files:
        net = caffe.Net("ip.prototxt", caffe.TEST)
        net.copy_from(file)
        arrays[file] = net.params["ip"][0].data.copy()
    return arrays
