"""tools/solve.py: what it says before it trains, that it loses nothing, and that it goes on where it stopped."""

import csv
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.formats import caffemodel
from caffe.log import init_log
from caffe.plan.streaming.segment import Segment
from fcn_caffe.commands import infer, score, solve
from fcn_caffe.net_spec.recipes import Recipe
from fcn_caffe.training import forecast, losses
from fcn_caffe.training import stage as stage_module
from fcn_caffe.training.recorder import Recorder
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import everything
from tests.patience import PATIENCE
from tests.tools.conftest import ROOT

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
    assert "fcn convolutionalize" in said


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
    unbroken, resumed = (losses.read(str(Path(name).resolve())) for name in ("unbroken", "snapshot/toy-fcn32s"))
    for before, after in zip(unbroken[:3], resumed[:3], strict=True):  # seconds are of the machine
        assert before.tolist() == after.tolist()


def test_checkpoint_trains_to_the_same_weights(folder, monkeypatch):
    assert own("--iterations", "3") == 0
    shutil.move("snapshot/toy-fcn32s", "kept")
    run, backward = [], Segment.backward
    monkeypatch.setattr(Segment, "backward", lambda segment: run.append(segment.last) or backward(segment))
    assert own("--iterations", "3", "--checkpoint") == 0
    assert len(run) == 3
    kept, spared = (weights(f"{name}/train_iter_3.caffemodel") for name in ("kept", "snapshot/toy-fcn32s"))
    for name, blobs in kept.items():
        for one, other in zip(blobs, spared[name], strict=True):
            assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max(), name


