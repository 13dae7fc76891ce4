"""tools/solve.py: what it says before it trains, that it loses nothing, and that it goes on where it stopped."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.formats import caffemodel
from tests.tools.conftest import ROOT
from tools import infer, score, solve, stages
from tools.customise import everything
from tools.recorder import Recorder

OWN = ["demo-fcn32s", "--voc-dir", "mine", "--classes", "3", "--name", "toy", "--seed", "1", "--no-check"]


def own(*more, variant="demo-fcn32s"):
    return solve.main([variant, *OWN[1:], *more])


def weights(path):
    return {layer.name: layer.blobs for layer in caffemodel.read(str(path)) if layer.blobs}


def assert_equal(first, second):
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    for name, blobs in first.items():
        for one, other in zip(blobs, second[name], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def loss_iterations(name="toy-fcn32s"):
    with open(f"snapshot/{name}/loss.csv", newline="") as file:
        return [int(row["iteration"]) for row in csv.DictReader(file)]


def test_all_that_is_missing_is_said_at_once(empty, capsys):
    assert solve.main(["voc-fcn8s", "--chain", "--resume"]) == 1
    said = capsys.readouterr().err
    for part in ("'data/pascal/VOC2011'", "'data/sbdd/dataset'", "'data/ilsvrc/vgg16-conv.caffemodel'"):
        assert said.count(part) == 1
    assert "VGG16_CAFFEMODEL=" in said
    assert "--voc-dir" in said
    assert "convolutionalize.py" in said


def test_a_stage_without_the_one_before_names_it(folder, capsys):
    assert own(variant="demo-fcn16s") == 1
    assert "the trained toy-fcn32s, from which toy-fcn16s starts" in capsys.readouterr().err


def test_list_and_unknown_variant(empty, capsys):
    assert solve.main(["--list"]) == 0
    assert "voc-fcn8s " in capsys.readouterr().out
    assert solve.main(["voc-fcn9"]) == 1
    assert "Did you mean voc-fcn8s" in capsys.readouterr().err


def test_gpu_must_be_there(folder, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert own("--gpu", "0", "--iterations", "1") == 1
    assert "--gpu 0: this machine has no CUDA device" in capsys.readouterr().err


def test_the_precision_is_the_users_choice(folder):
    try:
        assert own("--cpu", "--precision", "bf16", "--iterations", "1") == 0
        assert caffe.precision() == "bf16"
    finally:
        caffe.set_precision("fp32")


def test_a_chain_on_own_data_from_end_to_end(folder, capsys):
    assert own("--chain", "--iterations", "2", "--score-every", "1", variant="demo-fcn8s") == 0
    for stage in ("32s", "16s", "8s"):
        entries = json.loads(Path(f"snapshot/toy-fcn{stage}/scores.json").read_text())
        assert [entry["iteration"] for entry in entries] == [1, 2]
        assert len(entries[0]["label"]["iu"]) == 3
        assert loss_iterations(f"toy-fcn{stage}") == [0, 1]
    assert own("--chain", "--iterations", "2", "--resume", variant="demo-fcn8s") == 0
    assert capsys.readouterr().out.count(": done (") == 3
    line = [*OWN[1:-3], "--json", "out/toy.json"]
    assert score.main(["demo-fcn8s", *line]) == 0
    assert json.loads(Path("out/toy.json").read_text())["mean_iu"] == pytest.approx(entries[-1]["label"]["mean_iu"])
    assert infer.main(["toy-fcn8s", "mine/JPEGImages/image0.png"]) == 0


def test_nothing_is_overwritten_unasked(folder, capsys):
    assert own("--iterations", "1") == 0
    assert own("--iterations", "1") == 1
    assert "--resume goes on from it, --restart begins anew" in capsys.readouterr().err


def test_restart_removes_nothing_before_the_new_training_runs(folder, capsys):
    assert own("--iterations", "1") == 0
    before = {path.name: path.read_bytes() for path in Path("snapshot/toy-fcn32s").iterdir()}
    shutil.move("mine/SegmentationClass", "mine/Labels")
    assert own("--iterations", "2", "--restart") == 1
    Path("snapshot/demo-classifier/conv.caffemodel").write_bytes(b"damaged")
    shutil.move("mine/Labels", "mine/SegmentationClass")
    assert own("--iterations", "2", "--restart") == 1
    assert {path.name: path.read_bytes() for path in Path("snapshot/toy-fcn32s").iterdir()} == before
    shutil.copy("snapshot/toy-fcn32s/train_iter_1.caffemodel", "mine/start.caffemodel")
    assert own("--iterations", "2", "--restart", "--weights", "mine/start.caffemodel", "--allow-zero-init") == 0
    assert not Path("snapshot/toy-fcn32s/train_iter_1.caffemodel").exists()
    assert loss_iterations() == [0, 1]


def test_weights_of_the_wrong_stage_are_refused(folder, capsys):
    conv = "snapshot/demo-classifier/conv.caffemodel"
    line = ["--weights", conv, "--iterations", "1"]
    assert own(*line, variant="demo-fcn16s") == 1
    said = capsys.readouterr().err
    assert "gives no weights to score_fr_3cls" in said
    assert "toy-fcn32s, the stage before" in said
    assert own(*line, "--allow-zero-init", variant="demo-fcn16s") == 0


def test_a_signal_stops_with_a_snapshot_and_resume_ends_in_the_same_weights(folder, capsys, monkeypatch):
    assert own("--iterations", "5") == 0
    shutil.move("snapshot/toy-fcn32s", "unbroken")
    record, handler = Recorder.on_gradients, signal.getsignal(signal.SIGINT)

    def interrupted(self):
        record(self)
        if self.solver.iter == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Recorder, "on_gradients", interrupted)
    assert own("--iterations", "5") == 1
    assert "stopped at iteration 3; --resume goes on" in capsys.readouterr().err
    monkeypatch.setattr(Recorder, "on_gradients", record)
    assert signal.getsignal(signal.SIGINT) is handler
    assert own("--iterations", "5", "--resume") == 0
    assert_equal("unbroken/train_iter_5.caffemodel", "snapshot/toy-fcn32s/train_iter_5.caffemodel")
    assert Path("unbroken/loss.csv").read_text() == Path("snapshot/toy-fcn32s/loss.csv").read_text()


def test_sigterm_stops_a_process(folder):
    command = [sys.executable, str(ROOT / "tools/solve.py"), *OWN, "--iterations", "100000"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        log = Path("snapshot/toy-fcn32s/loss.csv")
        deadline = time.monotonic() + 60
        while not (log.exists() and log.read_text().count("\n") > 2):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert "Traceback" not in said
    assert stages.progress("toy-fcn32s").iteration == loss_iterations()[-1] + 1


def test_losses_after_the_snapshot_go_when_it_is_resumed(folder):
    assert own("--iterations", "1") == 0
    with open("snapshot/toy-fcn32s/loss.csv", "a") as file:
        file.write("1,5,5\n2,5,5\n3,")
    assert own("--iterations", "2", "--resume") == 0
    assert loss_iterations() == [0, 1]


def test_a_training_that_was_not_scored_is_scored_when_resumed(folder):
    assert own("--iterations", "1") == 0
    Path("snapshot/toy-fcn32s/scores.json").unlink()
    assert own("--iterations", "1", "--resume") == 0
    assert len(json.loads(Path("snapshot/toy-fcn32s/scores.json").read_text())) == 1


def test_an_error_keeps_what_was_trained(folder, capsys):
    bad = Path("mine/SegmentationClass/image2.png")
    shutil.copy("mine/JPEGImages/image2.png", bad)
    assert own("--iterations", "20") == 1
    assert "image2.png" in capsys.readouterr().err
    found = stages.progress("toy-fcn32s")
    assert found is None or found.iteration == loss_iterations()[-1] + 1


def test_weights_of_classifiers_may_be_elsewhere(monkeypatch):
    monkeypatch.setenv("SQUEEZENET_V1_1_CAFFEMODEL", "elsewhere.caffemodel")
    assert stages.weights_of("ilsvrc/squeezenet_v1.1") == Path("elsewhere.caffemodel")


def test_every_late_fusion_finds_its_weights_by_name():
    """A net that goes on from a fused one has the same names; one that starts from two has them with suffixes."""
    assert caffe.__version__
    rows = everything().rows
    for row in (row for row in rows.values() if row.late):
        names = {layer.name for layer in row.net("deploy").layer}
        for start, suffix in zip(row.starts, list(row.data.inputs) if len(row.starts) > 1 else [""], strict=True):
            before = {layer.name + suffix for layer in rows[start].net("deploy").layer if layer.type == "Convolution"}
            assert len(before & names) > 15
