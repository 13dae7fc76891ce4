"""tools/infer.py: folders, patterns, batches, sizes, shares, colours, and several processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import edges, infer, score, trimap
from fcn_caffe.inference.find import Found
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import drawing, palettes
from fcn_caffe.pictures.legend import Legend
from tests.tools.conftest import ROOT

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
"""
LINE = ["--net", "net.prototxt", "--weights", "net.caffemodel"]
SIZES = {"a.png": (20, 14), "b.JPG": (20, 14), "deep/er/c.png": (20, 14), "deep/d.png": (9, 30), "e.png": (20, 14)}


@pytest.fixture
def folder(empty):
    """A net, and a folder of images of two sizes with folders in it."""
    Path("net.prototxt").write_text(NET)
    net, rng = caffe.Net("net.prototxt", caffe.TEST), np.random.default_rng(0)
    net.params["score"][0].data[...] = rng.normal(size=net.params["score"][0].data.shape)
    net.save("net.caffemodel")
    for name, (width, height) in SIZES.items():
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    Path("photos/deep/notes.txt").write_text("none")
    return empty


def labels(folder):
    return {
        str(path.relative_to(folder)): np.asarray(Image.open(path))
        for path in sorted(Path(folder).rglob("*.png"))
        if not path.stem.endswith("_overlay")
    }


def test_a_folder_is_taken_with_all_folders_in_it_and_they_are_kept(folder):
    assert infer.main([*LINE, "photos", "--out", "out"]) == 0
    assert set(labels("out")) == {"a.png", "b.png", "deep/er/c.png", "deep/d.png", "e.png"}
    assert Image.open("out/deep/d_overlay.png").size == (9, 30)


def test_what_was_written_below_a_folder_is_no_input(folder):
    for _ in range(2):
        assert infer.main([*LINE, "photos", "--out", "photos/out"]) == 0
    assert len(labels("photos/out")) == 5


def test_pictures_of_a_kind_that_is_not_read_are_told(folder, capsys):
    Path("photos/deep/p.HEIC").touch()
    assert infer.main([*LINE, "photos", "--out", "out"]) == 0
    assert "WARNING: 1 picture(s) of 'photos' are of a kind that is not read" in capsys.readouterr().err


def test_patterns_name_files(folder, capsys):
    assert infer.main([*LINE, "photos/*.png", "--out", "out"]) == 0
    assert set(labels("out")) == {"a.png", "e.png"}
    assert infer.main([*LINE, "photos/**/*.png", "--out", "all"]) == 0
    assert set(labels("all")) == {"a.png", "c.png", "d.png", "e.png"}
    assert infer.main([*LINE, "photos/*.bmp"]) == 1
    assert "no file fits" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--scores"]])
def test_batches_give_what_one_by_one_gives(folder, more):
    assert infer.main([*LINE, "photos", "--out", "one", *more]) == 0
    assert infer.main([*LINE, "photos", "--out", "three", "--batch", "3", *more]) == 0
    one, three = labels("one"), labels("three")
    assert one.keys() == three.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], three[name])


