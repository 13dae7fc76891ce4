"""fcn_caffe/home.py, program.py, names.py: where tools work, what typed paths mean, what is said of unknown names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fcn_caffe import home, names, program
from fcn_caffe.commands import data, infer, score, solve
from fcn_caffe.variants.customise import everything
from tests.tools.conftest import ROOT, write_voc


@pytest.fixture
def nest(tmp_path, monkeypatch):
    """Folders in folders; the working folder is the innermost."""
    monkeypatch.delenv(home.VARIABLE, raising=False)
    (tmp_path / "outer/inner/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer/inner/deep")
    return tmp_path


def test_the_home_is_what_is_named_then_the_nearest_with_tasks_or_snapshots_then_the_working_folder(nest, monkeypatch):
    here = nest / "outer/inner/deep"
    assert home.find(None, here) == here
    (nest / "outer/snapshot").mkdir()
    assert home.find(None, here) == nest / "outer"
    (nest / "outer/inner/tasks").mkdir()
    assert home.find(None, here) == nest / "outer/inner"
    (here / "tasks").write_text("no folder")
    assert home.find(None, here) == nest / "outer/inner"
    monkeypatch.setenv(home.VARIABLE, str(nest))
    assert home.find(None, here) == nest
    assert home.find("..", here) == nest / "outer/inner"


def test_a_home_that_is_not_there_is_told(nest, monkeypatch, capsys):
    assert solve.main(["--list", "--root", "nowhere"]) == 1
    assert "--root nowhere: there is no folder" in capsys.readouterr().err
    monkeypatch.setenv(home.VARIABLE, "nowhere")
    assert solve.main(["--list"]) == 1
    assert "FCN_CAFFE_ROOT nowhere: there is no folder" in capsys.readouterr().err


def test_a_tool_works_in_the_home_and_takes_paths_from_where_the_user_stands(nest, capsys):
    @program.command
    def main(arguments=None):
        parser = program.parser("A tool.")
        parser.add_argument("path", type=home.path)
        options = parser.parse_args(arguments)
        print(Path.cwd(), options.path, os.environ[home.VARIABLE])
        return 0

    here, outer = Path.cwd(), nest / "outer"
    for line in (["x", "--root", str(outer)], [f"--root={outer}", "x"], ["--root", "../..", "x"]):
        assert main(line) == 0
        said = capsys.readouterr()
        assert said.out.split() == [str(outer), str(here / "x"), str(outer)]
        assert said.err == f"test_home: in {outer}\n"
    assert main(["x"]) == 0
    assert capsys.readouterr().out.split() == [str(here), "x", str(here)]
    assert Path.cwd() == here
    assert home.VARIABLE not in os.environ
    assert home.path("x") == Path("x")


def test_nets_of_the_catalogue_train_in_a_home_without_the_checkouts_files(folder, monkeypatch, capsys):
    for link in ("nets", "solvers"):
        Path(link).unlink()
    write_voc(folder / "out/demo/data/VOC", n_classes=6)
    monkeypatch.delenv(home.VARIABLE)
    Path("below/it").mkdir(parents=True)
    monkeypatch.chdir("below/it")
    assert solve.main(["demo-fcn32s", "--iterations", "1"]) == 0
    assert (folder / "snapshot/demo-fcn32s/train_iter_1.caffemodel").exists()
    assert score.main(["demo-fcn32s", "--json", "scores.json"]) == 0
    assert Path("scores.json").exists()
    assert infer.main(["demo-fcn32s", "../../mine/JPEGImages/image0.png", "--out", "seen"]) == 0
    assert Path("seen/image0.png").exists()
    assert not Path("out").exists()


def test_the_closest_names_are_said_first(empty, capsys):
    for tool, line in ((solve, ["voc-fcn9s"]), (score, ["voc-fcn9s"]), (infer, ["VOC-FCN8S", "photo.jpg"])):
        assert tool.main(line) == 1
        said = capsys.readouterr().err
        assert "no such variant or task. Did you mean voc-fcn8s" in said
        assert "`fcn solve --list` shows all" in said
        assert said.count("fcn") < 8
    assert data.main(["fetch", "voc20111"]) == 1
    assert "Did you mean voc2011" in capsys.readouterr().err


def test_names_that_resemble_none_are_answered_by_where_to_look():
    assert (
        str(names.unknown("x", "thing", ["alpha", "beta"], "All: list.")) == "x: no such thing. There are alpha, beta."
    )
    many = [f"name{number}" for number in range(50)]
    assert str(names.unknown("zzz", "thing", many, "All: list.")) == "zzz: no such thing. All: list."
    assert str(names.unknown("a", "thing", [], "All: list.")) == "a: no such thing. There are none."


def test_no_tool_writes_nets_where_the_checkouts_are(empty):
    nets = everything()
    assert nets.net_file(nets.find("voc-fcn8s"), "val") == "nets/voc-fcn8s/val.prototxt"
    assert not nets.writes


def test_a_reader_that_has_seen_enough_ends_a_tool_in_silence(tmp_path):
    command = f"set -o pipefail; {sys.executable} {ROOT}/tools/solve.py --list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr == ""
    assert done.returncode in (0, program.BROKEN_PIPE)


@pytest.mark.parametrize("tool", sorted(path.stem for path in (ROOT / "tools").glob("[a-z]*.py")))
def test_every_tool_says_in_a_shell_without_packages_what_to_activate(tool):
    line = [sys.executable, "-E", "-s", "-S", str(ROOT / f"tools/{tool}.py"), "--help"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no numpy, scipy, pillow" in done.stderr
    assert ".venv/bin/activate" in done.stderr
    assert "Traceback" not in done.stderr
