"""tools/infer.py: images of every kind in, pictures out; what it cannot segment it names."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from tools import infer

INPUT = 'layer {{ name: "{0}" type: "Input" top: "{0}" input_param {{ shape {{ dim: [1, {1}, 4, 4] }} }} }}\n'
SCORE = (
    'layer { name: "score" type: "Convolution" bottom: "data" top: "score" convolution_param { num_output: 3 SIZE } }'
)


def write(name, text):
    Path(name).write_text(text)
    net = caffe.Net(name, caffe.TEST)
    net.params["score"][0].data[...] = np.random.default_rng(0).normal(size=net.params["score"][0].data.shape)
    net.save("net.caffemodel")


@pytest.fixture
def images(empty):
    """Images of four kinds, and a net."""
    write("net.prototxt", INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 1"))
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    kinds = {
        "rgb": pixels[..., :3],
        "rgba": pixels,
        "gray": pixels[..., 0],
        "gray16": pixels[..., 0].astype(np.uint16) * 257,
    }
    for name, values in kinds.items():
        Image.fromarray(values).save(f"{name}.png")
    Image.open("rgb.png").convert("P").save("palette.png")
    return [f"{name}.png" for name in (*kinds, "palette")]


LINE = ["--net", "net.prototxt", "--weights", "net.caffemodel"]


def test_every_kind_of_image_gives_labels_and_overlay(images, capsys):
    assert infer.main([*LINE, *images, "--scores"]) == 0
    for name in ("rgb", "rgba", "gray", "gray16", "palette"):
        labels = Image.open(f"out/infer/{name}.png")
        scores = np.load(f"out/infer/{name}.npy")
        assert labels.mode == "P"
        assert labels.getpalette()[3:6] == [128, 0, 0]
        assert (np.asarray(labels) == scores.argmax(0)).all()
        assert Image.open(f"out/infer/{name}_overlay.png").size == (5, 7)
    assert (np.load("out/infer/gray.npy") == np.load("out/infer/gray16.npy")).all()
    assert capsys.readouterr().out.count("class ") >= 5


@pytest.mark.parametrize("line", [["rgb.png", *LINE], [*LINE, "rgb.png"], [*LINE[:2], "rgb.png", *LINE[2:]]])
def test_images_before_and_after_options(images, line):
    assert infer.main([*line, "--out", "here"]) == 0
    assert Path("here/rgb.png").exists()


def test_a_bad_image_does_not_lose_the_others(images, capsys):
    Path("bad.jpg").write_bytes(b"no image")
    assert infer.main([*LINE, "bad.jpg", "nowhere.jpg", "rgb.png"]) == 1
    said = capsys.readouterr().err
    assert "infer: bad.jpg: " in said
    assert "infer: nowhere.jpg: there is no file" in said
    assert Path("out/infer/rgb.png").exists()


def test_two_images_of_one_name_give_two_results(images):
    Path("other").mkdir()
    Image.open("gray.png").save("other/rgb.png")
    assert infer.main([*LINE, "rgb.png", "other/rgb.png"]) == 0
    assert {path.name for path in Path("out/infer").iterdir()} == {
        f"{i}_rgb{end}.png" for i in (0, 1) for end in ("", "_overlay")
    }


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (INPUT.format("data", 3) + INPUT.format("depth", 1) + SCORE, "takes data 1×3×4×4, depth 1×1×4×4, expected one"),
        (INPUT.format("data", 4) + SCORE, "takes data 1×4×4×4"),
        (INPUT.format("data", 3) + SCORE.replace('top: "score"', 'top: "scores"'), "no blob score; there are"),
        (INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 2"), "blob score is 6×4, expected the image's"),
    ],
)
def test_nets_that_do_not_segment_an_image_are_refused(images, capsys, net, words):
    write("net.prototxt", net.replace("SIZE", "kernel_size: 1"))
    assert infer.main([*LINE, "rgb.png"]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variant", "score", "names"),
    [
        ("voc7-fcn8s-squeezenet", "score", ["background", "cat", "cow", "dog", "horse", "person", "sheep"]),
        ("siftflow-fcn8s", "score_geo", ["horizontal", "vertical", "sky"]),
        ("voc-fcn8s", "fc7", []),
    ],
)
def test_names_of_the_classes(variant, score, names):
    legend = infer.find(variant, score).classes
    assert sorted(legend.names) == sorted(names)
    assert legend.name(200) == "class 200"


def test_a_variant_has_its_own_mean_and_must_see_colours(empty):
    assert infer.find("siftflow-fcn8s").mean == (114.578, 115.294, 108.353)
    assert infer.find("voc7-fcn8s").mean == infer.MEAN
    with pytest.raises(ValueError, match="nyud-fcn32s-hha sees hha, expected a net that sees colours"):
        infer.find("nyud-fcn32s-hha")


def test_an_untrained_variant(images, capsys):
    assert infer.main(["voc-fcn8s", "rgb.png"]) == 1
    assert "solve.py voc-fcn8s" in capsys.readouterr().err