def test_a_damaged_image_does_not_lose_the_others_of_its_batch(folder, capsys):
    content = Path("photos/b.JPG").read_bytes()
    Path("photos/b.JPG").write_bytes(content[: len(content) // 2])
    assert infer.main([*LINE, "photos", "--out", "out", "--batch", "4"]) == 1
    assert set(labels("out")) == {"a.png", "deep/er/c.png", "deep/d.png", "e.png"}
    assert capsys.readouterr().err.count("infer: ") == 1


def test_max_side_computes_less_and_gives_labels_of_the_images_size(folder, monkeypatch):
    seen = []
    forward = caffe.Net.forward
    monkeypatch.setattr(
        caffe.Net, "forward", lambda net, *a, **k: (seen.append(net.blobs["data"].shape[2:]), forward(net, *a, **k))[1]
    )
    assert infer.main([*LINE, "photos/a.png", "photos/deep/d.png", "--max-side", "15", "--out", "out"]) == 0
    assert [tuple(shape) for shape in seen] == [(10, 15), (15, 4)]
    assert [values.shape for values in labels("out").values()] == [(14, 20), (30, 9)]


def test_shares_as_json(folder):
    assert infer.main([*LINE, "photos", "--out", "out", "--json", "shares.json"]) == 0
    found = json.loads(Path("shares.json").read_text())
    assert set(found) == {f"photos/{name}" for name in SIZES}
    for path, each in found.items():
        assert (each["width"], each["height"]) == SIZES[path[7:]]
        assert sum(each["share"].values()) == pytest.approx(1)
        assert list(each["share"].values()) == sorted(each["share"].values(), reverse=True)
    counts = np.bincount(labels("out")["a.png"].ravel(), minlength=3)
    assert found["photos/a.png"]["share"]["class 1"] == counts[1] / counts.sum()


def test_contours_legends_and_palettes(folder, monkeypatch):
    legend = Legend(("one", "two", "three"))
    monkeypatch.setattr(infer, "find", lambda *_: Found("net.prototxt", "net.caffemodel", legend, MEAN))
    line = ["net", "photos/a.png", "--contours", "--legend", "--palette", "colour-blind", "--out", "out"]
    assert infer.main(line) == 0
    colours = palettes.colours("colour-blind")
    assert Image.open("out/a.png").getpalette()[: 3 * 3] == colours[:3].ravel().tolist()
    picture = np.asarray(Image.open("out/a_overlay.png"))
    assert picture.shape[1] > 20
    found = labels("out")["a.png"].astype(int)
    edge = np.argwhere(np.diff(found, axis=1) != 0)[-1]
    pair = {tuple(picture[edge[0], edge[1] + step].tolist()) for step in (0, 1)}
    assert pair <= {(0, 0, 0), (255, 255, 255)}
    for cls in np.unique(found):
        assert (picture[:, 20:] == colours[cls]).all(2).any()


def test_palettes_have_a_colour_for_each_class():
    for name, count in (("voc", 256), ("camvid", 11), ("colour-blind", 22)):
        assert len({tuple(colour) for colour in palettes.colours(name)[:count].tolist()}) == count
    np.testing.assert_array_equal(palettes.colours("voc"), drawing.palette())


@pytest.mark.parametrize("option", ["--max-side", "--batch", "--frames"])
def test_numbers_below_one_are_refused(folder, option, capsys):
    with pytest.raises(SystemExit):
        infer.main([*LINE, "photos", option, "0"])
    assert "give 1 or more" in capsys.readouterr().err


@pytest.mark.slow(reason="two processes that load torch")
def test_processes_share_the_images_out(folder):
    assert infer.main([*LINE, "photos", "--out", "alone", "--json", "alone.json"]) == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "fcn_caffe"]
    line += ["infer", *LINE, "photos", "--out", "shared", "--json", "shared.json"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert len(re.findall("^photos/", done.stdout, re.M)) == 5
    assert json.loads(Path("shared.json").read_text()) == json.loads(Path("alone.json").read_text())
    alone, shared = labels("alone"), labels("shared")
    assert alone.keys() == shared.keys()
    for name in alone:
        np.testing.assert_array_equal(alone[name], shared[name])


def test_shares_are_never_written_over_an_image_or_what_is_no_json(folder, capsys):
    before = Path("photos/a.png").read_bytes()
    for path, words in (("photos/a.png", "is an input"), ("net.prototxt", "is an input"), ("photos", "is a folder")):
        assert infer.main([*LINE, "photos/a.png", "--out", "out", "--json", path]) == 1
        assert words in capsys.readouterr().err
    Path("diary.txt").write_text("Dear diary")
    assert infer.main([*LINE, "photos/a.png", "--out", "out", "--json", "diary.txt"]) == 1
    assert "'diary.txt' is there already, and no JSON: it stays" in capsys.readouterr().err
    assert (Path("photos/a.png").read_bytes(), Path("diary.txt").read_text()) == (before, "Dear diary")
    for _ in range(2):
        assert infer.main([*LINE, "photos/a.png", "--out", "out", "--json", "shares.json"]) == 0


def test_scores_are_never_written_over_what_is_no_json(folder, capsys):
    Path("diary.txt").write_text("Dear diary")
    calls = {
        score: [*LINE],
        trimap: ["photos", "--voc-dir", "."],
        edges: ["camvid-hed"],
    }
    for command, line in calls.items():
        assert command.main([*line, "--json", "diary.txt"]) == 1
        assert "no JSON: it stays" in capsys.readouterr().err
    assert Path("diary.txt").read_text() == "Dear diary"
