"""Files written by one are read by the other; old nets, phases and splits come out alike."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from caffe.formats import binaryproto, caffemodel, hdf5, prototxt, solverstate, weight_files, wire
from caffe.net.passes import filter_net, insert_splits
from caffe.proto import caffe_pb2
from tests.parity import bvlc, formats

OLD = Path(__file__).parents[1] / "formats" / "upgrade"
DATA = """layer { name: "d" type: "DummyData" top: "x" top: "l"
  dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }"""
BUILDS = {
    "two readers": """
        layer { name: "a" type: "ReLU" bottom: "x" top: "a" }
        layer { name: "b" type: "ReLU" bottom: "x" top: "b" }
        layer { name: "s" type: "Silence" bottom: "l" bottom: "a" }""",
    "in place": """
        layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
        layer { name: "p" type: "Power" bottom: "x" top: "p" }
        layer { name: "q" type: "Power" bottom: "x" top: "q" }
        layer { name: "t" type: "TanH" bottom: "q" top: "q" }""",
    "one layer reads thrice": 'layer { name: "e" type: "Eltwise" bottom: "x" bottom: "x" bottom: "x" top: "e" }',
    "a loss that is read": """
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "loss" loss_weight: 2 }
        layer { name: "a" type: "Silence" bottom: "loss" }
        layer { name: "b" type: "Silence" bottom: "loss" }""",
    "a loss weight is lost": """
        layer { name: "c" type: "Slice" bottom: "x" top: "u" top: "v" slice_param { slice_point: 1 }
          loss_weight: 2 loss_weight: 3 }
        layer { name: "s" type: "Silence" bottom: "u" }""",
    "rules": """
        layer { name: "t" type: "ReLU" bottom: "x" top: "t" include { phase: TRAIN stage: "s" } }
        layer { name: "u" type: "ReLU" bottom: "x" top: "u" exclude { phase: TRAIN } exclude { stage: "s" } }
        layer { name: "v" type: "ReLU" bottom: "x" top: "v" include { min_level: 1 max_level: 2 not_stage: "z" } }
        layer { name: "w" type: "ReLU" bottom: "x" top: "w" include { stage: "s" stage: "z" } }""",
}
STATES = [(0, 0, []), (1, 0, []), (0, 1, ["s"]), (1, 2, ["s", "z"]), (0, 3, ["z"])]


def run(function: str, argument: object, folder: Path) -> dict[str, np.ndarray]:
    (result,) = bvlc.run_tasks([bvlc.Task("tests.parity.formats", function, argument, folder)])
    assert not isinstance(result, bvlc.Refused), result.words
    return result


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder with real Caffe's snapshots at iteration 3, and what it says is in them."""
    folder = tmp_path_factory.mktemp("snapshots")
    (folder / "net.prototxt").write_text(formats.NET)
    for prefix, snapshot_format in formats.SOLVERS.items():
        (folder / f"{prefix}.prototxt").write_text(formats.SOLVER.format(prefix, snapshot_format))
    return folder, run("snapshot", None, folder)


def test_upgrades(tmp_path: Path) -> None:
    for old in OLD.glob("*.old.prototxt"):
        (tmp_path / old.name).write_bytes(old.read_bytes())
    loop = 'for f in *.old.prototxt; do upgrade_net_proto_text "$f" "${f%.old.prototxt}.new"; done'
    bvlc.run_command(["sh", "-c", loop], tmp_path)
    for old in OLD.glob("*.old.prototxt"):
        text = (tmp_path / old.name.replace(".old.prototxt", ".new")).read_text()
        upgraded = prototxt.parse(text, caffe_pb2.NetParameter())
        recorded = prototxt.parse(
            old.with_name(old.name.replace(".old.", ".new.")).read_text(), caffe_pb2.NetParameter()
        )
        assert prototxt.read_net(old) == upgraded == recorded, old.name


def test_filter_and_splits(tmp_path: Path) -> None:
    drafts = list(itertools.product(BUILDS, STATES))
    folders = [tmp_path / str(index) for index in range(len(drafts))]
    tasks = []
    for (name, state), folder in zip(drafts, folders, strict=True):
        folder.mkdir()
        tasks.append(bvlc.Task("tests.parity.formats", "build", [DATA + BUILDS[name], *state], folder))
    assert not any(isinstance(result, bvlc.Refused) for result in bvlc.run_tasks(tasks))
    for (name, (phase, level, stages)), folder in zip(drafts, folders, strict=True):
        net = prototxt.parse(DATA + BUILDS[name], caffe_pb2.NetParameter())
        state = caffe_pb2.NetState(phase=phase, level=level, stage=stages)
        ours = insert_splits(filter_net(net, state))
        for layer in ours.layer:
            layer.phase = phase
            if layer.type == "SoftmaxWithLoss" and not layer.loss_weight:
                layer.loss_weight.append(1)  # what a loss layer adds when it is set up
        assert list(ours.layer) == list(caffemodel.read_net(folder / "built.caffemodel").layer), (name, state)


