"""Save blobs that a net computes into databases: one Datum of floats for each item of a batch.

The net is run in phase TEST, so its data layer provides the input. Keys are the items' numbers, of ten digits.

    caffe extract_features weights.caffemodel net.prototxt fc6,fc7 fc6_lmdb,fc7_lmdb 10 lmdb GPU 0
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from caffe.cli import brew
from caffe.data.database import BACKENDS, DatabaseWriter, new_database
from caffe.errors import UsageError
from caffe.log import log
from caffe.net import Net
from caffe.proto import caffe_pb2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="pretrained_net_param", help="the weights")
    parser.add_argument("model", metavar="feature_extraction_proto_file", help="the net, with a data layer")
    parser.add_argument("blobs", metavar="extract_feature_blob_name1[,name2,...]", help="the blobs to save")
    parser.add_argument(
        "datasets", metavar="save_feature_dataset_name1[,name2,...]", help="a database for each of them"
    )
    parser.add_argument("batches", metavar="num_mini_batches", type=int, help="how many batches to run")
    parser.add_argument("backend", metavar="db_type", choices=BACKENDS, help="their kind: lmdb or leveldb")
    parser.add_argument(
        "mode", metavar="CPU/GPU", choices=["CPU", "GPU"], nargs="?", default="CPU", help="default: CPU"
    )
    parser.add_argument("device", metavar="DEVICE_ID", nargs="?", default="0", help="the GPU (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    names, datasets = arguments.blobs.split(","), arguments.datasets.split(",")
    if len(names) != len(datasets):
        raise UsageError(
            f"extract_features: {len(names)} blobs and {len(datasets)} datasets: the number of blob names and dataset "
            "names must be equal."
            " Give as many of both."
        )
    brew.use_device(arguments.device.removeprefix("DEVICE_ID=") if arguments.mode == "GPU" else "")
    brew.find_python_layers(arguments.model)
    net = Net(arguments.model, caffe_pb2.TEST, weights=arguments.weights)
    for name in names:
        if name not in net.blobs:
            raise UsageError(
                f"extract_features: Unknown feature blob name {name} in the network {arguments.model}. "
                f"Its blobs are {', '.join(net.blobs)}."
            )
    _extract(net, names, datasets, arguments)
    log.info("Successfully extracted the features!")
    return 0


def _extract(net: Net, names: Sequence[str], datasets: Sequence[str], arguments: argparse.Namespace) -> None:
    counts = [0] * len(names)
    with ExitStack() as stack:
        databases: list[DatabaseWriter] = [new_database(dataset, arguments.backend) for dataset in datasets]
        for writer in databases:
            stack.enter_context(writer)
        for _ in range(arguments.batches):
            net.run_forward()
            for index, (name, database) in enumerate(zip(names, databases, strict=True)):
                for features in np.atleast_1d(net.blobs[name].data):
                    database.put(b"%010d" % counts[index], _datum(features).SerializeToString())
                    counts[index] += 1
    for name, count in zip(names, counts, strict=True):
        log.info("Extracted features of %d query images for feature blob %s", count, name)


def _datum(features: np.ndarray) -> caffe_pb2.Datum:
    channels, height, width = (*features.shape, 1, 1, 1)[:3] if features.ndim <= 3 else (features.size, 1, 1)
    return caffe_pb2.Datum(channels=channels, height=height, width=width, float_data=features.ravel())
