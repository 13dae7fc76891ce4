import csv

import pytest

from caffe.cli import parse_log, plot_training_log

LOG = """\
Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg
I1231 23:59:50.000000  7 solver.cpp:279] Solving net
I1231 23:59:51.000000  7 solver.cpp:337] Iteration 0, Testing net (#0)
I1231 23:59:52.500000  7 solver.cpp:404]     Test net output #0: accuracy = 0.25
I1231 23:59:52.500000  7 solver.cpp:404]     Test net output #1: loss = 1.4 (* 1 = 1.4 loss)
I1231 23:59:53.000000  7 solver.cpp:228] Iteration 0 (-1.55e-33 iter/s, 1s/5 iters), loss = 1.5
I1231 23:59:53.000000  7 solver.cpp:244]     Train net output #0: loss = 1.5 (* 1 = 1.5 loss)
I1231 23:59:53.000000  7 sgd_solver.cpp:106] Iteration 0, lr = 0.01
I0101 00:00:10.250000  7 solver.cpp:228] Iteration 5 (0.3 iter/s, 16s/5 iters), loss = 1.2e-01
I0101 00:00:10.250000  7 solver.cpp:244]     Train net output #0: loss = nan (* 1 = nan loss)
I0101 00:00:10.250000  7 sgd_solver.cpp:106] Iteration 5, lr = 1e-03
I0101 00:00:11.000000  7 solver.cpp:337] Iteration 10, Testing net (#0)
I0101 00:00:12.000000  7 solver.cpp:404]     Test net output #0: accuracy = 0.5
I0101 00:00:12.000000  7 solver.cpp:404]     Test net output #1: loss = 1.1 (* 1 = 1.1 loss)
"""


@pytest.fixture
def log(folder):
    (folder / "train.log").write_text(LOG)
    return "train.log"


def rows(path, delimiter=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_parse_log(log, run, folder):
    status, _, err = run(f"parse_log --verbose {log} tables")
    assert status == 0
    assert "Wrote tables/train.log.train" in err
    assert rows(folder / "tables/train.log.train") == [
        ["NumIters", "Seconds", "LearningRate", "loss"],
        ["0", "3.0", "0.01", "1.5"],
        ["5", "20.25", "0.01", "nan"],
    ]
    assert rows(folder / "tables/train.log.test") == [
        ["NumIters", "Seconds", "LearningRate", "accuracy", "loss"],
        ["0", "2.5", "0.001", "0.25", "1.4"],
        ["10", "22.0", "0.001", "0.5", "1.1"],
    ]


def test_delimiter_and_a_log_without_tests(run, folder):
    (folder / "a.log").write_text("".join(line for line in LOG.splitlines(True) if "Test" not in line))
    status, _, err = run("parse_log a.log . --verbose --delimiter ;")
    assert status == 0
    assert "Not writing a.log.test; no lines to write" in err
    assert rows(folder / "a.log.train", ";")[1] == ["0", "3.0", "0.01", "1.5"]
    assert not (folder / "a.log.test").exists()


def test_our_own_log(folder, run):
    status, _, err = run("train -solver solver.prototxt")
    tables = parse_log.parse(err)
    assert status == 0
    assert [row["NumIters"] for row in tables.train] == [0, 2, 4, 6, 8]
    assert [row["NumIters"] for row in tables.test] == [0, 4, 8]
    assert [row["NumIters"] for row in tables.losses] == [0, 2, 4, 6, 8, 10]
    assert set(tables.test[0]) == {"NumIters", "Seconds", "LearningRate", "loss", "accuracy"}


def test_a_leap_day_of_any_year():
    text = (
        "I0228 00:00:00.000000 1 a.cpp:1] Iteration 1, loss = 1\nI0229 00:00:00.000000 1 a.cpp:1] Iteration 2, loss = 1"
    )
    assert parse_log.parse(text, 2023).losses[1]["Seconds"] == 86400


def test_no_such_log(run):
    status, _, err = run("parse_log nowhere.log .")
    assert status == 1
    assert "nowhere.log" in err


@pytest.mark.parametrize("chart", range(8))
def test_plot_training_log(chart, log, run, folder):
    pytest.importorskip("matplotlib")
    status, _, err = run(f"plot_training_log {chart} chart.png {log} {log}")
    assert status == 0, err
    assert (folder / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_plot_training_log_without_that_quantity(run, folder):
    (folder / "a.log").write_text("I0101 00:00:10.250000  7 solver.cpp:228] Iteration 5, loss = 1.2e-01\n")
    status, _, err = run("plot_training_log 0 chart.png a.log")
    assert status == 1
    assert "says nothing of the test accuracy" in err


def test_a_log_of_several_trainings_has_a_line_for_each():
    losses = parse_log.parse(LOG + LOG.replace("I1231", "I0102").replace("I0101", "I0103")).losses
    for axis in ("NumIters", "Seconds"):
        pieces = plot_training_log.trainings([(row[axis], row["loss"]) for row in losses])
        assert [len(piece) for piece in pieces] == [2, 2]
        assert all(piece == sorted(piece, key=lambda point: point[0]) for piece in pieces)
