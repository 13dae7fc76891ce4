"""Mean files."""

from pathlib import Path

import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import binaryproto
from caffe.proto import caffe_pb2

MEAN = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)


def test_round_trip(tmp_path: Path) -> None:
    binaryproto.write(tmp_path / "mean.binaryproto", MEAN)
    mean = binaryproto.read(tmp_path / "mean.binaryproto")
    np.testing.assert_array_equal(mean, MEAN)
    mean += 1  # its own memory


def test_legacy_file(tmp_path: Path) -> None:
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=3, width=4, data=MEAN.ravel())
    (tmp_path / "mean").write_bytes(blob.SerializeToString())
    np.testing.assert_array_equal(binaryproto.read(str(tmp_path / "mean")), MEAN)


def test_every_truncation_is_seen(tmp_path: Path) -> None:
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=3, width=4, data=MEAN.ravel())
    for whole in (blob.SerializeToString(), binaryproto.array_to_blobproto(MEAN).SerializeToString()):
        for length in range(len(whole)):
            (tmp_path / "mean").write_bytes(whole[:length])
            with pytest.raises(FormatError):
                binaryproto.read(tmp_path / "mean")