@pytest.mark.slow(reason="a process that loads torch; SIGINT, which is not slow, goes the same way")
def test_sigterm_stops_a_process(folder):
    command = [sys.executable, str(ROOT / "tools/solve.py"), *OWN, "--iterations", "100000"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        log = Path("snapshot/toy-fcn32s/loss.csv")
        deadline = time.monotonic() + PATIENCE
        while not (log.exists() and log.read_text().count("\n") > 2):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        said = process.communicate(timeout=PATIENCE)[1]
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


def test_an_intermediate_scoring_that_was_missed_is_made_up_for_when_resumed(folder):
    assert own("--iterations", "2", "--score-every", "1") == 0
    scores = Path("snapshot/toy-fcn32s/scores.json")
    scores.write_text(json.dumps([entry for entry in json.loads(scores.read_text()) if entry["iteration"] < 2]))
    assert own("--iterations", "3", "--score-every", "1", "--resume") == 0
    assert [entry["iteration"] for entry in json.loads(scores.read_text())] == [1, 2, 3]


def test_an_error_keeps_what_was_trained(folder, capsys):
    bad = Path("mine/SegmentationClass/image2.png")
    shutil.copy("mine/JPEGImages/image2.png", bad)
    assert own("--iterations", "20") == 1
    assert "image2.png" in capsys.readouterr().err
    found = stages.progress("toy-fcn32s")
    assert found is None or found.iteration == loss_iterations()[-1] + 1


def saved():
    return sorted(int(path.stem.split("_")[-1]) for path in Path("snapshot/toy-fcn32s").glob("*.caffemodel"))


def scored(monkeypatch, mean_ious):
    """Let the scorings find these mean IUs, one after another."""
    found, write = iter(mean_ious), stage_module.write_scores

    def write_others(folder, scores):
        scores[-1]["label"]["mean_iu"] = next(found)
        write(folder, scores)

    monkeypatch.setattr(stage_module, "write_scores", write_others)


def test_the_newest_snapshots_and_the_best_scored_one_are_kept(folder, monkeypatch):
    scored(monkeypatch, [0.1, 0.4, 0.3, 0.2, 0.2, 0.2])
    assert own("--iterations", "6", "--score-every", "1", "--keep", "1") == 0
    assert saved() == [2, 6]
    left = {path.name for path in Path("snapshot/toy-fcn32s").glob("train_iter_*")}
    assert left == {
        f"train_iter_{n}.{kind}" for n in (2, 6) for kind in ("caffemodel", "solverstate", "layerstate.json")
    }


def test_only_what_the_run_wrote_is_removed(folder, monkeypatch):
    assert own("--iterations", "2", "--score-every", "1", "--keep", "0") == 0
    before = {path: path.read_bytes() for path in Path("snapshot/toy-fcn32s").glob("train_iter_*")}
    Path("snapshot/toy-fcn32s/train_iter_1.mine.caffemodel").write_bytes(b"mine")
    scored(monkeypatch, [0.9 + n / 100 for n in range(4)])
    assert own("--iterations", "6", "--score-every", "1", "--keep", "1", "--resume") == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    assert set(Path("snapshot/toy-fcn32s").glob("train_iter_*.caffemodel")) - set(before) == {
        Path(f"snapshot/toy-fcn32s/train_iter_{name}.caffemodel") for name in ("5", "6", "1.mine")
    }


def spoil(monkeypatch, iteration, name):
    """At an iteration, a weight of a layer becomes NaN."""
    record = Recorder.on_start

    def on_start(self):
        record(self)
        if self.solver.iter == iteration:
            self.solver.net.params[name][0].data.flat[0] = np.nan

    monkeypatch.setattr(Recorder, "on_start", on_start)


def test_a_loss_that_is_no_number_ends_training_and_the_good_snapshots_stay(folder, capsys, monkeypatch):
    assert own("--iterations", "2") == 0
    before = {path.name: path.read_bytes() for path in Path("snapshot/toy-fcn32s").glob("train_iter_*")}
    spoil(monkeypatch, 3, "score_fr_3cls")
    assert own("--iterations", "5", "--resume") == 1
    said = capsys.readouterr().err
    assert "iteration 3: the loss is nan. Not finite are the blobs score_fr_3cls" in said
    assert "the parameters score_fr_3cls[0]" in said
    assert "--allow-nan" in said
    assert {path.name: path.read_bytes() for path in Path("snapshot/toy-fcn32s").glob("train_iter_*")} == before
    assert loss_iterations() == [0, 1, 2]


def test_a_caffe_that_goes_on_with_nan_is_stopped_all_the_same(folder, capsys, monkeypatch):
    monkeypatch.setattr(caffe.SGDSolver, "_report", lambda solver, words: None)  # as BVLC Caffe
    spoil(monkeypatch, 1, "score_fr_3cls")
    assert own("--iterations", "3") == 1
    assert "toy-fcn32s: iteration 1: the loss is nan. Go on from the last snapshot" in capsys.readouterr().err
    assert loss_iterations() == [0, 1]
    assert not list(Path("snapshot/toy-fcn32s").glob("train_iter_*"))


def test_a_terminal_gets_a_bar_with_the_loss(folder):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    command = [sys.executable, str(ROOT / "tools/solve.py"), *OWN, "--iterations", "9"]
    with subprocess.Popen(command, stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = b""
        try:
            while more := os.read(leader, 65536):
                shown += more
        except OSError:
            pass
    os.close(leader)
    assert process.returncode == 0, shown
    assert re.search(rb"9/9 \[.*, loss \d\.\d{4}\]", shown)
    assert b"iteration 0 of 9, loss per pixel" in shown
    assert b"Creating Layer" not in shown


def test_allow_nan_goes_on(folder, monkeypatch):
    spoil(monkeypatch, 1, "score_fr_3cls")
    assert own("--iterations", "3", "--allow-nan") == 0
    assert saved() == [3]


def test_what_it_will_take_is_said_before_and_one_line_each_display_interval(folder, capfd):
    init_log(0)
    assert own("--iterations", "21") == 0
    out, err = capfd.readouterr()
    lines = out.splitlines()
    assert re.fullmatch(
        r"toy-fcn32s: 21 iterations, roughly \d+ s for the multiplications alone; at most 1 snapshot of "
        r"[\d.]+ [kM]B, [\d.]+ [kM]B in all \(\d+ .B free\)\. Caffe's log: snapshot/toy-fcn32s/train\.log",
        lines[1],
    )
    shown = [line for line in lines if "loss per pixel" in line]
    assert len(shown) == 2
    assert re.fullmatch(
        r"toy-fcn32s: iteration 20 of 21, loss per pixel \d\.\d{4} \(ln 3 = 1\.0986\), rate 3e-09, [\d.e+]+ it/s, "
        r"\d+ s left",
        shown[1],
    )
    assert not [line for line in (out + err).splitlines() if re.match("I[0-9]{4} ", line)]
    log = Path("snapshot/toy-fcn32s/train.log").read_text()
    assert "Creating Layer conv1_1" in log
    assert "Iteration 20 (" in log


def test_verbose_shows_all_of_caffes_log(folder, capfd):
    init_log(0)
    assert own("--iterations", "1", "--verbose") == 0
    assert "Creating Layer conv1_1" in capfd.readouterr().err


def test_the_log_of_a_resumed_training_goes_on_and_a_new_one_begins_anew(folder):
    init_log(0)
    log = Path("snapshot/toy-fcn32s/train.log")
    assert own("--iterations", "1") == 0
    assert own("--iterations", "2", "--resume") == 0
    assert [line.count("Solver scaffolding done") for line in [log.read_text()]] == [2]
    assert own("--iterations", "1", "--restart") == 0
    assert log.read_text().count("Solver scaffolding done") == 1


def test_a_training_that_runs_is_not_started_twice(folder, capsys, monkeypatch):
    record = Recorder.on_gradients
    statuses = []

    def during(self):
        record(self)
        if not statuses:
            command = [sys.executable, str(ROOT / "tools/solve.py"), *OWN, "--iterations", "2", "--restart"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            statuses.append((done.returncode, done.stderr))

    monkeypatch.setattr(Recorder, "on_gradients", during)
    assert own("--iterations", "1") == 0
    assert statuses[0][0] == 1
    assert f"process {os.getpid()} on " in statuses[0][1]
    assert "is training on the same snapshot_prefix" in statuses[0][1]
    assert loss_iterations() == [0]
    assert not Path("snapshot/toy-fcn32s/train.lock").exists()


@pytest.mark.parametrize("content", ["[{", "[1]", '{"a": 1}', '[{"label": 2}]'])
def test_damaged_scores_are_named(content, folder, capsys):
    assert own("--iterations", "1") == 0
    Path("snapshot/toy-fcn32s/scores.json").write_text(content)
    assert own("--iterations", "1", "--resume") == 1
    assert "'snapshot/toy-fcn32s/scores.json' holds no list of scorings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("begin", "end", "every", "keep", "scorings", "most"),
    [
        (0, 100_000, 4000, 2, 0, 4),
        (0, 100_000, 4000, 0, 0, 25),
        (0, 100_000, 4000, 0, 10, 35),
        (4000, 8000, 4000, 2, 0, 1),
        (0, 10, 4, 0, 0, 3),
        (0, 1, 9, 1, 0, 1),
    ],
)
def test_how_many_snapshots_there_are_at_most(begin, end, every, keep, scorings, most):
    assert forecast.snapshots(begin, end, every, keep, scorings) == most


@pytest.mark.parametrize(
    ("size", "words"), [(900, "0.9 kB"), (25_000, "25 kB"), (1_080_000_000, "1.1 GB"), (64e9, "64 GB")]
)
def test_amounts(size, words):
    assert forecast.amount(size) == words


@pytest.mark.parametrize(("seconds", "words"), [(5, "5 s"), (150, "2 min"), (8000, "2 h"), (200_000, "2 days")])
def test_spans(seconds, words):
    assert forecast.span(seconds) == words


WORK = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 5 dim: 6 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 6 kernel_size: 3 group: 2 } }
layer { name: "d" type: "Deconvolution" bottom: "c" top: "d"
  convolution_param { num_output: 1 kernel_size: 4 bias_term: false } }
