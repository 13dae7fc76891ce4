"""Pieces that the reference nets share: data for both phases, the end of a classifier, and its deploy net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from caffe.net_spec import NetSpec
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from caffe.proto import caffe_pb2

IN_TRAINING = [{"phase": caffe_pb2.TRAIN}]
IN_TESTING = [{"phase": caffe_pb2.TEST}]
BIAS_TWICE = [{"lr_mult": 1}, {"lr_mult": 2}]
XAVIER = {"type": "xavier"}
IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Reference:
    """A net as it was published.

    train_val: the NetParameter of both phases, if it was published with one; deploy: likewise, of the net in use.
    solvers: its trainings, by what is added to the name of the net: SolverParameters as text, without paths.
    """

    train_val: Any = None
    deploy: Any = None
    solvers: dict[str, str] = field(default_factory=dict)


def gaussian(std: float, **more: Any) -> dict[str, Any]:
    """A gaussian filler of this standard deviation."""
    return {"type": "gaussian", "std": std, **more}


def filled(weights: dict[str, Any], bias: float = 0) -> dict[str, Any]:
    """The settings of a layer whose weights begin as the filler `weights` says, and its biases at `bias`."""
    return {"weight_filler": weights, "bias_filler": {"type": "constant", "value": bias}}


def database(source: str, batch_size: int, backend: int = P.Data.LMDB, **transform: Any) -> dict[str, Any]:
    """The settings of a Data layer."""
    data = {"source": source, "batch_size": batch_size, "backend": backend}
    return {"transform_param": transform, "data_param": data}


def ilsvrc(train: int, val: int, mirrored: bool = True, **transform: Any) -> list[dict[str, Any]]:
    """The databases of ILSVRC 2012 as Caffe's scripts make them, read in batches of `train` and `val` images."""
    return [
        database(f"examples/imagenet/ilsvrc12_{split}_lmdb", size, **mirror, **transform)
        for split, size, mirror in (
            ("train", train, {"mirror": True} if mirrored else {}),
            ("val", val, {"mirror": False} if mirrored else {}),
        )
    ]


def read(
    n: NetSpec,
    databases: Sequence[dict[str, Any]],
    name: str = "data",
    tops: Sequence[str] = ("data", "label"),
    stages: Sequence[str] = (),
) -> None:
    """Adds the Data layers: of the first database to train, of each further one to test, in a stage of its own if
    there are `stages`."""
    train, *tests = databases
    made = L.Data(name=name, ntop=len(tops), include=IN_TRAINING, **train)
    for top, blob in zip(tops, [made] if len(tops) == 1 else made):
        n[top] = blob
    for index, test in enumerate(tests):
        include = [{**IN_TESTING[0], "stage": [stages[index]]}] if stages else IN_TESTING
        n[f"test{index}"] = L.Data(name=name, ntop=0, top=list(tops), include=include, **test)


def judge(n: NetSpec, score: Any) -> None:
    """The loss, and in testing the accuracy."""
    n.accuracy = L.Accuracy(score, n.label, include=IN_TESTING)
    n.loss = L.SoftmaxWithLoss(score, n.label)


def named(n: NetSpec, name: str) -> Any:
    """The NetParameter of `n`."""
    net = n.to_proto()
    net.name = name
    return net


def in_use(net: Any, score: str, shape: Sequence[int], softmax: bool = True) -> Any:
    """What of the net leads from blob `data`, of `shape`, to blob `score`, and a Softmax. Nothing of it has a filler or
    is shared."""
    made = caffe_pb2.NetParameter(name=net.name)
    layer = made.layer.add(name="data", type="Input", top=["data"])
    layer.input_param.shape.add(dim=shape)
    needed, kept = {score}, []
    for layer in reversed(net.layer):
        if "data" not in layer.top and needed.intersection(layer.top):
            needed.update(layer.bottom)
            kept.append(layer)
    for layer in reversed(kept):
        layer = made.layer.add(**{name.name: value for name, value in layer.ListFields()})
        for param in layer.param:
            param.ClearField("name")
        for settings in (layer.convolution_param, layer.inner_product_param):
            settings.ClearField("weight_filler")
            settings.ClearField("bias_filler")
    if softmax:
        made.layer.add(name="prob", type="Softmax", bottom=[score], top=["prob"])
    return made
