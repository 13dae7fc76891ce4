"""Every console line of the README and the tutorial runs as it stands, in a fresh shell, in the order they come.

A line that takes over a minute, or a network, is replaced by a shorter one of its kind, or left out: see INSTEAD.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.demo import data as demo_data
from tests.tools.conftest import ROOT, write_voc
from tests.tools.test_new_task import random_squeezenet  # noqa: F401  (a fixture)

DOCUMENTS = ("README.md", "docs/tutorial.md")
INSTEAD = {
    "python3 -m venv .venv": "python3 -m venv --help",
    "pip install .": "pip --version",
    "fcn demo": "fcn demo --help",
    "make test": "make -n test",
    "make voc-fcn8s": "make -n voc-fcn8s",
    "fcn data fetch voc2011 sbd vgg16": "fcn data list",
    "fcn solve mine --chain": "fcn solve mine --chain --iterations 1",
    "caffe train --solver=solvers/demo-classifier.prototxt": "sed s/max_iter:.*/max_iter:1/ "
    "solvers/demo-classifier.prototxt > short.prototxt && caffe train --solver=short.prototxt",
    "caffe time --model=nets/voc-fcn8s/deploy.prototxt": "caffe time --model=nets/demo-fcn8s/deploy.prototxt "
    "-iterations 1",
    "fcn data fetch squeezenet_v1.1": "fcn data list",
    "fcn solve street --chain --iterations 1200 --seed 1": "fcn solve street --chain --iterations 1 --seed 1",
    "fcn solve voc-fcn8s --chain --voc-dir data/mine --classes 11 --name mine": "fcn solve "
    "demo-fcn8s --chain --voc-dir data/mine --classes 11 --name mine --iterations 1",
}
"""What takes over a minute or a network, and a shorter line of its kind."""

MADE_FOR_README = """
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: [1, 3, 4, 4] } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 2 kernel_size: 1 } }
"""


def console_lines(document):
    """The commands of its console blocks, those over several lines as one; comments and output are left out."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)
    commands = [re.findall(r"^ *\$ ((?:.*\\\n)*.*)", block, re.M) for block in blocks]
    return [re.sub(r"\s*\\\n\s*", " ", re.sub(r"\s+#.*", "", line)) for block in commands for line in block]


@pytest.fixture
def checkout(tmp_path, classifier, random_squeezenet):  # noqa: F811
    """A checkout as a user has it: its files, .venv, and what README and tutorial say should be there."""
    for path in ROOT.iterdir():
        if path.name not in (".venv", ".git", "tasks", "snapshot", "out", "data", "build"):
            (tmp_path / path.name).symlink_to(path)
    venv = tmp_path / ".venv"
    shutil.copytree(Path(sys.executable).parent, venv / "bin", symlinks=True)
    for name in ("lib", "lib64", "include", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (venv / name).symlink_to(Path(sys.prefix) / name)
    (venv / "bin/activate").write_text(f'PATH="{venv}/bin:$PATH"\n')
    (venv / "installed").touch()
    weights = {"snapshot/demo-classifier/conv.caffemodel": classifier}
    weights["data/ilsvrc/squeezenet_v1.1-conv.caffemodel"] = random_squeezenet
    for place, file in weights.items():
        (tmp_path / place).parent.mkdir(parents=True)
        shutil.copy(file, tmp_path / place)
    for folder, images in (("data/mine", 4), ("data/camvid", 4)):
        write_voc(tmp_path / folder, n_classes=11, images=images)
        (tmp_path / folder / "ImageSets/Segmentation/train.txt").write_text("image0\nimage1\n")
        (tmp_path / folder / "ImageSets/Segmentation/val.txt").write_text("image2\nimage3\n")
    (tmp_path / "classes.txt").write_text(classes_of_the_tutorial())
    (tmp_path / "photos").symlink_to("data/mine/JPEGImages")
    (tmp_path / "labels").symlink_to("data/mine/SegmentationClass")
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    for name in ("photo.jpg", "data/camvid/JPEGImages/Seq05VD_f01710.jpg"):
        photo.save(tmp_path / name)
    demo_data.write_classification(tmp_path / "out/demo/data/classification", 1, {"train": 32, "val": 256})
    (tmp_path / "val.prototxt").write_text(MADE_FOR_README)
    caffe.Net(str(tmp_path / "val.prototxt"), caffe.TEST).save(str(tmp_path / "x.caffemodel"))
    return tmp_path


def classes_of_the_tutorial():
    (block,) = re.findall(r"```text\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(encoding="utf-8"), re.S)
    return "".join(f"{line.strip()}\n" for line in block.splitlines())


@pytest.mark.slow(reason="trains and scores small nets by every command of two documents")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_console_line_runs_in_a_fresh_shell(document, checkout):
    lines = [INSTEAD.get(line, line) for line in console_lines(document)]
    assert len(lines) >= 8
    steps = [f"echo '>>>' {line!r}; {line} || {{ echo failed with $?; exit 1; }}" for line in lines]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(steps)], cwd=checkout, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_whatever_is_left_out_stands_in_the_documents():
    written = {line for document in DOCUMENTS for line in console_lines(document)}
    assert written >= INSTEAD.keys()
