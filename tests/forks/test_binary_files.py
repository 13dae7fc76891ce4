"""Of a fork's binary file only names, types and blobs are believed; all else stays as its bytes are."""

import numpy as np
import pytest

import caffe
from caffe.cli import main
from caffe.formats import caffemodel, wire
from caffe.proto import caffe_pb2

NET = """
layer { name: "data" type: "DummyData" top: "data"
  dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "scale" type: "Normalize" bottom: "ip" top: "y" norm_param { across_spatial: false } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "ip" top: "loss" }
"""
WEIGHTS = [np.float32([[1, 2, 3], [4, 5, 6]]), np.float32([7, 8])]

LAYER_NUMBERS = (
    *(45, 46, 132, 133, 134, 135, 136, 137, 138, 143, 144, 145, 146, 147, 148, 149, 150, 151),
    *(*range(152, 162), *range(200, 212), 214, 219, 220, 224, 232, 235, 241, *range(600, 604)),
    *(999, 1000, 1001, 6660, 6661, 6662, 6801, 6802, 10000, 10001, 8266711, 8266712, 20000, 20040),
)
"""Numbers that forks have for settings of layers, most of them for different ones, and ours for what two claim."""
INNER_NUMBERS = {
    "convolution_param": (106, (17, 18, 19, 6, 12)),
    "pooling_param": (121, (13, 14, 40, 5)),
    "batch_norm_param": (139, (4, 5, 6, 7, 8, 10, 15)),
    "loss_param": (101, (3, 4, 5)),
    "dropout_param": (108, (2, 3)),
    "transform_param": (100, (8, 9, 10, 11, 208)),
    "image_data_param": (115, (13, 14, 15, 16)),
    "data_param": (107, (8, 10, 11, 3001)),
    "inner_product_param": (117, (7,)),
}
FORMS = {
    "a message": lambda number: b"".join(wire.enclose(number, [b"\x08\x05\x15\x00\x00\x80\x3f"])),
    "bytes that are no message": lambda number: b"".join(wire.enclose(number, [b"\xff\xff\xff"])),
    "a text": lambda number: b"".join(wire.enclose(number, [b"MKLDNN"])),
    "an integer": lambda number: wire.varint(number << 3 | wire.VARINT) + b"\x96\x01",
    "a float": lambda number: wire.varint(number << 3 | wire.I32) + b"\x00\x00\x20\x41",
    "a double": lambda number: wire.varint(number << 3 | wire.I64) + bytes(range(8)),
}


def foreign_settings(form):
    """Every number of a layer that forks contest, and of BVLC Caffe's own messages, in one form of the wire format."""
    inner = [
        b"".join(wire.enclose(place, [b"".join(form(number) for number in numbers)]))
        for place, numbers in INNER_NUMBERS.values()
    ]
    return [*inner, *(form(number) for number in LAYER_NUMBERS)]


def stored(settings=b"", net=b""):
    """The bytes of a fork's caffemodel: of its layers "ip" alone is in NET, with these settings after its blobs."""
    blobs = b""
    for values in WEIGHTS:
        blob = caffe_pb2.BlobProto(data=values.ravel(), shape=caffe_pb2.BlobShape(dim=values.shape))
        blobs += b"".join(wire.enclose(7, [blob.SerializeToString()]))
    content = b"\x0a\x04fork" + net
    for name, kind, own in (("prior", "PriorBox", b""), ("ip", "FcRistretto", blobs), ("odd", "Quux", b"")):
        head = caffe_pb2.LayerParameter(name=name, type=kind, bottom=["a"], top=["b"]).SerializeToString()
        content += b"".join(wire.enclose(100, [head + own + settings]))
    return content


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET, encoding="utf-8")

    def write(content):
        (tmp_path / "fork.caffemodel").write_bytes(content)
        return "fork.caffemodel"

    return write


@pytest.mark.parametrize("form", FORMS)
def test_weights_load_whatever_a_fork_means_by_a_number(written, form):
    for settings in foreign_settings(FORMS[form]):
        net = caffe.Net("net.prototxt", caffe.TEST, weights=written(stored(settings)))
        assert [blob.data.tolist() for blob in net.params["ip"]] == [each.tolist() for each in WEIGHTS]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_today_is_written_again_byte_for_byte(written, form):
    settings = foreign_settings(FORMS[form])
    content = stored(b"".join(settings), net=b"".join(FORMS[form](number) for number in (9, 10, 11, 15, 18, 20000)))
    assert main(["upgrade_net_proto_binary", written(content), "new.caffemodel"]) == 0
    with open("new.caffemodel", "rb") as file:
        assert file.read() == content


