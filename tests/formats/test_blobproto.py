"""One blob, between bytes, messages and arrays."""

import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import binaryproto, blobproto
from caffe.proto import caffe_pb2


def decode(*parts: str) -> blobproto.BlobArrays:
    """The blob in bytes written as hex."""
    return blobproto.decode(memoryview(bytes.fromhex("".join(parts))), "x")


def test_todays_shape() -> None:
    blob = decode(
        "2a 08 0000803f 000000c0",  # data, packed: 1.0, -2.0
        "32 08 00000040 00004040",  # diff, packed: 2.0, 3.0
        "3a 04 0a 02 02 01",  # shape { dim, packed: 2, 1 }
    )
    np.testing.assert_array_equal(blob.data, np.array([[1], [-2]], np.float32))
    np.testing.assert_array_equal(blob.diff, np.array([[2], [3]], np.float32))


def test_legacy_shape_stays_4d() -> None:
    blob = decode(
        "08 01 10 01 18 01 20 02",  # num, channels, height: 1, width: 2
        "2a 08 0000803f 000000c0",
    )
    assert blob.data.shape == (1, 1, 1, 2)
    assert blob.diff is None


def test_unpacked_floats() -> None:
    blob = decode("08 01 10 01 18 01 20 02", "2d 0000803f", "2d 000000c0")
    assert blob.data.ravel().tolist() == [1.0, -2.0]


def test_packed_and_unpacked_in_pieces() -> None:
    blob = decode("2d 0000803f", "3a 02 08 03", "2a 04 00000040", "2a 04 00004040")  # shape { dim, unpacked: 3 }
    assert blob.data.tolist() == [1.0, 2.0, 3.0]


def test_doubles_win_over_floats() -> None:
    blob = decode(
        "42 10 000000000000f03f 0000000000000040",  # double_data, packed: 1.0, 2.0
        "4a 10 0000000000000840 0000000000001040",  # double_diff, packed: 3.0, 4.0
        "3a 02 08 02",
        "2a 08 00000000 00000000",
    )
    assert blob.data.dtype == np.float32
    assert blob.data.tolist() == [1.0, 2.0]
    assert blob.diff is not None
    assert blob.diff.tolist() == [3.0, 4.0]


def test_scalar_and_empty() -> None:
    assert decode("2a 04 0000803f").data.shape == ()
    assert decode("3a 04 0a 02 03 00").data.shape == (3, 0)


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        ("3a 02 08 02 2a 04 0000803f", r"shape 2 has 1 values of data, expected 2"),
        ("3a 02 08 01", r"shape 1 has 0 values of data, expected 1"),
        ("", r"shape \(\) has 0 values of data, expected 1"),
        ("3a 02 08 01 2a 04 0000803f 32 08 0000000000000000", "values of diff"),
        ("3a 0b 08 ffffffffffffffffff01 2a 04 0000803f", "no extent negative"),  # dim: -1
        ("08 ffffffffffffffffff01 10 01 18 01 20 01", "no extent negative"),  # num: -1
        ("3a 06 08 ffffffff0f", "2,147,483,647 values"),  # dim: 2^32 - 1
        ("3a 0c 08 ffffff07 08 ffffff07 08 00", None),  # 2^24-1 × 2^24-1 × 0: no values, so no memory
        ("3a 42" + "0801" * 33, "at most 32 axes"),
        ("3a 02 08", "cannot be read|truncated"),
        ("3a 01 08", "cannot be read"),
    ],
)
def test_shapes_are_checked_before_memory_is_taken(encoded: str, words: str | None) -> None:
    if words is None:
        assert decode(encoded).data.size == 0
        return
    with pytest.raises(FormatError, match=words):
        decode(encoded)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3), (2, 1, 3, 2), (1, 2, 1, 2, 1, 2)])
