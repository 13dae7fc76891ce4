"""Commands, files and sharing know the forks' types as they know all: one net has every case of their tables."""

import lmdb
import numpy as np
import pytest

import caffe
from caffe.cli import main
from caffe.formats import caffemodel, prototxt, wire
from caffe.proto import caffe_pb2
from tests.forks import cases
from tests.gpu.pretended import pretended_gpu

CASES = cases.every()


def whole_net(phase):
    """Every case as a branch of its own, "x0", "x0_0" … and "y0" for the first, and the values of the inputs."""
    net = caffe_pb2.NetParameter(name="all")
    values = {}
    for index, (text, shapes, settings) in enumerate(CASES.values()):
        if phase == caffe.TRAIN and not settings.get("train", True):
            continue
        given = settings.get("values") or [np.random.default_rng(index).normal(size=shape) for shape in shapes]
        names = [f"x{index}_{place}" for place in range(len(shapes))]
        for name, shape, value in zip(names, shapes, given, strict=True):
            net.layer.add(name=name, type="Input", top=[name]).input_param.shape.add(dim=shape)
            values[name] = np.asarray(value).reshape(shape)
        parsed = prototxt.parse(text, caffe_pb2.NetParameter())
        prototxt.upgrade_net(parsed, "case")
        layer = net.layer.add()
        layer.CopyFrom(parsed.layer[0])
        layer.name = f"y{index}"
        layer.bottom.extend(names)
        layer.top.extend([f"y{index}", *(f"y{index}_{place}" for place in range(1, settings.get("tops", 1)))])
    net.state.phase = phase
    return net, values


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net, _ = whole_net(caffe.TEST)
    net.ClearField("state")
    for layer in net.layer:  # what reads no file and is not 0
        if layer.type == "Input":
            layer.type = "DummyData"
            layer.dummy_data_param.shape.extend(layer.input_param.shape)
            layer.dummy_data_param.data_filler.add(value=1)
            layer.ClearField("input_param")
    prototxt.write("net.prototxt", net)
    return tmp_path


