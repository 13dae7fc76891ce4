import re

import pytest

from caffe import device
from caffe.cli.time import rates

WORDS = re.compile(r"^\S+ \S+ +\d+ \S+\] ")


def messages(err):
    return [WORDS.sub("", line) for line in err.splitlines() if WORDS.match(line)]


@pytest.fixture(autouse=True)
def same_precision_after():
    yield
    device.set_precision("fp32")


@pytest.fixture
def weights(run):
    assert run("train -solver solver.prototxt")[0] == 0
    return "snap_iter_10.caffemodel"


def test_test(weights, run):
    status, _, err = run(f"test -model net.prototxt -weights {weights} -iterations 2 -stage extra")
    assert status == 0
    found = messages(err)
    assert found[found.index("Running for 2 iterations.") + 1 :] == [
        "Batch 0, accuracy = 1",
        "Batch 0, loss = 0.293849",
        "Batch 1, accuracy = 1",
        "Batch 1, loss = 0.293849",
        "Loss: 0.881547",
        "accuracy = 1",
        "loss = 0.293849 (* 3 = 0.881547 loss)",
    ]


def test_test_runs_fifty_batches(weights, run):
    found = messages(run(f"test -model net.prototxt -weights {weights}")[2])
    assert sum(line.startswith("Batch ") for line in found) == 50


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_time(phase, run):
    status, _, err = run(f"time -model net.prototxt -iterations 3 -phase {phase} -stage extra")
    assert status == 0
    found = [re.sub(r"[\d.]+(e-\d+)? ms", "N ms", line) for line in messages(err)]
    found = found[found.index("*** Benchmark begins ***") :]
    names = (
        ["data", "ip", "loss"]
        if phase == "TRAIN"
        else ["data", "ip", "ip_ip_0_split", "label_data_1_split", "loss", "accuracy"]
    )
    layers = [line for line in found if "\t" in line]
    assert found[:6] == [
        "*** Benchmark begins ***",
        "Testing for 3 iterations.",
        "Iteration: 1 forward-backward time: N ms.",
        "Iteration: 2 forward-backward time: N ms.",
        "Iteration: 3 forward-backward time: N ms.",
        "Average time per layer: ",
    ]
    assert {line.split("\t")[0].strip() for line in layers} == set(names)
    assert layers[:2] == ["      data\tforward: N ms.", "      data\tbackward: N ms."]
    end = found.index("*** Benchmark ends ***")
    assert found[end - 4 : end] == [
        "Average Forward pass: N ms.",
        "Average Backward pass: N ms.",
        "Average Forward-Backward: N ms.",
        "Total Time: N ms.",
    ]
    table = [line.split() for line in found[end + 1 :] if " as a whole: " not in line and "Machine: " not in line]
    assert table[0] == ["layer", "type", "pass", "ms", "share", "GFLOP", "GFLOP/s", "MB", "GB/s"]
    assert [row[0] for row in table if row[2] == "forward"] == [line.split("\t")[0].strip() for line in layers[::2]]
    assert {"ip", "loss"} <= {row[0] for row in table if row[2] == "backward"} < set(names)
    assert sum(float(row[4]) for row in table[1:]) == pytest.approx(100, abs=0.1 * len(table))


def test_time_of_the_whole_net_against_the_machine(run, monkeypatch):
    monkeypatch.setattr(rates, "operations_per_second", lambda: (2e9, 64))
    monkeypatch.setattr(rates, "bytes_per_second", lambda: 1e9)
    found = messages(run("time -model net.prototxt -iterations 1 -precision bf16")[2])
    assert "Machine: 2.0 GFLOP/s (bf16, product of 64×64 matrices), 1.0 GB/s (copy)." in found
    whole = [line for line in found if " as a whole: " in line]
    assert [line.split()[0] for line in whole] == ["Forward", "Backward"]
    number = r"[\d.e-]+"
    assert re.fullmatch(
        rf"Forward as a whole: {number} ms, 0.00 GFLOP at {number} GFLOP/s \({number} % of the peak\); "
        rf"least time of its layers: {number} ms\.",
        whole[0],
    )


def test_device_query(run):
    status, _, err = run("device_query")
    assert status == 0
    assert "Querying GPUs" in err