layer { name: "i" type: "InnerProduct" bottom: "c" top: "i" inner_product_param { num_output: 7 } }
"""


@pytest.mark.parametrize(("learns", "passes"), [((), (2, 3, 3)), (("d",), (1, 2, 1)), (("c",), (2, 2, 2))])
def test_a_step_multiplies_for_the_weights_that_learn_and_for_gradients_above_them(tmp_path, learns, passes):
    path = tmp_path / "net.prototxt"
    path.write_text(WORK)
    position = 2 * 3 * 4
    forward = (6 * 2 * 9 * position, 6 * 1 * 16 * position, 7 * 6 * 3 * 4 * 2)
    expected = sum(products * times for products, times in zip(forward, passes, strict=True))
    assert forecast.step_multiplications(caffe.Net(str(path), caffe.TRAIN), learns) == expected


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_a_rule_of_updates_keeps_as_much_of_each_weight_as_forecast(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(WORK.replace("num_output: 7", "num_output: 1000"))
    momentum = 0 if kind in ("AdaGrad", "RMSProp") else 0.9
    Path("solver.prototxt").write_text(
        f'net: "net.prototxt" type: "{kind}" base_lr: 1 lr_policy: "fixed" momentum: {momentum} snapshot_prefix: "s"'
    )
    solver = caffe.get_solver("solver.prototxt")
    solver.snapshot()
    size = sum(path.stat().st_size for path in tmp_path.glob("s_iter_0.*"))
    recipe = Recipe(1, 1, 1, rule={"type": kind})
    assert forecast.snapshot_bytes(solver, recipe) == pytest.approx(size, rel=0.1)


def test_a_snapshot_is_as_large_as_forecast(folder, capsys):
    assert own("--iterations", "1") == 0
    said = re.search(r"1 snapshot of ([\d.]+ .B)", capsys.readouterr().out)[1]
    files = [Path(f"snapshot/toy-fcn32s/train_iter_1.{kind}") for kind in ("caffemodel", "solverstate")]
    assert said == forecast.amount(sum(path.stat().st_size for path in files))


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
