"""The wheel, installed far from any checkout: `fcn` does a small job in an empty folder, `caffe` finds the layers."""

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.cli import COMMANDS
from fcn_caffe.net_spec.__main__ import everything
from fcn_caffe.net_spec.generate import differences
from tests.data_layers.conftest import voc  # noqa: F401 - a fixture
from tests.tools.conftest import ROOT
from tests.tools.test_new_task import random_squeezenet  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow(
    reason="dozens of Python processes; which files are installed, and by which names, changes seldom"
)

PARTS = ("caffe", "fcn_caffe", "net_spec", "surgery", "data_layers", "splits")
NET = """
layer {{ name: "data" type: "Python" top: "data" top: "label" python_param {{ module: "voc_layers"
  layer: "VOCSegDataLayer" param_str: "{{'voc_dir': '{voc}', 'split': 'train', 'mean': (1, 2, 3), 'seed': 1}}" }} }}
layer {{ name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param {{ num_output: 21 kernel_size: 1 weight_filler {{ type: "gaussian" std: 1e-4 }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param {{ ignore_label: 255 }} }}
"""
SOLVER = 'net: "net.prototxt" base_lr: 1e-7 lr_policy: "fixed" max_iter: 2 display: 1 snapshot_prefix: "x"'
IS_THE_SAME = """
import sys, caffe
caffe.Net("net.prototxt", caffe.TRAIN)
import fcn_caffe.data_layers.voc_layers as whole
import voc_layers, segdata
assert voc_layers is whole and segdata is sys.modules["fcn_caffe.data_layers.segdata"]
print(whole.__file__)
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the files that make it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(out), str(source)], check=True)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A virtual environment that has the wheel; the packages that it needs are this environment's."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    install = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    packages = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "packages.pth").write_text("".join(f"{path}\n" for path in packages))
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """run("fcn list", NAME=value …) → stdout, in an empty folder."""
    home = tmp_path / "home"
    home.mkdir()

    def run_line(line, **variables):
        program, *arguments = line if isinstance(line, list) else line.split()
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"}
        done = subprocess.run(
            [str(installed / "bin" / program), *arguments],
            cwd=home,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout

    run_line.home = home
    return run_line


def test_every_file_of_the_project_is_in_the_wheel_and_no_test_is(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = set()
    for part in PARTS:
        below = "" if part in ("caffe", "fcn_caffe") else "fcn_caffe/"
        for path in (ROOT / part).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(f"{below}{path.relative_to(ROOT).as_posix()}")
    assert names == expected


def test_its_description_has_no_link_or_picture_that_a_package_index_cannot_show(wheel):
    files = zipfile.ZipFile(wheel)
    (name,) = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
    head, shown = files.read(name).decode().split("\n\n", 1)
    assert "Description-Content-Type: text/markdown" in head
    links = re.findall(r"\]\(([^)]*)\)", shown)
    assert links
    assert all(link.startswith("https://") for link in links), links
    assert "More on installing (`docs/install.md`)" in shown
    assert shown.count("```console") == (ROOT / "README.md").read_text(encoding="utf-8").count("```console")


def test_the_nets_that_it_writes_are_the_checkouts(run):
    assert "voc-fcn8s" in run("fcn list")
    assert "files in nets/ and solvers/" in run("fcn nets")
    assert list(differences(everything(), run.home)) == []


def test_every_command_tells_its_options(run):
    for command in COMMANDS:
        assert run(["fcn", command, "--help"]).startswith(f"usage: fcn {command} ")


def test_a_task_of_ones_own_is_trained_scored_and_used(run, random_squeezenet):  # noqa: F811
    home, rng = run.home, np.random.default_rng(0)
    for folder in ("photos", "labels", "data/ilsvrc"):
        (home / folder).mkdir(parents=True)
    for index in range(4):
        image, label = (rng.integers(0, top, (33, 41, *more), dtype=np.uint8) for top, more in ((256, (3,)), (3, ())))
        Image.fromarray(image).save(home / f"photos/{index}.png")
        Image.fromarray(label).save(home / f"labels/{index}.png")
    (home / "classes.txt").write_text("ground\nsky\nwater\n")
    shutil.copy(random_squeezenet, home / "data/ilsvrc/squeezenet_v1.1-conv.caffemodel")
    line = "fcn new mine --images photos --labels labels --classes classes.txt --backbone squeezenet --stride 16"
    assert "wrote tasks/mine/" in run(line)
    assert "mean IU" in run("fcn solve mine --chain --iterations 2")
    assert "mean IU" in run("fcn score mine")
    run("fcn infer mine photos/0.png --out seen")
    assert Image.open(home / "seen/0.png").size == (41, 33)


@pytest.mark.parametrize("on_the_path", [False, True])
def test_caffe_train_finds_the_data_layers_with_and_without_pythonpath(run, installed, on_the_path, voc):  # noqa: F811
    (run.home / "net.prototxt").write_text(NET.format(voc=voc))
    (run.home / "solver.prototxt").write_text(SOLVER)
    (layers,) = installed.glob("lib/python3*/site-packages/fcn_caffe/data_layers")
    variables = {"PYTHONPATH": str(layers)} if on_the_path else {}
    run("caffe train -solver solver.prototxt", **variables)
    assert (run.home / "x_iter_2.caffemodel").exists()
    assert run(["python", "-c", IS_THE_SAME], **variables).strip() == str(layers / "voc_layers.py")
