"""How every tool begins and ends."""

import os
import signal
import subprocess
import sys

import pytest

from fcn_caffe.whole_files import open_atomic
from tests.patience import PATIENCE
from tests.tools.conftest import ROOT


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
def test_a_terminal_that_is_not_utf_8_is_no_reason_to_stop(encoding, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/solve.py"), "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"32s ? 16s ? 8s" in done.stdout


def test_an_older_python_is_told_which_one_is_needed():
    lines = (
        "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv = ['tools/solve.py', '--list'];"
        "sys.path.insert(0, 'tools');"
        "runpy.run_path('tools/solve.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "solve.py: this is Python 3.9, Python 3.10 or later is needed.\n")


def test_an_interruption_while_modules_load_ends_a_tool_at_once(tmp_path):
    (tmp_path / "numpy.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(60)\n")
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tools/solve.py"), "--list"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == -signal.SIGINT


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written_again(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    gone = tmp_path / f".scores[1].json.{process.pid}.part"
    kept = {
        tmp_path / f".scores[1].json.{os.getppid()}.part",
        tmp_path / f".other.json.{process.pid}.part",
        tmp_path / ".scores[1].json.mine.part",
    }
    for path in (gone, *kept):
        path.touch()
    path = tmp_path / "scores[1].json"
    with open_atomic(path) as file:
        file.write(b"[]")
    assert set(tmp_path.iterdir()) == {path, *kept}
