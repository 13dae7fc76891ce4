"""Protobuf's bytes: numbers annotated, damaged messages refused."""

import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import wire
from caffe.proto import caffe_pb2

F4, F8 = np.dtype("<f4"), np.dtype("<f8")


def message(text: str) -> memoryview:
    """Bytes written in hex."""
    return memoryview(bytes.fromhex(text))


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32, "8080808010")]
)
def test_varint(number: int, encoded: str) -> None:
    assert wire.varint(number).hex() == encoded
    assert wire.read_varint(message(encoded), 0, "") == (number, len(encoded) // 2)


def test_fields_are_views_of_the_message() -> None:
    whole = message(
        "0a 03 616263"  # 1, LEN: "abc"
        "10 ac02"  # 2, VARINT: 300
        "2d 0000803f"  # 5, I32: 1.0
        "a206 00"  # 100, LEN: empty
    )
    fields = list(wire.fields(whole, "x"))
    assert [(each.number, each.wire) for each in fields] == [(1, 2), (2, 0), (5, 5), (100, 2)]
    assert bytes(fields[0].value) == b"abc"
    assert b"".join(each.raw for each in fields) == bytes(whole)


def test_a_group_is_a_field_that_is_passed_over_whole() -> None:
    group = (
        "0b"  # 1, GROUP:
        "10 0b"  # 2, VARINT
        "2d 0c0c0c0c 41 0c0c0c0c0c0c0c0c"  # 5, I32 and 8, I64
        "12 01 0c"  # 2, LEN
        "1b 0b 0c 1c"  # groups in a group
        "0c"
    )
    first, last = wire.fields(message(group + "10 01"), "x")
    assert (first.number, first.wire, bytes(first.raw)) == (1, wire.GROUP, bytes.fromhex(group))
    assert last.number == 2
    assert len(list(wire.fields(message("0b" * 100 + "0c" * 100), "x"))) == 1


def test_packed_floats_are_not_copied() -> None:
    whole = message("2a 08 0000803f 00000040")  # 5, LEN: 1.0, 2.0
    (field,) = wire.fields(whole, "x")
    values = field.array(F4, "x")
    assert values.tolist() == [1.0, 2.0]
    assert np.shares_memory(values, np.frombuffer(whole, np.uint8))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9, 1000])
@pytest.mark.parametrize("after", ["", "10 01", "35 0000803f", "0a 02 2d2d"])
def test_unpacked_floats_are_one_run(count: int, after: str) -> None:
    run = b"".join(b"\x2d" + np.float32(i).tobytes() for i in range(count))
    first, *rest = wire.fields(memoryview(run + bytes.fromhex(after)), "x")
    assert first.array(F4, "x").tolist() == list(range(count))
    assert len(rest) == bool(after)


def test_unpacked_doubles_and_tags_of_two_bytes() -> None:
    one, two = np.float64(1).tobytes(), np.float64(2).tobytes()
    (field,) = wire.fields(memoryview(b"\x41" + one + b"\x41" + two), "x")  # field 8, I64
    assert field.array(F8, "x").tolist() == [1.0, 2.0]
    (field,) = wire.fields(memoryview(b"\xc1\x3e" + one + b"\xc1\x3e" + two), "x")  # field 1000, I64
    assert field.number == 1000
    assert field.array(F8, "x").tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        ("0a", "truncated"),
        ("0a 05 6162", "field 1 needs 3 bytes more"),
        ("0a ff", "truncated"),
        ("10", "truncated"),
        ("2d 0000", "field 5 needs 2 bytes more"),
        ("41 00000000", "field 8 needs 4 bytes more"),
        ("0b", "truncated"),
        ("0b 10 01", "truncated"),
        ("0b 12 05 61 0c", "truncated"),
        ("0b 14", "a group .field 1. that does not end"),
        ("0b 02 00 0c", "numbered 0"),
        ("0b" * 101 + "0c" * 101, "more than 100 in each other"),
        ("0c", "unknown wire type 4"),
        ("0e 00", "unknown wire type 6"),
        ("02 00", "numbered 0"),
        ("0a ffffffffffffffffffff01", "more than 10 bytes"),
        ("0a ffffffffffffffff7f", "field 1 needs"),
    ],
)
def test_damaged_messages(encoded: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        list(wire.fields(message(encoded), "weights.bin"))
    assert "weights.bin" in str(caught.value)


@pytest.mark.parametrize("encoded", ["2a 03 000080", "28 05", "29 0000000000000000"])
def test_no_array_of_floats(encoded: str) -> None:
    (field,) = wire.fields(message(encoded), "x")
    with pytest.raises(FormatError, match="no array of 4-byte numbers"):
        field.array(F4, "x")


def test_pieces_are_what_protobuf_writes() -> None:
    values = np.arange(300, dtype=np.float32)
    blob = caffe_pb2.BlobProto(data=values)
    pieces = wire.packed(5, values, "<f4")
    assert b"".join(pieces) == blob.SerializeToString()
    assert np.shares_memory(np.frombuffer(pieces[-1], np.float32), values)
    layer = caffe_pb2.LayerParameter(blobs=[blob])
    assert b"".join(wire.enclose(7, pieces)) == layer.SerializeToString()


def test_too_big_for_protobuf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BYTES", 5)
    wire.check_size([b"12", memoryview(b"345")], "x")
    with pytest.raises(FormatError, match=r"x: .* 6 bytes, .* at most 5\. Save as HDF5"):
        wire.check_size([b"12", memoryview(b"3456")], "x")