def built(phase=caffe.TEST, seed=0):
    """The net with drawn parameters and the values of the cases."""
    message, values = whole_net(phase)
    net = caffe.Net.from_message(message)
    draw = np.random.default_rng(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = draw.uniform(0.5, 1.5, size=blob.data.shape)
    for name, value in values.items():
        net.blobs[name].data[...] = value
    return net


def tops(net):
    net.forward()
    return {name: blob.data.copy() for name, blob in net.blobs.items() if name.startswith("y")}


def parameters(net):
    return [blob.data.copy() for blobs in net.params.values() for blob in blobs]


def layers(message):
    return [layer for layer in message.layer if layer.name.startswith("y")]


def test_upgraded_text_is_the_same_net(folder):
    assert main(["upgrade_net_proto_text", "net.prototxt", "new.prototxt"]) == 0
    new = prototxt.parse((folder / "new.prototxt").read_text(), caffe_pb2.NetParameter())
    old = prototxt.parse((folder / "net.prototxt").read_text(), caffe_pb2.NetParameter())
    assert list(new.layer) == list(old.layer)
    assert len(layers(new)) == len(CASES)


def test_a_drawing_shows_every_layer(folder):
    assert main(["draw_net", "net.prototxt", "net.dot", "--phase", "TEST"]) == 0
    drawn = (folder / "net.dot").read_text()
    for layer in layers(whole_net(caffe.TEST)[0]):
        assert f"{layer.name}" in drawn
        assert layer.type in drawn


def test_time_has_a_row_for_every_layer(folder, capsys):
    assert main(["time", "-model", "net.prototxt", "-iterations", "1", "-phase", "TEST"]) == 0
    told = "".join(capsys.readouterr())
    for layer in layers(whole_net(caffe.TEST)[0]):
        assert f"{layer.name}\t" in told or f" {layer.name} " in told, layer


def test_features_of_every_layer_are_extracted(folder):
    built().save("w.caffemodel")
    names = [layer.top[0] for layer in layers(whole_net(caffe.TEST)[0])]
    status = main(["extract_features", "w.caffemodel", "net.prototxt", ",".join(names), ",".join(names), "1", "lmdb"])
    assert status == 0
    net = caffe.Net("net.prototxt", caffe.TEST, weights="w.caffemodel")
    net.forward()
    for name in names:
        with lmdb.open(name, readonly=True) as environment, environment.begin() as transaction:
            datum = caffe_pb2.Datum.FromString(next(iter(transaction.cursor()))[1])
        found = net.blobs[name].data
        first = found[0] if found.ndim and found.shape[0] else found
        np.testing.assert_allclose(datum.float_data, np.ravel(first), rtol=1e-5, atol=1e-6)


def test_saved_parameters_load_into_a_net_of_the_same_layers(folder):
    net = built()
    net.save("w.caffemodel")
    net.save_hdf5("w.caffemodel.h5")
    for path in ("w.caffemodel", "w.caffemodel.h5"):
        other = built(seed=1)
        other.copy_from(path)
        for mine, theirs in zip(parameters(other), parameters(net), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    saved = caffemodel.read_message("w.caffemodel")
    for layer, own in zip(layers(saved), layers(whole_net(caffe.TEST)[0]), strict=True):
        layer.ClearField("blobs")
        layer.ClearField("phase")
        for each in (layer, own):  # layers may write down the group that their type means, and which parameters learn
            each.ClearField("param")
            if each.HasField("convolution_param"):
                each.convolution_param.ClearField("group")
        assert layer == own


def test_a_snapshot_goes_on_where_it_stopped(folder):
    message, _ = whole_net(caffe.TRAIN)
    message.ClearField("state")
    prototxt.write("train.prototxt", message)
    (folder / "solver.prototxt").write_text(
        'train_net: "train.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" snapshot_prefix: "s" display: 0'
    )
    solver = caffe.SGDSolver("solver.prototxt")
    for blobs in solver.net.params.values():
        for blob in blobs:
            blob.data[...] = np.random.default_rng(0).uniform(0.5, 1.5, size=blob.data.shape)
            blob.diff[...] = 1
    solver.apply_update()
    solver.snapshot()
    other = caffe.SGDSolver("solver.prototxt")
    (state,) = folder.glob("s_iter_*.solverstate")
    other.restore(str(state))
    for mine, theirs in zip(parameters(other.net), parameters(solver.net), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_shared_parameters_are_the_same_memory(folder):
    net, other = built(), built(seed=1)
    other.share_with(net)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] += 1
    for mine, theirs in zip(parameters(other), parameters(net), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    both = tops(net), tops(other)
    for name, found in both[0].items():
        np.testing.assert_allclose(both[1][name], found, rtol=1e-5, atol=1e-6, err_msg=name)


def test_half_float_weights_are_read(folder):
    net = built()
    pieces = []
    for name, blobs in net.params.items():
        content = caffe_pb2.LayerParameter(name=name, type="X").SerializeToString()
        for blob in blobs:
            half = blob.data.astype("<f2")
            stored = caffe_pb2.BlobProto(raw_data_type=2, raw_data=half.tobytes(), shape={"dim": half.shape})
            content += b"".join(wire.enclose(7, [stored.SerializeToString()]))
        pieces += wire.enclose(100, [content])
    (folder / "half.caffemodel").write_bytes(b"\x0a\x01n" + b"".join(pieces))
    other = built(seed=1)
    other.copy_from("half.caffemodel")
    for mine, theirs in zip(parameters(other), parameters(net), strict=True):
        np.testing.assert_array_equal(mine, theirs.astype(np.float16).astype(np.float32))


def test_the_plan_changes_nothing(monkeypatch):
    planned = tops(built())
    monkeypatch.setattr("caffe.switches.PLAIN", True)
    plain = tops(built())
    for name, found in planned.items():
        np.testing.assert_allclose(plain[name], found, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_gpu_gives_what_the_cpu_gives():
    here = tops(built())
    with pretended_gpu():
        caffe.set_mode_gpu()
        try:
            there = tops(built())
        finally:
            caffe.set_mode_cpu()
    for name, found in here.items():
        np.testing.assert_allclose(there[name], found, rtol=1e-4, atol=1e-5, err_msg=name)
