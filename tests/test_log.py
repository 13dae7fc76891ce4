"""The log as glog's readers expect it."""

import os
import re
import subprocess
import sys

import pytest

from caffe import errors
from caffe.log import init_log, log

LINE = re.compile(r"([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d{6}) +(\d+) ([^:]+):(\d+)\] (.*)")


def test_format(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("Iteration %d, loss = %g", 20, 0.5)
    log.warning("100%")
    log.error("two\nlines")
    log("called")
    log.debug("below INFO")
    lines = capsys.readouterr().err.splitlines()
    matches = [LINE.fullmatch(line) for line in lines if line != "lines"]
    assert [each and (each[1], each[4], each[6]) for each in matches] == [
        ("I", "test_log.cpp", "Iteration 20, loss = 0.5"),
        ("W", "test_log.cpp", "100%"),
        ("E", "test_log.cpp", "two"),
        ("I", "test_log.cpp", "called"),
    ]
    assert lines[0].split()[8] == "0.5"  # the ninth word, which parse_log.sh takes


@pytest.mark.parametrize(("level", "letters"), [(0, "IWE"), (1, "WE"), (2, "E"), (3, "")])
def test_levels(level: int, letters: str, capsys: pytest.CaptureFixture[str]) -> None:
    init_log(level)
    log.info("x")
    log.warning("x")
    log.error("x")
    init_log(0)
    assert "".join(line[0] for line in capsys.readouterr().err.splitlines()) == letters


@pytest.mark.parametrize(("value", "count"), [("0", 2), ("2", 1), ("nonsense", 2)])
def test_environment(value: str, count: int) -> None:
    code = "from caffe.log import log; log.info('x'); log.error('y')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "GLOG_minloglevel": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stderr.splitlines()) == count


def test_the_drawn_tree_is_the_real_one() -> None:
    members = [each for each in vars(errors).values() if isinstance(each, type)]
    classes = [each for each in members if each.__module__ == errors.__name__]
    for each in classes:
        assert re.search(rf"\b{each.__name__}\b", errors.__doc__ or "")
        assert issubclass(each, RuntimeError)
    assert errors.ShapeError.__base__ is errors.NetError
