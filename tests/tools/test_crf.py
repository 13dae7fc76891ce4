"""tools/crf.py and the option --crf: what is refined, how much better it is, and with which parameters."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import caffe
from caffe.ops import dense_crf
from fcn_caffe import engine
from fcn_caffe.commands import crf, infer, score
from fcn_caffe.scoring import crf as option
from fcn_caffe.scoring.crf_search import coordinate_search
from tests.tools.conftest import SIZE
from tests.tools.test_score import write_net

CLASSES = 3


@pytest.fixture
def saved(empty):
    """Scores, images and labels of two squares: noise in the scores that the colours do not have."""
    draw = np.random.default_rng(0)
    for folder in ("scores", "images", "labels"):
        Path(folder).mkdir()
    colours = np.array([[20, 30, 40], [200, 60, 50], [90, 220, 180]])
    for index, size in enumerate([(24, 30), (21, 27)]):
        labels = np.zeros(size, np.uint8)
        labels[3:15, 2:14], labels[8:20, 16:25] = 1, 2
        noise = draw.normal(0, 1.2, (CLASSES, *size))
        np.save(f"scores/{index}.npy", (noise + 1.5 * np.eye(CLASSES)[labels].transpose(2, 0, 1)).astype(np.float32))
        pixels = np.clip(colours[labels] + draw.normal(0, 3, (*size, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(f"images/{index}.png")
        Image.fromarray(labels).save(f"labels/{index}.png")
    return empty


LINE = ["scores", "--images", "images"]


def pixels_of(file):
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("preset", ["deeplab", "pydensecrf", "ccnn-tuned"])
def test_the_labels_are_those_of_the_dense_crf(saved, preset):
    assert crf.main([*LINE, "--crf", preset]) == 0
    for name in ("0", "1"):
        scores = torch.from_numpy(np.load(f"scores/{name}.npy"))[None]
        image = torch.from_numpy(pixels_of(f"images/{name}.png").copy()).permute(2, 0, 1)[None]
        q = dense_crf.dense_crf(scores, image, dense_crf.PRESETS[preset])[0]
        assert (pixels_of(f"out/crf/{name}.png") == q.argmax(0).numpy()).all()
        assert Image.open(f"out/crf/{name}_overlay.png").size == image.shape[:1:-1]


def test_with_labels_it_tells_how_much_better_it_is(saved, capsys):
    assert crf.main([*LINE, "--labels", "labels"]) == 0
    without, refined = map(float, re.findall(r"mean IU (\d\.\d+)", capsys.readouterr().out))
    right = [(pixels_of(f"out/crf/{name}.png") == pixels_of(f"labels/{name}.png")).mean() for name in ("0", "1")]
    assert min(right) > 0.97
    assert refined > 0.9 > without


def test_a_search_writes_parameters_that_other_commands_take(saved, capsys, monkeypatch):
    monkeypatch.setattr(coordinate_search, "__defaults__", (((4, 6), (20, 60), (5, 10)), (4.0, 20.0, 5.0)))
    assert crf.main([*LINE, "--labels", "labels", "--search", "--save", "found/mine.json"]) == 0
    said = capsys.readouterr().out
    values = json.loads(Path("found/mine.json").read_text())
    tried = [float(value) for value in re.findall(r"^weight .*mean IU (\d\.\d+)", said, re.MULTILINE)]
    assert values["mean_iu"] == pytest.approx(max(tried), abs=1e-4)
    assert values["mean_iu"] > values["without"]
    assert values["images"] == 2
    assert values["kernels"][0] == {"weight": 3, "position": 3, "colour": None}
    found = option.parameters("found/mine.json")
    assert found.kernels[1]._asdict() == values["kernels"][1]
    assert crf.main([*LINE, "--crf", "found/mine.json", "--labels", "labels"]) == 0
    assert f"mean IU {values['mean_iu']:.4f}" in capsys.readouterr().out
    assert not Path("out/crf.json").exists()


def test_parameters_of_channels_each_come_back_as_they_were_written(empty):
    kernels = (dense_crf.Kernel(3, (2.0, 4.0)), dense_crf.Kernel(5, 60.0, (5.0, 6.0, 7.0)))
    option.save(dense_crf.CrfParameters(kernels, 7, "symmetric"), Path("mine.json"))
    assert option.parameters("mine.json") == dense_crf.CrfParameters(kernels, 7, "symmetric")


@pytest.mark.parametrize("peak", [(6.5, 45.0, 3.0), (4.0, 100.0, 9.5), (5.0, 50.0, 5.0)])
def test_a_coordinate_search_finds_the_peak_and_measures_no_point_twice(peak):
    points = []

    def measure(point):
        points.append(point)
        return -sum((a - b) ** 2 for a, b in zip(point, peak, strict=True))

    assert coordinate_search(measure) == (peak, 0)
    assert len(points) == len(set(points)) < 60


def test_a_coordinate_search_never_tries_what_is_not_above_0():
    points = []
    best, _ = coordinate_search(lambda point: points.append(point) or -point[0], ((1, 3), (5, 6)), (3, 5))
    assert best == (1, 5)
    assert min(value for point in points for value in point) > 0


def test_infer_refines_labels_and_keeps_the_nets_scores(saved):
    Path("net.prototxt").write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }\n'
        'layer { name: "score" type: "Convolution" bottom: "data" top: "score" '
        "convolution_param { num_output: 3 kernel_size: 1 } }"
    )
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.params["score"][0].data[...] = np.random.default_rng(0).normal(size=(3, 3, 1, 1)) / 50
    net.save("net.caffemodel")
    line = ["--net", "net.prototxt", "--weights", "net.caffemodel", "images/0.png", "--scores"]
    assert infer.main([*line, "--out", "plain"]) == 0
    assert infer.main([*line, "--out", "refined", "--crf", "deeplab"]) == 0
    assert (np.load("plain/0.npy") == np.load("refined/0.npy")).all()
    q = option.refined(np.load("plain/0.npy"), pixels_of("images/0.png"), option.parameters("deeplab"))
    assert (pixels_of("refined/0.png") == q.argmax(0)).all()


def test_score_counts_what_the_crf_says(folder):
    net = write_net()
    line = ["--net", "val.prototxt", "--weights", "net.caffemodel", "--crf", "ccnn"]
    assert score.main([*line, "--save-dir", "labels", "--json", "scores.json"]) == 0
    hist = np.array(json.loads(Path("scores.json").read_text())["confusion"])
    right, changed = 0, 0
    for name in ("image0", "image1", "image2"):
        labels = pixels_of(f"labels/{name}.png")
        right += (labels == pixels_of(f"mine/SegmentationClass/{name}.png")).sum()
        net.blobs["data"].reshape(1, 3, *SIZE)
        pixels = pixels_of(f"mine/JPEGImages/{name}.png")[:, :, ::-1]
        scores = np.einsum("kc,hwc->khw", net.params["score"][0].data[:, :, 0, 0], pixels.astype(np.float32))
        q = option.refined(scores, pixels, option.parameters("ccnn"))
        assert (labels == q.argmax(0)).mean() > 0.99
        changed += (labels != scores.argmax(0)).sum()
    assert np.trace(hist) == right
    assert changed > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--crf", "deeplap"], "Did you mean deeplab?"),
        (["--crf", "bad.json"], "'bad.json' has no parameters of a CRF"),
        (["--crf", "negative.json"], "expected numbers above 0"),
        (["--images", "labels_of_one"], "has no image in 'labels_of_one', expected one called 1"),
        (["--images", "small"], "'small/0.png' is 5×4, the scores in 'scores/0.npy' are 30×24: expected one size"),
        (["--out", "images"], "'images/0.png' is to be written, and is an input, too"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(saved, capsys, change, message):
    Path("bad.json").write_text('{"kernels": [{"breadth": 3}], "iterations": 3, "normalization": "after"}')
    kernel = {"weight": 1, "position": -3, "colour": None}
    Path("negative.json").write_text(json.dumps({"kernels": [kernel], "iterations": 3, "normalization": "after"}))
    for name, sizes in {"labels_of_one": [(30, 24)], "small": [(5, 4), (27, 21)]}.items():
        Path(name).mkdir()
        for index, size in enumerate(sizes):
            Image.new("RGB", size).save(f"{name}/{index}.png")
    assert crf.main([*LINE, *change]) == 1
    assert message in capsys.readouterr().err
    assert not Path("out/crf").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((24, 30), np.float32), "holds float32 of shape (24, 30), expected classes×height×width"),
        (np.zeros((3, 24, 30), np.int64), "holds int64 of shape (3, 24, 30)"),
        (np.array({"a": 1}, dtype=object), "'scores/0.npy' holds no array"),
    ],
)
def test_files_that_hold_no_scores_are_told(saved, capsys, values, message):
    np.save("scores/0.npy", values, allow_pickle=True)
    assert crf.main(LINE) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_told_with_their_file(saved, capsys, value):
    scores = np.load("scores/1.npy")
    scores[2, 3, 4] = value
    np.save("scores/1.npy", scores)
    assert crf.main(LINE) == 1
    assert "'scores/1.npy' has 1 values that are no finite numbers" in capsys.readouterr().err


def test_more_classes_than_a_label_can_hold_are_refused(saved, capsys):
    np.save("scores/0.npy", np.zeros((256, 24, 30), np.float32))
    assert crf.main(LINE) == 1
    assert "'scores/0.npy' has 256 classes, expected at most 255" in capsys.readouterr().err


def test_a_label_that_the_scores_do_not_have_is_told(saved, capsys):
    Image.fromarray(np.where(pixels_of("labels/1.png") == 2, 9, 255).astype(np.uint8)).save("labels/1.png")
    assert crf.main([*LINE, "--labels", "labels"]) == 1
    assert (
        "'labels/1.png' has the class 9, expected those of the scores, 0 to 2, or 255 (void)" in capsys.readouterr().err
    )


@pytest.mark.parametrize("line", [["--crf", "deeplab"], []])
def test_presets_are_no_paths_wherever_one_works(saved, capsys, monkeypatch, line):
    Path("tasks").mkdir()
    Path("photos").mkdir()
    monkeypatch.chdir("photos")
    assert crf.main(["../scores", "--images", "../images", "--out", "../here", *line]) == 0
    option.save(dense_crf.PRESETS["ccnn"], Path("mine.json"))
    assert crf.main(["../scores", "--images", "../images", "--out", "../here", "--crf", "mine.json"]) == 0
    assert pixels_of("../here/1.png").shape == (21, 27)


@pytest.mark.parametrize("mine", ['{"mine": 1}', "my notes", "[]"])
def test_a_search_writes_over_nothing_but_parameters(saved, capsys, mine):
    Path("notes.json").write_text(mine)
    assert crf.main([*LINE, "--labels", "labels", "--search", "--save", "notes.json"]) == 1
    assert "'notes.json' is there already, and no" in capsys.readouterr().err
    assert Path("notes.json").read_text() == mine


@pytest.mark.parametrize("save", ["images/0.png", "labels/1.png", "found/mine"])
def test_a_search_writes_what_the_option_takes(saved, capsys, save):
    with pytest.raises(SystemExit) as ended:
        crf.main([*LINE, "--labels", "labels", "--search", "--save", save])
    assert ended.value.code == 2
    assert f"--save {save}: --crf takes files of parameters that end in .json" in capsys.readouterr().err
    assert not Path("found").exists()


def test_a_search_by_void_alone_is_refused(saved, capsys):
    for name in ("0", "1"):
        Image.fromarray(np.full_like(pixels_of(f"labels/{name}.png"), 255)).save(f"labels/{name}.png")
    assert crf.main([*LINE, "--labels", "labels", "--search"]) == 1
    assert "the 2 labels have no pixel of a class" in capsys.readouterr().err
    assert not Path("out/crf.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"iterations": float("inf")},
        {"iterations": 1.9},
        {"iterations": True},
        {"iterations": -1},
        {"kernels": []},
        {"kernels": [{"weight": None, "position": 3}]},
        {"kernels": [{"weight": float("nan"), "position": 3}]},
        {"kernels": [{"weight": "3", "position": 3}]},
        {"kernels": [{"weight": 1, "position": None}]},
        {"kernels": [{"weight": 1, "position": [3, 3, 3]}]},
        {"normalization": None},
    ],
    ids=str,
)
def test_a_damaged_file_of_parameters_is_told_by_its_name(saved, capsys, change):
    values = {"kernels": [{"weight": 1, "position": 3}], "iterations": 3, "normalization": "after"}
    Path("bad.json").write_text(json.dumps({**values, **change}))
    for more in ([], ["--labels", "labels", "--search"]):
        assert crf.main([*LINE, "--crf", "bad.json", *more]) == 1
        assert "'bad.json' has no parameters of a CRF" in capsys.readouterr().err


def test_a_folder_without_scores_says_how_to_write_some(saved, capsys):
    assert crf.main(["images", "--images", "images"]) == 1
    assert "'images' has no scores (NAME.npy). Write some: fcn infer" in capsys.readouterr().err


def test_a_search_without_labels_is_refused(saved, capsys):
    with pytest.raises(SystemExit) as ended:
        crf.main([*LINE, "--search"])
    assert ended.value.code == 2
    assert "--search needs --labels" in capsys.readouterr().err


def test_a_caffe_without_a_dense_crf_is_told(saved, capsys, monkeypatch):
    monkeypatch.setattr(engine, "OURS", False)
    assert crf.main(LINE) == 1
    assert "crf: the dense CRF: the `caffe` that is imported is BVLC Caffe" in capsys.readouterr().err
