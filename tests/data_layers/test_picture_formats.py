"""Image files are decoded by libraries alone, in formats that are named: no file makes Pillow start a program."""

import ast
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe.io
from caffe.data import images
from caffe.errors import DataError
from caffe.formats.pictures import FORMATS
from fcn_caffe.data_layers.segdata import files

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("analyses", "benchmarks", "caffe", "data_layers", "net_spec", "surgery", "tools")
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
showpage
%%EOF
"""


@pytest.fixture
def eps(tmp_path, monkeypatch):
    """An EPS file that is called .jpg, and a Ghostscript that leaves a trace when it is started."""
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!{sys.executable}\nopen({str(tmp_path / 'started')!r}, 'w')\n")
    ghostscript.chmod(ghostscript.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None, raising=False)  # Pillow 9 looks for it each time
    (tmp_path / "photo.jpg").write_bytes(EPS)
    return tmp_path / "photo.jpg"


@pytest.mark.parametrize("read", [images.read, caffe.io.load_image, files.read_image, files.read_label])
def test_an_eps_file_is_refused_by_name_and_starts_no_program(read, eps):
    with pytest.raises((DataError, ValueError), match=r"photo\.jpg"):
        read(str(eps))
    assert not (eps.parent / "started").exists()


def test_without_named_formats_pillow_does_start_a_program(eps):
    with Image.open(eps) as image, pytest.raises(OSError):
        image.load()
    assert (eps.parent / "started").exists()


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif", "tif", "webp", "ppm", "jp2"])
def test_the_formats_of_photos_and_labels_are_read(ending, tmp_path):
    path = tmp_path / f"x.{ending}"
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path)
    for read in (images.read, caffe.io.load_image, files.read_image):
        assert read(str(path)).shape == (4, 6, 3)


def test_the_formats_are_the_same_everywhere():
    assert files.FORMATS == FORMATS


def test_whoever_opens_an_image_names_the_formats():
    missing = []
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        opens = [call for call in calls if ast.unparse(call.func).endswith("Image.open")]
        named = [call for call in opens if "formats" in {keyword.arg for keyword in call.keywords}]
        missing += [f"{path.relative_to(ROOT)}:{call.lineno}" for call in opens if call not in named]
    assert missing == []
