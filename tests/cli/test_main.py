import ast
import os
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import caffe
from caffe import cli
from caffe.errors import CaffeError
from caffe.version import VERSION
from tests.parity import bvlc


@pytest.mark.parametrize("line", ["", "-iterations 3", "-help", "--help"])
def test_without_a_command_there_is_the_usage(line, run):
    status, out, _ = run(line)
    assert status == 0
    assert "usage: caffe <command> <args>" in out
    for command in cli.COMMANDS:
        assert f"  {command} " in out


def test_version(run):
    status, out, _ = run("--version")
    caffes, own = out.splitlines()
    assert (status, caffes) == (0, "caffe version 1.0.0")
    assert own == f"fcn-caffe {VERSION}"


def test_the_installed_package_has_the_version_of_version_py():
    assert metadata.version("fcn-caffe") == VERSION


def test_an_unknown_command(run):
    status, _, err = run("tran -solver x")
    assert status == 1
    assert "usage: caffe <command>" in err
    assert "Unknown action: tran (did you mean train?)" in err.splitlines()[-1]


OLD = "import sys; sys.version_info = (3, 9, 2, 'final', 0)"


def test_an_older_python_is_told_which_one_is_needed():
    ast.parse(Path(caffe.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))
    environment = {**os.environ, "PYTHONPATH": str(bvlc.ROOT)}
    imported = subprocess.run(
        [sys.executable, "-c", f"{OLD}; import caffe"], env=environment, capture_output=True, text=True, check=False
    )
    message = "caffe: this is Python 3.9, Python 3.10 or later is needed."
    assert imported.stderr.splitlines()[-1] == f"ImportError: {message}"
    lines = f"{OLD}; import runpy; sys.argv = ['-m']; runpy.run_module('caffe', run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", lines], env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, f"{message}\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
def test_output_to_a_terminal_that_is_not_utf_8_ends_nothing(encoding):
    lines = "from caffe import cli; cli.main(['--version']); print('3 \u2192 4')"
    environment = {**os.environ, "PYTHONPATH": str(bvlc.ROOT), "PYTHONIOENCODING": encoding}
    run = subprocess.run([sys.executable, "-c", lines], env=environment, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == b"3 ? 4"


@pytest.mark.parametrize("program", ["caffe", "fcn_caffe", "fcn_caffe --help", "analyses", "caffe.formats.summary"])
def test_no_program_ends_because_a_terminal_has_not_its_characters(program):
    environment = {**os.environ, "PYTHONPATH": str(bvlc.ROOT), "PYTHONIOENCODING": "ascii"}
    line = [sys.executable, "-m", *program.split()]
    run = subprocess.run(line, cwd=bvlc.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr, run.stderr
    assert "FILE" in run.stdout or "usage: " in run.stdout


@pytest.mark.parametrize("program", ["caffe time", "fcn_caffe solv", "fcn_caffe --version"])
def test_lines_are_written_whole_so_that_those_of_several_processes_do_not_mix(program):
    environment = {**os.environ, "PYTHONPATH": str(bvlc.ROOT), "PYTHONUNBUFFERED": "1"}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # keeps what is written at once together
    with ours, theirs:
        line = [sys.executable, "-m", *program.split()]
        subprocess.run(line, env=environment, stdout=theirs, stderr=theirs, check=False)
        theirs.close()
        written = list(iter(lambda: ours.recv(1 << 16), b""))
    assert written
    assert all(piece.endswith(b"\n") and len(piece) > 1 for piece in written), written


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command, run):
    status, out, _ = run(f"{command} -h")
    assert status == 0
    assert out.startswith(f"usage: caffe {command}")


@pytest.mark.parametrize(
    "line",
    [
        "train -solver solver.prototxt -stage plain",
        "train --solver solver.prototxt --stage plain",
        "train -solver=solver.prototxt -stage=plain",
        "-solver solver.prototxt --stage=plain train",
        "--solver=solver.prototxt train -stage plain",
        "-allow-zero-init -solver solver.prototxt -stage plain train",
    ],
)
def test_flags_come_in_every_spelling_and_place(line, run, folder):
    status, _, err = run(line)
    assert status == 0, err
    assert (folder / "snap_iter_10.solverstate").exists()


def test_flags_of_glog(run, folder):
    line = "-logtostderr time -model net.prototxt -iterations 1 --alsologtostderr=1 -v=2 -stage extra"
    status, _, err = run(f"{line} --log_dir=. -minloglevel=0")
    assert status == 0
    assert (folder / "caffe.INFO").read_text() == err
    assert run(f"{line} -minloglevel 1")[::2] == (0, "")
    assert run(f"{line} -log_dir nowhere")[0] == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train -foo 1", "-foo"),
        ("train more", "more"),
        ("train -solver", "-solver"),
        ("test -iterations many", "many"),
    ],
)
def test_unknown_flags_and_words_are_refused(line, words, run):
    status, _, err = run(line)
    assert status == 1
    assert err.startswith("ERROR: ")
    assert words in err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train", "Need a solver definition to train."),
        (
            "train -solver s -snapshot a -weights b",
            "Give a snapshot to resume training or weights to finetune but not both.",
        ),
        ("train -solver solver.prototxt -sigint_effect dance", 'Invalid signal effect "dance" was specified'),
        ("train -solver nowhere.prototxt", "nowhere.prototxt"),
        ("test -model net.prototxt -weights w -gpu 0,1", "2 devices were given, only `train` takes several"),
        ("train -solver solver.prototxt -gpu first", "a device ID such as 0 was expected"),
        ("test", "Need a model definition to score."),
        ("test -model net.prototxt", "Need model weights to score."),
        ("test -model net.prototxt -weights w -iterations 0", "at least 1 was expected"),
        ("time", "Need a model definition to time."),
        ("time -model net.prototxt -phase BOTH", 'phase must be "TRAIN" or "TEST"'),
        ("device_query -gpu 99", "there is no device 99"),
    ],
)
def test_an_error_is_one_line(line, words, run):
    status, _, err = run(line)
    assert status == 1
    last = err.splitlines()[-1]
    assert last.startswith("F")
    assert "] caffe: " in last
    assert words in last
    assert "Traceback" not in err


def test_a_traceback_when_it_is_asked_for(run, monkeypatch):
    monkeypatch.setenv("CAFFE_TRACEBACK", "1")
    with pytest.raises(CaffeError):
        run("train")


def test_python_m_caffe(tmp_path):
    done = subprocess.run([sys.executable, "-m", "caffe", "time"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Need a model definition to time." in done.stderr
