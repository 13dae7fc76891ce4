import re

import pytest

WORDS = re.compile(r"^\S+ \S+ +\d+ \S+\] ")


def messages(err):
    return [WORDS.sub("", line) for line in err.splitlines() if WORDS.match(line)]


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
    assert found[-5:] == [
        "Average Forward pass: N ms.",
        "Average Backward pass: N ms.",
        "Average Forward-Backward: N ms.",
        "Total Time: N ms.",
        "*** Benchmark ends ***",
    ]


def test_device_query(run):
    status, _, err = run("device_query")
    assert status == 0
    assert "Querying GPUs" in err
