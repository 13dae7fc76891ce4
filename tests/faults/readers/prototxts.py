"""Nets and solvers as text, and the settings of Python layers: built, and run twice where that is little work."""

from __future__ import annotations

import functools
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import text_format

import caffe
from caffe.formats import caffemodel, prototxt, rewrite
from caffe.formats.atomic import open_atomic
from caffe.formats.upgrade import upgrade_net
from caffe.layer_types.base import REGISTRY
from caffe.net import work
from caffe.proto import caffe_pb2
from tests import cases
from tests.faults import bytes_of, messages, texts, verdict, wire_fields
from tests.faults.child import Input, Reader
from tests.faults.readers import folders

MOST_OPERATIONS, MOST_VALUES, MOST_LENGTH = 10**9, 4 * 10**6, 4096
"""Of what is run at all: more may take long, and rightly."""
_UPGRADES = verdict.ROOT / "tests/formats/upgrade"
_WORDS = (
    *('"Convolution"', '"Python"', '"Data"', '"Reshape"', '"SPP"', '"LSTM"', "bottom: 'data'", "top: 'data'"),
    *("layer { name: 'x' type: 'Split' bottom: 'data' top: 'a' top: 'b' }", "loss_weight: nan", "phase: TEST"),
    *("include { stage: 'x' }", "param { name: 'w' lr_mult: -1 }", "pad: 2147483647", "axis: -9", "dim: 0", "dim: -1"),
    *("blobs { shape { dim: 9999999999 } }", "blobs { num: 2147483647 channels: 2147483647 }", "engine: CUDNN"),
    *("kernel_size: 3 dilation: 2147483647 pad: 2147483647", "prefetch: 4294967295", "batch_size: 2147483647"),
    *("[caffe.x]: 1", 'name: "\\377"', "layers {", "input_dim: 4294967295", "lr_policy: 'poly'", "iter_size: 0"),
)
SOLVER = """
net: "net.prototxt" base_lr: 0.01 momentum: 0.9 weight_decay: 0.001 lr_policy: "{policy}" gamma: 0.5 power: 0.75
stepsize: 3 stepvalue: 2 stepvalue: 5 max_iter: 4 display: 2 test_iter: 1 test_interval: 2 snapshot: 2
snapshot_prefix: "out/snap" iter_size: 2 average_loss: 3 random_seed: 7 type: "{type}" clip_gradients: 2
"""
NET = """
name: "small"
layer {{ name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {{
  shape {{ dim: 2 dim: 3 dim: 6 dim: 5 }} shape {{ dim: 2 }}
  data_filler {{ type: "gaussian" std: 1 }} data_filler {{ type: "constant" value: 1 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {{
  num_output: 4 kernel_size: 3 pad: 1 weight_filler {{ type: "{filler}" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" param {{ lr_mult: 1 decay_mult: 1 }}
  inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""


def net_text(filler: str = "gaussian") -> str:
    return NET.format(filler=filler)


@functools.cache
def _case_nets() -> list[bytes]:
    """The nets of the case tables that need no files: every type of layer, in many settings."""
    found = [case.prototxt() for family in cases.families().values() for case in family if case.files is None]
    return [text.encode() for text in found if len(text) < 4000 and "python_param" not in text]


@functools.cache
def _data_nets() -> list[Input]:
    """The nets of the case tables that read files, with these files."""
    found, made = [], dict[Any, Input]()
    for case in (case for family in cases.families().values() for case in family if case.files is not None):
        if case.files not in made:
            with tempfile.TemporaryDirectory() as name:
                case.files(Path(name))
                paths = [path for path in Path(name).rglob("*") if path.is_file() and path.name != "lock.mdb"]
                made[case.files] = {str(path.relative_to(name)): path.read_bytes() for path in paths}
        found.append({**made[case.files], "net.prototxt": case.prototxt().encode()})
    return found


def net_seeds() -> list[Input]:
    old = [path.read_bytes() for path in sorted(_UPGRADES.glob("*.prototxt"))]
    nets = [net_text(filler).encode() for filler in ("gaussian", "msra", "bilinear", "positive_unitball")]
    return [{"net.prototxt": text} for text in (*_case_nets(), *old, *nets * 8)]


def solver_seeds() -> list[Input]:
    kinds = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
    policies = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")
    found = []
    for index, policy in enumerate(policies * 2):
        text = SOLVER.format(policy=policy, type=kinds[index % len(kinds)])
        if "RMSProp" in text or "Ada" in text:
            text = text.replace("momentum: 0.9", "momentum: 0.9 rms_decay: 0.98 momentum2: 0.999 delta: 1e-8")
        found.append({"solver.prototxt": text.encode(), "net.prototxt": net_text().encode()})
    return found


def _parsed(text: str, message: Any) -> Any:
    """The message filled from the text; None where the case is that it cannot be."""
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError:
        return None


def _damage(name: str, message_type: Any) -> Any:
    def change(files: Input, draw: random.Random) -> Input:
        text = files[name].decode()
        message = _parsed(text, message_type())
        if message is None or draw.random() < 0.35:
            return {**files, name: texts.damaged(text, draw, _WORDS)}
        messages.damage(message, draw, (*REGISTRY, "data", "label", "bottom0", "top0", "conv", "ip"))
        return {**files, name: text_format.MessageToString(message, as_utf8=True).encode("utf-8", "replace")}

    return change


def read_net(folder: Path) -> None:
    """Build it for each phase, run it forward twice and backward once, and write what the upgrade makes of it."""
    path = str(folder / "net.prototxt")
    message = prototxt.parse(prototxt.read_text(path), caffe_pb2.NetParameter(), path)
    upgrade_net(message, path)
    for phase in (caffe.TRAIN, caffe.TEST):
        run(caffe.Net(path, phase))


def run(net: Any) -> None:
    """Forward, forward, backward; but nothing that is much work."""
    if not is_little(net):
        return
    net.forward()
    net.forward()
    if all(node.layer.type not in ("Accuracy", "ArgMax", "Threshold") for node in net.nodes):
        net.backward()


def is_little(net: Any) -> bool:
    shapes = [blob.shape for blob in (*net.blobs.values(), *(blob for blobs in net.params.values() for blob in blobs))]
    if sum(blob.count for blob in net.blobs.values()) > MOST_VALUES or len(net.nodes) > 200:
        return False
    if max((max(shape, default=0) for shape in shapes), default=0) > MOST_LENGTH:
        return False
    return sum(work.forward(node).operations for node in net.nodes) <= MOST_OPERATIONS


def _read_data_net(folder: Path) -> None:
    """As any other; the Python layers of the cases lie in the folder."""
    sys.path.insert(0, str(folder))
    try:
        read_net(folder)
    finally:
        sys.path.remove(str(folder))


def read_solver(folder: Path) -> None:
    """Build it; train as far as it is said to, where that is little; go on from what it saved."""
    path = str(folder / "solver.prototxt")
    solver = caffe.get_solver(path)
    param = solver.param
    few = max([param.iter_size, *param.test_iter, 1]) <= 8 and abs(param.average_loss) <= 10**6
    if few and all(map(is_little, (solver.net, *solver.test_nets))):
        solver.step(3)
        for state in sorted(folder.glob("out/*.solverstate*")):
            solver.restore(str(state))


def _damage_param_str(files: Input, draw: random.Random) -> Input:
    """A net with one Python data layer, whose settings are damaged as text and travel as a string."""
    layer = bytes_of.weighted(draw, *((1, each) for each in sorted(folders.SETTINGS)))
    module, name, settings, tops = folders.SETTINGS[layer]
    words = (
        "'mean': None",
        "'seed': -1",
        "'classes': [0]",
        "'prefetch': 4294967296",
        "'n_classes': 256",
        "'order': 'py2'",
    )
    text = texts.damaged(settings, draw, words).decode("utf-8", "surrogateescape")
    net = caffe_pb2.NetParameter()
    python = net.layer.add(name="data", type="Python", top=tops).python_param
    python.module, python.layer, python.param_str = module, name, text.encode("utf-8", "replace").decode()
    if draw.random() < 0.1:
        messages.damage(
            python, draw, ("..", "voc_layers", "os", "/etc/x", "x" * 5000, "Layer", "Path", "a.b", "__main__")
        )
    return {**files, "net.prototxt": text_format.MessageToString(net, as_utf8=True).encode("utf-8", "replace")}


def _read_param_str(folder: Path) -> None:
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)
    net.forward()
    net.forward()


def _read_upgraded(folder: Path) -> None:
    """What `caffe upgrade_net_proto_binary` does."""
    pieces, _, _ = rewrite.upgraded(folder / "net.binary")
    with open_atomic(folder / "new.binary") as file:
        file.writelines(pieces)
    caffemodel.read_net(folder / "net.binary")


def _binary_nets() -> list[Input]:
    found = []
    for path in sorted(_UPGRADES.glob("*.prototxt")):
        message = text_format.Parse(path.read_text(), caffe_pb2.NetParameter())
        found.append({"net.binary": message.SerializeToString()})
    return found


def _damage_binary(files: Input, draw: random.Random) -> Input:
    return {**files, "net.binary": wire_fields.damaged(files["net.binary"], draw)}


READERS = (
    Reader("net", net_seeds, _damage("net.prototxt", caffe_pb2.NetParameter), read_net, ("net '",), None),
    Reader(
        "solver",
        solver_seeds,
        _damage("solver.prototxt", caffe_pb2.SolverParameter),
        read_solver,
        ("solver", "Could not open file ", "net '"),
        None,
    ),
    Reader(
        "data-net",
        _data_nets,
        _damage("net.prototxt", caffe_pb2.NetParameter),
        _read_data_net,
        ("net '",),
        None,
    ),
    Reader("param_str", folders.trees, _damage_param_str, _read_param_str),
    Reader("binary-net", _binary_nets, _damage_binary, _read_upgraded),
)