@pytest.mark.parametrize("form", FORMS)
def test_what_is_saved_has_the_nets_own_settings_and_the_files_weights(written, form):
    plain = caffe.Net("net.prototxt", caffe.TEST, weights=written(stored()))
    plain.save("plain.caffemodel")
    foreign = caffe.Net("net.prototxt", caffe.TEST, weights=written(stored(b"".join(foreign_settings(FORMS[form])))))
    foreign.save("foreign.caffemodel")
    with open("plain.caffemodel", "rb") as one, open("foreign.caffemodel", "rb") as other:
        assert one.read() == other.read()
    saved = caffemodel.read_message("foreign.caffemodel").layer[1]
    assert (saved.type, saved.inner_product_param.num_output) == ("InnerProduct", 2)


@pytest.mark.parametrize("form", FORMS)
def test_a_snapshot_of_what_goes_on_from_a_forks_file_has_the_nets_own_settings(written, form):
    with open("solver.prototxt", "w", encoding="utf-8") as file:
        file.write('net: "net.prototxt" base_lr: 0 lr_policy: "fixed" snapshot_prefix: "s" display: 0')
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.copy_from(written(stored(b"".join(foreign_settings(FORMS[form])))))
    solver.step(1)
    solver.snapshot()
    by_name = {layer.name: layer for layer in caffemodel.read_message("s_iter_1.caffemodel").layer}
    assert sorted(field.name for field, _ in by_name["ip"].ListFields()) == [
        *("blobs", "bottom", "inner_product_param", "name", "phase", "top", "type"),
    ]
    assert by_name["scale"].norm_param.across_spatial is False
    assert [list(blob.data) for blob in by_name["ip"].blobs] == [each.ravel().tolist() for each in WEIGHTS]


OLD_INNER = {"convolution_param": (10, (17, 18, 19, 12)), "pooling_param": (19, (13, 14)), "loss_param": (42, (3, 4))}


def test_layers_of_2014_keep_the_bytes_of_their_blobs_and_settings(written):
    """Field 17 of a convolution is DeepLab's hole, 2, where BVLC Caffe has a truth value; blobs are C3D's."""
    integer = FORMS["an integer"]
    settings = {place: b"".join(integer(number) for number in numbers) for place, numbers in OLD_INNER.values()}
    shape = b"".join(wire.varint(number << 3) + b"\x01" for number in range(1, 5)) + b"\x28\x03"
    blob = shape + b"".join(wire.packed(6, np.float32([1, 2, 3]), "<f4"))
    layer = b"\x22\x01c" + b"".join(wire.enclose(6, [blob])) + b"\x28\x04"
    layer += b"".join(b"".join(wire.enclose(place, [value])) for place, value in settings.items())
    content = b"".join(wire.enclose(2, [layer]))
    assert main(["upgrade_net_proto_binary", written(content), "new.caffemodel"]) == 0
    (new,) = caffemodel.read("new.caffemodel")
    assert (new.name, new.type, new.blobs[0].ravel().tolist()) == ("c", "Convolution", [1, 2, 3])
    with open("new.caffemodel", "rb") as file:
        (found,) = wire.fields(memoryview(file.read()), "new")
    fields = {each.number: bytes(each.value) for each in wire.fields(found.value, "new")}
    assert fields == {1: b"c", 2: b"Convolution", 7: blob, 106: settings[10], 121: settings[19], 101: settings[42]}
    assert list(fields) == sorted(fields)


def test_transformations_of_a_data_layer_of_2014_are_moved_where_they_are_today(written):
    old = caffe_pb2.NetParameter()
    first = old.layers.add(name="a", type="DATA")
    first.data_param.mirror = True
    first.data_param.source = "x"
    second = old.layers.add(name="b", type="DATA")
    second.data_param.source = "y"
    second.transform_param.crop_size = 3
    assert main(["upgrade_net_proto_binary", written(old.SerializeToString()), "new.caffemodel"]) == 0
    new = caffemodel.read_message("new.caffemodel").layer
    assert [each.transform_param.mirror for each in new] == [True, False]
    assert [each.data_param.source for each in new] == ["x", "y"]
    assert [each.transform_param.crop_size for each in new] == [0, 3]
    assert not new[0].data_param.HasField("mirror")


def test_a_forks_type_of_2014_loads_by_its_name_and_is_not_written_under_a_guessed_one(written, capsys):
    blob = caffe_pb2.BlobProto(data=[1, 2, 3, 4, 5, 6], shape=caffe_pb2.BlobShape(dim=[2, 3])).SerializeToString()
    bias = caffe_pb2.BlobProto(data=[7, 8], shape=caffe_pb2.BlobShape(dim=[2])).SerializeToString()
    layer = b"\x22\x02ip" + b"".join(wire.enclose(6, [blob]) + wire.enclose(6, [bias])) + b"\x28\x2a"
    path = written(b"".join(wire.enclose(2, [layer])))
    net = caffe.Net("net.prototxt", caffe.TEST, weights=path)
    assert [blob.data.tolist() for blob in net.params["ip"]] == [each.tolist() for each in WEIGHTS]
    assert main(["upgrade_net_proto_binary", path, "new.caffemodel"]) == 1
    assert "layer 'ip' is of the type 42" in capsys.readouterr().err
