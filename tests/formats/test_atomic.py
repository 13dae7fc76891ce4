"""A file is there whole, or as it was before."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import binaryproto, hdf5
from caffe.formats.atomic import open_atomic, replacing


def test_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    for content in (b"one", b"two"):
        with open_atomic(path) as file:
            file.write(content)
            assert not path.exists() or path.read_bytes() == b"one"
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_write_leaves_the_old_file(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: int) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "mean.binaryproto"
    binaryproto.write(path, np.zeros(3))
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", failing)
    words = "no space left on the device" if code == errno.ENOSPC else "Input/output error"
    with pytest.raises(FormatError, match=f"mean.binaryproto: not written.*{words}"):
        binaryproto.write(path, np.ones(3))
    with pytest.raises(FormatError, match=words):
        hdf5.write(path, [("ip", [(np.ones(3), None)])])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["mean.binaryproto"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with open_atomic(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "below", tmp_path):
        with pytest.raises(FormatError, match="not written"), open_atomic(path) as file:
            file.write(b"x")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with open_atomic(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_device_is_written_and_not_replaced() -> None:
    with replacing("/dev/null") as name:
        assert name == "/dev/null"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
