"""A file is there whole, or as it was before."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import atomic, binaryproto, hdf5
from caffe.formats.atomic import open_atomic, remove_leftovers, replacing


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
    with pytest.raises(FormatError, match="not written .*Correct the path"), open_atomic("a\0b"):
        pass


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    with open_atomic(os.fsencode(tmp_path / "file")) as file:
        file.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


def _left(folder: Path, name: str, pid: int, host: str) -> Path:
    path = folder / f"{name}.{pid}-{host}beef.tmp"
    path.write_bytes(b"half")
    return path


def _ended() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_killed_processes_left_of_a_file_goes_when_it_is_written_again(tmp_path: Path) -> None:
    elsewhere = f"{int(atomic._host(), 16) ^ 1:04x}"
    gone = [
        _left(tmp_path, "file", _ended(), atomic._host()),
        _left(tmp_path, "file", os.getpid(), atomic._host()),  # of an earlier process with our number
    ]
    kept = [
        _left(tmp_path, "file", os.getppid(), atomic._host()),
        _left(tmp_path, "file", _ended(), elsewhere),  # nobody can know from here whether it runs
        _left(tmp_path, "other", _ended(), atomic._host()),
    ]
    with open_atomic(tmp_path / "file") as one, open_atomic(tmp_path / "file") as two:
        one.write(b"one")
        two.write(b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert not any(path.exists() for path in gone)
    assert {path.name for path in tmp_path.iterdir()} == {"file", *(path.name for path in kept)}


def test_a_writer_that_was_killed_leaves_a_file_that_is_known_as_such(tmp_path: Path) -> None:
    lines = "import os; from caffe.formats.atomic import open_atomic; c = open_atomic('x'); c.__enter__(); os._exit(9)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    assert subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, env=environment, check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    assert remove_leftovers(str(tmp_path), "y") == []
    assert remove_leftovers(str(tmp_path), "x") == [str(left)]
    assert not left.exists()


def test_who_writes_alone_removes_what_other_machines_left(tmp_path: Path) -> None:
    left = _left(tmp_path, "file", 1, "0000" if atomic._host() != "0000" else "0001")
    assert remove_leftovers(str(tmp_path), "file", alone=True) == [str(left)]


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
