"""Binary weights: three generations by their bytes, round trips, damage."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from caffe.errors import FormatError, UsageError
from caffe.formats import binaryproto, caffemodel, summary, weight_files, wire
from caffe.proto import caffe_pb2

SHARED = Path(os.environ.get("FCN_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
SQUEEZENET = SHARED / "squeezenet_v1.1" / "squeezenet_v1.1.caffemodel"
BLOB = "08 01 10 01 18 01 20 02  2a 08 0000803f 000000c0"  # 1×1×1×2: 1.0, -2.0; 18 bytes


def by_hand(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts))


V2 = by_hand(
    "0a 03 6e6574",  # name: "net"
    "a206 28",  # layer, 40 bytes
    "  0a 02 6970",  # name: "ip"
    "  12 0c 496e6e657250726f64756374",  # type: "InnerProduct"
    "  3a 12",  # blobs, 18 bytes
    BLOB,
    "  50 00",  # phase: TRAIN
)
V1 = by_hand(
    "12 1a",  # layers, 26 bytes
    "  22 02 6970",  # name: "ip"
    "  28 0e",  # type: INNER_PRODUCT = 14
    "  32 12",  # blobs, 18 bytes
    BLOB,
)
V0 = by_hand(
    "12 29",  # layers, 41 bytes
    "  0a 27",  # layer, 39 bytes
    "    0a 02 6970",  # name: "ip"
    "    12 0c 696e6e657270726f64756374",  # type: "innerproduct"
    "    9203 12",  # blobs, field 50, 18 bytes
    BLOB,
    "1a 01 78",  # input: "x"
)
GENERATIONS = {"V2": V2, "V1": V1, "V0": V0}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_old_and_new_files(generation: str, tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    path.write_bytes(GENERATIONS[generation])
    (layer,) = caffemodel.read(path)
    assert (layer.name, layer.type) == ("ip", "InnerProduct")
    np.testing.assert_array_equal(layer.blobs[0], np.array([[[[1, -2]]]], np.float32))
    assert layer.diffs == [None]
    message = caffemodel.read_net(path)
    assert message.layer[0].type == "InnerProduct"
    assert list(message.layer[0].blobs[0].data) == [1, -2]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_truncation_is_seen(generation: str, tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    whole = GENERATIONS[generation]
    without_input = len(whole) - 3 if generation == "V0" else len(whole)
    for length in range(without_input):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=re.escape(str(path))):
            caffemodel.read(path)


@pytest.mark.parametrize("number", [1, 2, 5, 6, 7, 50, 100, 145])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_groups_change_nothing_wherever_they_stand(generation: str, number: int, tmp_path: Path) -> None:
    group = wire.varint(number << 3 | 3) + by_hand("0a 01 78 13 14") + wire.varint(number << 3 | 4)

    def around(field: int, *parts: bytes) -> bytes:
        return b"".join(wire.enclose(field, [group, *parts, group]))

    name, blob = by_hand("6970"), by_hand(BLOB)
    layers = {
        "V2": lambda: around(100, by_hand("0a 02"), name, around(7, blob)),
        "V1": lambda: around(2, by_hand("22 02"), name, by_hand("28 0e"), around(6, blob)),
        "V0": lambda: around(2, around(1, by_hand("0a 02"), name, around(50, blob))),
    }
    (tmp_path / "w.caffemodel").write_bytes(group + layers[generation]() + group)
    (layer,) = caffemodel.read(tmp_path / "w.caffemodel")
    assert (layer.name, np.ravel(layer.blobs[0]).tolist()) == ("ip", [1, -2])


def test_upgrade_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.caffemodel").write_bytes(V1)
    caffemodel.read(tmp_path / "w.caffemodel")
    assert f"deprecated V1LayerParameter: {tmp_path}/w.caffemodel" in capsys.readouterr().err


def net_and_blobs() -> tuple[caffe_pb2.NetParameter, list[list[tuple[np.ndarray, np.ndarray | None]]]]:
    generator = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    net = caffe_pb2.NetParameter(name="net")
    net.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add(dim=[1, 3, 4, 4])
    net.layer.add(name="conv/1x1", type="Convolution", phase=0).convolution_param.num_output = 2
    net.layer.add(name="bn", type="BatchNorm").include.add(phase=1)
    return net, [[], [(draw(2, 3, 1, 1), None), (draw(2), draw(2))], [(draw(0), None)]]


def test_round_trip(tmp_path: Path) -> None:
    net, blobs = net_and_blobs()
    path = tmp_path / "made" / "on" / "demand.caffemodel"
    caffemodel.write(path, net, blobs)
    layers = caffemodel.read(path)
    assert [(layer.name, layer.type) for layer in layers] == [(layer.name, layer.type) for layer in net.layer]
    for layer, arrays in zip(layers, blobs, strict=True):
        for blob, diff, (data, gradient) in zip(layer.blobs, layer.diffs, arrays, strict=True):
            np.testing.assert_array_equal(blob, data)
            assert (diff is None) == (gradient is None)
            assert diff is None or np.array_equal(diff, gradient)


def test_same_bytes_as_protobuf(tmp_path: Path) -> None:
    net, blobs = net_and_blobs()
    caffemodel.write(tmp_path / "w", net, blobs)
    for layer, arrays in zip(net.layer, blobs, strict=True):
        for data, diff in arrays:
            layer.blobs.add(data=data.ravel(), shape=caffe_pb2.BlobShape(dim=data.shape))
            if diff is not None:
                layer.blobs[-1].diff.extend(diff.ravel())
    assert (tmp_path / "w").read_bytes() == net.SerializeToString()


def test_arrays_are_views_of_the_file(tmp_path: Path) -> None:
    net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="big")])
    caffemodel.write(tmp_path / "w", net, [[(np.zeros((64, 1 << 18), np.float32), None)]])  # 64 MiB
    (layer,) = caffemodel.read(tmp_path / "w")
    blob = layer.blobs[0]
    assert blob is not None
    assert not blob.flags.owndata
    assert not blob.flags.writeable
    assert not blob.any()
    with (tmp_path / "w").open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"@" * 16)
    assert blob.any()  # nothing was copied
    (tmp_path / "w").unlink()
    assert blob.any()  # the mapping outlives the name


def test_an_original_file() -> None:
    if not SQUEEZENET.exists():
        pytest.skip(f"no {SQUEEZENET}: set FCN_SHARED_DATA")
    ours, whole = caffemodel.read(SQUEEZENET), caffe_pb2.NetParameter.FromString(SQUEEZENET.read_bytes())
    assert [(layer.name, layer.type) for layer in ours] == [(layer.name, layer.type) for layer in whole.layer]
    assert sum(blob.size for layer in ours for blob in layer.blobs if blob is not None) == 1_235_496
    for layer, message in zip(ours, whole.layer, strict=True):
        for blob, proto in zip(layer.blobs, message.blobs, strict=True):
            np.testing.assert_array_equal(blob, binaryproto.blobproto_to_array(proto))


def test_settings_of_forks_are_not_parsed(tmp_path: Path) -> None:
    fork = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="up", type="Upsample")]).SerializeToString()
    body = fork[3:] + by_hand("fa08 02 ffff")  # field 143, in Caffe a message: no message at all
    (tmp_path / "w").write_bytes(by_hand("a206") + wire.varint(len(body)) + body)
    assert caffemodel.read(tmp_path / "w")[0].type == "Upsample"
    with pytest.raises(FormatError, match="Failed to parse NetParameter file"):
        caffemodel.read_net(tmp_path / "w")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("0a 03 6e6574", "holds no layers"),
        ("a206 04 3a 02 ffff", "truncated"),
        ("a206 02 38 01", "expected a message"),
        ("a206 06 0a 01 61 3a 01 2a", r"layer 'a': truncated"),
        ("a206 0a 0a 01 61 3a 05 3a 03 08 8050", r"layer 'a': .*shape 10240 has 0 values"),
        ("12 02 0801", "expected a message"),
    ],
)
def test_damaged_files_name_the_place(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "w.caffemodel").write_bytes(by_hand(content))
    with pytest.raises(FormatError, match=words) as caught:
        caffemodel.read(tmp_path / "w.caffemodel")
    assert "w.caffemodel" in str(caught.value)


def test_too_big_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BYTES", 20)
    with pytest.raises(FormatError, match="Save as HDF5"):
        caffemodel.write(tmp_path / "w", *net_and_blobs())
    assert not list(tmp_path.iterdir())


def test_blobs_must_belong_to_the_layers(tmp_path: Path) -> None:
    net, blobs = net_and_blobs()
    with pytest.raises(UsageError, match="2 lists of blobs for 3 layers"):
        caffemodel.write(tmp_path / "w", net, blobs[1:])


def test_missing_file() -> None:
    with pytest.raises(FormatError, match=r"Could not open file nowhere\.caffemodel"):
        weight_files.read("nowhere.caffemodel")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_name_in_another_encoding_is_read_with_its_bytes_written_out(tmp_path: Path, generation: str) -> None:
    path = tmp_path / "w.caffemodel"
    path.write_bytes(GENERATIONS[generation].replace(b"\x02ip", b"\x02\xb2\xe3"))  # GBK
    (layer,) = caffemodel.read(path)
    assert (layer.name, layer.type) == (r"\xb2\xe3", "InnerProduct")
    assert r"\xb2\xe3" in summary.summarize(str(path))
    assert any(each.name == r"\xb2\xe3" for each in caffemodel.read_net(path).layer)
