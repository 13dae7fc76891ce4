"""Binary files as text."""

from pathlib import Path

import numpy as np
import pytest

from caffe.formats import binaryproto, caffemodel, hdf5, solverstate, summary
from caffe.proto import caffe_pb2

W = np.array([[1, 2, 3], [4, 5, -6]], np.float32)


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in summary.summarize(str(path)).splitlines()]


def test_weights(tmp_path: Path) -> None:
    net = caffe_pb2.NetParameter(
        layer=[caffe_pb2.LayerParameter(name=n, type=t) for n, t in (("r", "ReLU"), ("i", "Ip"))]
    )
    caffemodel.write(tmp_path / "w", net, [[], [(W, None), (W[0], None)]])
    assert lines(tmp_path / "w") == [
        [f"{tmp_path}/w:", "weights,", "2", "layers,", "9", "values"],
        ["r", "ReLU"],
        ["i", "Ip", "2×3", "min", "-6", "mean", "1.5", "max", "5"],
        ["3", "min", "1", "mean", "2", "max", "3"],
    ]


def test_hdf5(tmp_path: Path) -> None:
    hdf5.write(tmp_path / "w", [("i", [(None, None), (np.zeros((0, 2)), None)])])
    assert lines(tmp_path / "w")[1:] == [["i", "shared"], ["0×2"]]


@pytest.mark.parametrize("name", ["s", "s.h5"])
def test_state(name: str, tmp_path: Path) -> None:
    solverstate.write(tmp_path / name, solverstate.State(3, "w.caffemodel", [W], 1))
    head, history = lines(tmp_path / name)
    assert " ".join(head[1:]) == "solver state, iter 3, current_step 1, learned_net 'w.caffemodel'"
    assert history == ["history", "0", "2×3", "min", "-6", "mean", "1.5", "max", "5"]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binaryproto.write(tmp_path / "mean", W)
    (tmp_path / "text").write_text("name: 'x'")
    assert summary.main([str(tmp_path / "mean")]) == 0
    assert "one blob" in capsys.readouterr().out
    assert summary.main([str(tmp_path / "text"), str(tmp_path / "mean")]) == 1
    captured = capsys.readouterr()
    assert "found text, such as a prototxt" in captured.err
    assert "one blob" in captured.out
    assert summary.main([]) == 1
    assert "python -m caffe.formats.summary" in capsys.readouterr().out
