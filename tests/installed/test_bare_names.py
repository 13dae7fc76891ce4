"""Modules by their bare names, in a bare checkout: they are the package's own, and a user's own come first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_layers.conftest import voc  # noqa: F401 - a fixture
from tests.tools.conftest import ROOT

pytestmark = pytest.mark.slow(
    reason="dozens of Python processes; which files are installed, and by which names, changes seldom"
)

PACKAGES = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
FIRST = [
    "import surgery",
    "from surgery.kernels import interp",
    "import net_spec",
    "from net_spec.catalogue import ROWS",
    "import segdata.layer",
    "from segdata import files",
    "import voc_layers",
    "from folder_layers import FolderSegDataLayer",
    "import fcn_caffe",
]
SAME = """
import importlib, sys
import surgery, surgery.kernels, net_spec.catalogue, segdata.files, voc_layers, folder_layers
for name, whole in (("surgery", "surgery"), ("surgery.kernels", "surgery.kernels"), ("net_spec", "net_spec"),
                    ("net_spec.catalogue", "net_spec.catalogue"), ("segdata", "data_layers.segdata"),
                    ("segdata.files", "data_layers.segdata.files"), ("segdata.layer", "data_layers.segdata.layer"),
                    ("voc_layers", "data_layers.voc_layers"), ("folder_layers", "data_layers.folder_layers")):
    module = importlib.import_module("fcn_caffe." + whole)
    assert importlib.import_module(name) is module, name
    assert module.__name__ == module.__spec__.name == "fcn_caffe." + whole
assert surgery.kernels is sys.modules["fcn_caffe.surgery.kernels"]
"""


def python(code, *paths, cwd, arguments=()):
    """Run a program with the packages of this environment and what `paths` name on PYTHONPATH, and nothing else."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([*map(str, paths), *PACKAGES])}
    line = [sys.executable, "-S", "-c", code, *arguments]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("first", FIRST)
def test_whatever_is_imported_first_a_bare_name_is_the_module_of_the_package(first):
    done = python(f"{first}\n{SAME}", ROOT / "data_layers", cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("paths", [("data_layers",), (".",), (".", "data_layers"), ("data_layers", ".")])
def test_the_data_layers_folder_alone_on_pythonpath_leads_to_the_package(paths, tmp_path):
    (tmp_path / "caffe").symlink_to(ROOT / "caffe")  # a Caffe that is somewhere else
    first = "voc_layers" if "data_layers" in paths else "fcn_caffe"
    done = python(f"import {first}\n{SAME}", tmp_path, *(ROOT / path for path in paths), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_module_of_the_users_own_with_such_a_name_comes_first(tmp_path):
    (tmp_path / "surgery.py").write_text("mine = True\n")
    (tmp_path / "voc_layers.py").write_text("mine = True\n")
    code = "import fcn_caffe, surgery, voc_layers, fcn_caffe.surgery\nassert surgery.mine and voc_layers.mine"
    done = python(code, tmp_path, ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_part_that_there_is_not_is_told_by_the_name_that_was_asked_for():
    done = python("import surgery, surgery.absent", cwd=ROOT)
    assert "No module named 'surgery.absent'" in done.stderr


NET = """
layer {{ name: "data" type: "Python" top: "data" top: "label" python_param {{ module: "voc_layers"
  layer: "VOCSegDataLayer" param_str: "{{'voc_dir': '{voc}', 'split': 'train', 'mean': (1, 2, 3), 'seed': 1}}" }} }}
"""
TRAIN = """
from importlib import metadata
metadata.entry_points = lambda **named: ()  # nothing is installed
import sys
from caffe import cli
status = cli.main(["train", "-solver", sys.argv[1]])
import fcn_caffe.data_layers.voc_layers
assert sys.modules["voc_layers"] is fcn_caffe.data_layers.voc_layers
sys.exit(status)
"""


@pytest.mark.parametrize("paths", [(), ("data_layers",)])
def test_caffe_train_finds_the_data_layers_of_a_bare_checkout(paths, voc, tmp_path):  # noqa: F811
    (tmp_path / "net.prototxt").write_text(NET.format(voc=voc))
    solver = f'net: "{tmp_path}/net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "{tmp_path}/x"'
    (tmp_path / "solver.prototxt").write_text(solver)
    done = python(TRAIN, *(ROOT / path for path in paths), cwd=ROOT, arguments=[str(tmp_path / "solver.prototxt")])
    assert done.returncode == 0, done.stderr


def test_net_spec_runs_as_a_module():
    line = [sys.executable, "-m", "net_spec", "--check"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