def test_their_snapshots(snapshots: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, arrays = snapshots
    for prefix, suffix in (("binary", ""), ("hdf5", ".h5")):
        checked = 0
        for layer in weight_files.read(folder / f"{prefix}_iter_3.caffemodel{suffix}"):
            for kind, blobs in (("data", layer.blobs), ("diff", layer.diffs)):
                for index, blob in enumerate(blobs):
                    if blob is not None:
                        np.testing.assert_array_equal(blob, arrays[f"{prefix}.{layer.name}.{index}.{kind}"])
                        checked += 1
        assert checked == (12 if prefix == "binary" else 11)  # HDF5 keeps the data of a shared parameter once
        state = solverstate.read(folder / f"{prefix}_iter_3.solverstate{suffix}")
        assert (state.iter, state.current_step, len(state.history)) == (3, 1, 5)
        assert state.learned_net == f"{prefix}_iter_3.caffemodel{suffix}"


def test_our_binary_files_are_the_same_bytes(snapshots: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    theirs = snapshots[0] / "binary_iter_3.caffemodel"
    net, layers = caffemodel.read_net(theirs), caffemodel.read(theirs)
    for layer in net.layer:
        layer.ClearField("blobs")
    caffemodel.write(tmp_path / "w", net, [list(zip(each.blobs, each.diffs, strict=True)) for each in layers])
    assert (tmp_path / "w").read_bytes() == theirs.read_bytes()
    theirs = snapshots[0] / "binary_iter_3.solverstate"
    solverstate.write(tmp_path / "s", solverstate.read(theirs))
    assert (tmp_path / "s").read_bytes() == theirs.read_bytes()


def test_they_resume_from_our_files(snapshots: tuple[Path, dict[str, np.ndarray]]) -> None:
    """Their weights and states, changed and written by us: what they restore and snapshot is what we wrote."""
    folder = snapshots[0]
    states = {"binary": "ours.solverstate", "hdf5": "ours.solverstate.h5"}
    changed: dict[str, np.ndarray] = {}
    for prefix, suffix in (("binary", ""), ("hdf5", ".h5")):
        source = folder / f"{prefix}_iter_3.caffemodel{suffix}"
        layers = weight_files.read(source)
        for layer in layers:
            layer.blobs = [None if blob is None else blob + 1 for blob in layer.blobs]
            changed.update({f"{prefix}.{layer.name}.{i}": b for i, b in enumerate(layer.blobs) if b is not None})
        blobs = [list(zip(layer.blobs, layer.diffs, strict=False)) for layer in layers]
        if suffix:
            hdf5.write(folder / "ours.caffemodel.h5", [(layer.name, b) for layer, b in zip(layers, blobs, strict=True)])
        else:
            net = caffemodel.read_net(source)
            for layer in net.layer:
                layer.ClearField("blobs")
            caffemodel.write(folder / "ours.caffemodel", net, blobs)
        state = solverstate.read(folder / f"{prefix}_iter_3.solverstate{suffix}")
        history = [array * 2 for array in state.history]
        solverstate.write(folder / states[prefix], solverstate.State(7, f"ours.caffemodel{suffix}", history, 1))
    restored = run("resume", states, folder)
    for name, array in changed.items():
        np.testing.assert_array_equal(restored[name], array)
    for prefix, suffix in (("binary", ""), ("hdf5", ".h5")):
        ours = solverstate.read(folder / states[prefix])
        theirs = solverstate.read(folder / f"{prefix}_iter_7.solverstate{suffix}")
        assert (theirs.iter, theirs.current_step) == (7, 1)
        for mine, array in zip(ours.history, theirs.history, strict=True):
            np.testing.assert_array_equal(mine, array)


def test_they_read_our_mean_file(tmp_path: Path) -> None:
    mean = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    binaryproto.write(tmp_path / "mean.binaryproto", mean)
    np.testing.assert_array_equal(run("mean_of", "mean.binaryproto", tmp_path)["mean"], mean)


IP = """
input: "x" input_shape { dim: 1 dim: 2 }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 1 bias_term: false } }
"""


def test_groups_in_weights_are_passed_over_by_both(tmp_path: Path) -> None:
    blob = caffe_pb2.BlobProto(data=[1, -2], shape=caffe_pb2.BlobShape(dim=[1, 2])).SerializeToString()
    (tmp_path / "ip.prototxt").write_text(IP)
    files = []
    for number in (1, 2, 5, 7, 100, 145):
        group = wire.varint(number << 3 | 3) + b"\x0a\x01x\x13\x14" + wire.varint(number << 3 | 4)
        for place in range(3):
            before = [group if place == depth else b"" for depth in range(3)]
            inner = b"".join(wire.enclose(7, [before[0], blob, before[0]]))
            layer = b"".join(wire.enclose(100, [before[1], b"\x0a\x02ip", inner, before[1]]))
            files.append(f"{number}-{place}.caffemodel")
            (tmp_path / files[-1]).write_bytes(before[2] + layer + before[2])
    theirs = run("loaded", files, tmp_path)
    for file in files:
        (layer_weights,) = weight_files.read(tmp_path / file)
        np.testing.assert_array_equal(layer_weights.blobs[0], [[1, -2]], err_msg=file)
        np.testing.assert_array_equal(theirs[file], [[1, -2]], err_msg=file)
