"""Weights of forks, brought to today's form: not a byte of theirs is lost unless it is said."""

import logging
from pathlib import Path

import pytest

from caffe.errors import FormatError
from caffe.formats import caffemodel, rewrite, wire
from caffe.proto import caffe_pb2

FOREIGN = {
    "a message where BVLC's has required fields": b"".join(wire.enclose(148, [b"\x08\x05"])),
    "bytes that are no message": b"".join(wire.enclose(145, [b"\xff\xff\xff"])),
    "a number where BVLC has a message": wire.varint(148 << 3) + b"\x07",
    "a number that BVLC does not have": b"".join(wire.enclose(8266711, [b"\x08\x05"])),
    "a group": wire.varint(148 << 3 | 3) + b"\x08\x05" + wire.varint(148 << 3 | 4),
}


def net_file(path: Path, *layers: bytes, rest: bytes = b"") -> Path:
    path.write_bytes(b"\x0a\x01n" + rest + b"".join(b"".join(wire.enclose(100, [layer])) for layer in layers))
    return path


def layer(name: str, kind: str, foreign: bytes = b"", **settings: object) -> bytes:
    return caffe_pb2.LayerParameter(name=name, type=kind, **settings).SerializeToString() + foreign  # type: ignore[arg-type]


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_today_stays_as_it_is(foreign: bytes, tmp_path: Path) -> None:
    path = net_file(tmp_path / "w", layer("a", "ROIPooling", foreign))
    pieces, changed, lossless = rewrite.upgraded(path)
    assert (b"".join(pieces), changed, lossless) == (path.read_bytes(), False, True)


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_what_is_upgraded_leaves_foreign_bytes_where_they_are(foreign: bytes, tmp_path: Path) -> None:
    specs = [caffe_pb2.ParamSpec(lr_mult=1) for _ in range(3)]
    blob = caffe_pb2.BlobProto(data=[1, 2], shape=caffe_pb2.BlobShape(dim=[2]))
    inputs = caffe_pb2.NetParameter(input=["x"], input_dim=[1, 2, 3, 4]).SerializeToString()
    layers = [layer("bn", "BatchNorm", foreign, param=specs, blobs=[blob]), layer("a", "Mine", foreign)]
    pieces, changed, lossless = rewrite.upgraded(net_file(tmp_path / "w", *layers, rest=inputs))
    assert changed
    assert lossless
    (tmp_path / "new").write_bytes(b"".join(pieces))
    found = [each.value for each in wire.fields(memoryview(b"".join(pieces)), "new") if each.number == 100]
    assert [caffe_pb2.LayerParameter.FromString(bytes(found[0])).type, len(found)] == ["Input", 3]
    assert foreign in bytes(found[1])
    assert bytes(found[2]) == layers[1]
    known = b"".join(each.raw for each in wire.fields(found[1], "new") if each.number < 100)
    assert [spec.lr_mult for spec in caffe_pb2.LayerParameter.FromString(known).param] == [0, 0, 0]
    assert [weights.name for weights in caffemodel.read(tmp_path / "new")] == ["input", "bn", "a"]
    again = rewrite.upgraded(tmp_path / "new")[0]
    assert b"".join(again) == b"".join(pieces)


@pytest.mark.parametrize("number", [2, 4, 8, 100, 150])
def test_a_group_beside_the_layers_stays(number: int, tmp_path: Path) -> None:
    group = wire.varint(number << 3 | 3) + b"\x08\x05" + wire.varint(number << 3 | 4)
    inputs = caffe_pb2.NetParameter(input=["x"], input_dim=[1, 2, 3, 4]).SerializeToString()
    pieces, changed, lossless = rewrite.upgraded(net_file(tmp_path / "w", layer("a", "Mine"), rest=inputs + group))
    assert (changed, lossless) == (True, True)
    assert group in b"".join(pieces)
    (tmp_path / "new").write_bytes(b"".join(pieces))
    assert [weights.name for weights in caffemodel.read(tmp_path / "new")] == ["input", "a"]


def test_foreign_fields_of_an_old_layer_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = caffe_pb2.V1LayerParameter(name="c", type="CONVOLUTION").SerializeToString()
    foreign = b"".join(wire.enclose(90, [b"\x08\x05"])) + b"".join(wire.enclose(10, [b"\xff\xff"]))
    (tmp_path / "w").write_bytes(b"".join(wire.enclose(2, [old + foreign])))
    with caplog.at_level(logging.ERROR, logger="caffe"):
        pieces, _, lossless = rewrite.upgraded(tmp_path / "w")
    assert not lossless
    assert "layer 'c': left out what only a fork of Caffe knows, field 10, 90" in caplog.text
    net = caffe_pb2.NetParameter.FromString(b"".join(pieces))
    assert [(each.name, each.type) for each in net.layer] == [("c", "Convolution")]


def test_a_type_of_a_fork_is_named(tmp_path: Path) -> None:
    old = caffe_pb2.V1LayerParameter(name="up").SerializeToString() + wire.varint(5 << 3) + wire.varint(42)
    (tmp_path / "w").write_bytes(b"".join(wire.enclose(2, [old])))
    with pytest.raises(FormatError, match="layer .up. is of the type 42, which BVLC Caffe 1.0 does not have.*net.save"):
        rewrite.upgraded(tmp_path / "w")


def test_a_name_that_is_not_text_is_written_as_its_bytes_are_shown(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"".join(wire.enclose(2, [b"\x22\x02\x80\x80" + wire.varint(5 << 3) + b"\x04"])))
    pieces, _, _ = rewrite.upgraded(tmp_path / "w")
    (layer,) = caffe_pb2.NetParameter.FromString(b"".join(pieces)).layer
    assert (layer.name, layer.type) == (r"\x80\x80", "Convolution")