@pytest.mark.parametrize("with_diff", [False, True])
def test_round_trip_and_protobuf_agrees(shape: tuple[int, ...], with_diff: bool) -> None:
    generator = np.random.default_rng(1)
    data = generator.standard_normal(shape).astype(np.float32)
    diff = generator.standard_normal(shape).astype(np.float32) if with_diff else None
    encoded = b"".join(blobproto.encode(data, diff))
    decoded = blobproto.decode(memoryview(encoded), "x")
    np.testing.assert_array_equal(decoded.data, data)
    assert decoded.diff is None or np.array_equal(decoded.diff, diff)
    parsed = caffe_pb2.BlobProto.FromString(encoded)
    np.testing.assert_array_equal(binaryproto.blobproto_to_array(parsed), data)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, ">f4"])
def test_other_types_and_layouts_are_written_as_floats(dtype: str) -> None:
    data = np.arange(6).reshape(2, 3).astype(dtype).T
    decoded = blobproto.decode(memoryview(b"".join(blobproto.encode(data))), "x")
    np.testing.assert_array_equal(decoded.data, data.astype(np.float32))


def test_messages_as_pycaffe_has_them() -> None:
    data, diff = np.arange(6.0).reshape(1, 2, 3), np.ones((1, 2, 3))
    blob = binaryproto.array_to_blobproto(data, diff)
    assert list(blob.shape.dim) == [1, 2, 3]
    assert binaryproto.blobproto_to_array(blob).dtype == np.float64
    np.testing.assert_array_equal(binaryproto.blobproto_to_array(blob), data)
    np.testing.assert_array_equal(binaryproto.blobproto_to_array(blob, return_diff=True), diff)
    legacy = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=1, data=[3, 4])
    assert binaryproto.blobproto_to_array(legacy).shape == (1, 2, 1, 1)
    doubles = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2]), double_data=[0.1, 0.2])
    assert binaryproto.blobproto_to_array(doubles).tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    ("kind", "dtype"), [("00", "<f8"), ("01", "<f4"), ("02", "<f2"), ("03", "<i4"), ("04", "<u4"), ("", "<f8")]
)
def test_raw_numbers_of_any_type_are_read(kind: str, dtype: str) -> None:
    values, diffs = np.array([1, 2, 3], dtype), np.array([4, 5, 6], "<f2")
    blob = decode(
        "3a 03 0a 01 03",  # shape { dim: 3 }
        f"50 {kind}" if kind else "",  # raw_data_type
        "58 02",  # raw_diff_type
        f"62 {values.nbytes:02x} {values.tobytes().hex()}",
        f"6a {diffs.nbytes:02x} {diffs.tobytes().hex()}",
    )
    assert blob.data.dtype == np.float32
    assert blob.data.tolist() == [1, 2, 3]
    assert blob.diff is not None
    assert blob.diff.tolist() == [4, 5, 6]


def test_raw_numbers_of_an_unknown_type_and_too_few_of_them_are_refused() -> None:
    with pytest.raises(FormatError, match="x: raw_data is of the type 9, expected 0 to 4"):
        decode("3a 03 0a 01 01", "50 09", "62 02 003c")
    with pytest.raises(FormatError, match="shape 2 has 1 values of data"):
        decode("3a 03 0a 01 02", "50 02", "62 02 003c")


def test_blobs_of_c3d_have_five_axes() -> None:
    blob = decode("08 01 10 01 18 02 20 01 28 02", "32 10 0000803f 00000040 00004040 00008040")
    assert blob.data.shape == (1, 1, 2, 1, 2)
    assert blob.data.ravel().tolist() == [1, 2, 3, 4]


def test_a_blob_in_very_many_pieces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobproto, "_MOST_PIECES", 100)
    with pytest.raises(FormatError, match="50 values of data"):
        decode("2d 0000803f 35 0000803f" * 50)
    with pytest.raises(FormatError, match="pieces"):
        decode("2d 0000803f 35 0000803f" * 51)
