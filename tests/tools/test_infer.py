"""tools/infer.py: images of every kind in, pictures out; what it cannot segment it names."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import infer
from fcn_caffe.inference import segment
from fcn_caffe.inference.find import find
from fcn_caffe.inference.write import output_names
from fcn_caffe.large import bands
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.legend import Legend

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
        (INPUT.format("data", 3) + SCORE.replace('top: "score"', 'top: "scores"'), "score: no such blob of"),
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
    legend = find(variant, score, "x.caffemodel").classes
    assert sorted(legend.names) == sorted(names)
    assert legend.name(200) == "class 200"


def test_a_variant_has_its_own_mean_and_must_see_colours(empty):
    assert find("siftflow-fcn8s", weights="x.caffemodel").mean == (114.578, 115.294, 108.353)
    assert find("voc7-fcn8s", weights="x.caffemodel").mean == MEAN
    with pytest.raises(ValueError, match="nyud-fcn32s-hha sees hha, expected a net that sees colours"):
        find("nyud-fcn32s-hha")


def test_an_untrained_variant(images, capsys):
    assert infer.main(["voc-fcn8s", "rgb.png"]) == 1
    assert "fcn solve voc-fcn8s" in capsys.readouterr().err


@pytest.fixture
def photos(images):
    """A folder of photos of its own."""
    Path("photos").mkdir()
    for index in range(3):
        Image.new("RGB", (5, 7), (90 * index, 9, 9)).save(f"photos/{index}.png")
    return Path("photos")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(line, words, capsys, folder):
    before = contents(folder)
    assert infer.main([*LINE, *line]) == 1
    assert words in capsys.readouterr().err
    assert contents(folder) == before


def test_photos_are_never_overwritten(photos, capsys):
    refused(
        ["photos/0.png", "--out", "photos"], "'photos/0.png' is to be written, and is an input, too", capsys, photos
    )
    Path("link").symlink_to("photos")
    refused(["link/0.png", "--out", "photos"], "is an input, too", capsys, photos)
    Image.open("photos/1.png").save("photos/new.jpg")
    refused(["photos/new.jpg", "photos/1.png", "--out", "photos"], "'photos/1.png' is to be written", capsys, photos)
    assert infer.main([*LINE, "photos/new.jpg", "--out", "photos"]) == 0


def test_nothing_that_no_tool_has_written_is_overwritten(photos, capsys):
    Path("new").mkdir()
    Image.open("photos/1.png").save("new/2.jpg")
    words = "'photos/2.png' is there already, and no output of this project: it stays"
    refused(["new/2.jpg", "--out", "photos"], words, capsys, photos)
    np.save("photos/free.npy", np.zeros(3))
    Image.open("photos/1.png").save("new/free.jpg")
    refused(["new/free.jpg", "--out", "photos", "--scores"], "'photos/free.npy' is there already", capsys, photos)
    Path("photos/2.jpg").hardlink_to("photos/0.png")
    assert infer.main([*LINE, "photos/2.jpg", "--out", "out"]) == 0
    assert infer.main([*LINE, "photos/2.jpg", "--out", "out"]) == 0


def test_an_output_of_before_is_no_input_under_another_name(photos, capsys):
    out = Path("out/a")
    assert infer.main([*LINE, "photos/0.png", "--out", str(out)]) == 0
    Path("other.png").hardlink_to("out/a/0_overlay.png")
    line = ["other.png", "photos/0.png", "--out", str(out)]
    refused(line, "is the input 'other.png' under another name", capsys, out)


def test_no_two_outputs_are_one_file(photos):
    for name in ("x", "x_overlay", "legend", "A", "a"):
        Image.new("RGB", (5, 7)).save(f"photos/{name}.png")
    names = output_names([f"{name}.png" for name in ("x", "x_overlay", "legend", "A", "a", "b")], legend=True)
    assert names == ["0_x", "1_x_overlay", "2_legend", "3_A", "4_a", "b"]
    assert output_names(["legend.png"]) == ["legend"]
    assert infer.main([*LINE, "photos", "--out", "out"]) == 0
    assert len(list(Path("out").iterdir())) == 16


def test_names_that_clash_even_when_numbered_are_refused(photos, capsys):
    Path("other").mkdir()
    for path in ("photos/a.png", "other/a.png", "photos/1_a.png"):
        Image.new("RGB", (5, 7)).save(path)
    Path("out").mkdir()
    line = ["photos/a.png", "other/a.png", "photos/1_a.png", "--out", "out"]
    refused(line, "'out/1_a.png' would be written twice", capsys, Path("out"))


def test_a_folder_means_its_images(photos, capsys):
    Path("photos/notes.txt").write_text("none")
    Path("photos/.hidden.png").write_text("none")
    (photos / "2.png").rename(photos / "2.PNG")
    assert infer.main([*LINE, "photos", "rgb.png"]) == 0
    assert {path.stem for path in Path("out/infer").glob("*_overlay.png")} == {f"{n}_overlay" for n in (0, 1, 2, "rgb")}
    Path("none").mkdir()
    assert infer.main([*LINE, "none"]) == 1
    assert "the folder 'none' has no image" in capsys.readouterr().err


def test_class_0_is_painted_unless_it_is_the_background():
    assert Legend().background == 0
    assert Legend(("Background", "cat")).background == 0
    assert Legend(("sky", "building")).background is None
    grey = Image.new("RGB", (2, 1), (100, 100, 100))
    labels = np.array([[0, 1]])
    colours = np.full((256, 3), 200, np.uint8)
    for background, first in ((0, 100), (None, 200)):
        painted = np.asarray(drawing.overlay(grey, labels, colours, 1.0, background))
        assert painted[0, :, 0].tolist() == [first, 200]


def test_a_large_image_has_the_labels_of_its_scores(images, monkeypatch):
    write("net.prototxt", INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 3 pad: 1"))
    assert infer.main([*LINE, "rgb.png", "--out", "whole"]) == 0
    monkeypatch.setattr(bands, "LARGE", 0)
    monkeypatch.setattr(segment, "segment", None)  # which computes scores as a whole
    assert infer.main([*LINE, "rgb.png", "--out", "bands"]) == 0
    assert (np.asarray(Image.open("bands/rgb.png")) == np.asarray(Image.open("whole/rgb.png"))).all()
    assert len(np.unique(np.asarray(Image.open("whole/rgb.png")))) > 1


def test_a_large_image_of_scores_of_another_size_is_named(images, monkeypatch, capsys):
    write("net.prototxt", INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 3"))
    monkeypatch.setattr(bands, "LARGE", 0)
    assert infer.main([*LINE, "rgb.png"]) == 1
    assert "blob score is 5×3, expected the image's 7×5" in capsys.readouterr().err


SIZED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 12] } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" top: "mask"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "up" type: "%s" bottom: "pool" bottom: "mask" top: "score" %s }
"""
UNPOOLING = "unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_h: 8 unpool_w: 12 }"
UPSAMPLE = "upsample_param { scale: 2 upsample_h: 8 upsample_w: 12 }"


@pytest.mark.parametrize(("kind", "settings"), [("Unpooling", UNPOOLING), ("Upsample", UPSAMPLE)])
def test_a_net_of_one_size_sees_smaller_images_on_its_own(empty, kind, settings):
    Path("net.prototxt").write_text(SIZED % (kind, settings))
    net = caffe.Net("net.prototxt", caffe.TEST)
    pixels = np.random.default_rng(0).integers(0, 256, (7, 10, 3), dtype=np.uint8)
    scores = segment.segment(net, Image.fromarray(pixels), mean=(0, 0, 0))
    assert scores.shape == (3, 7, 10)
    expected = np.pad(pixels[..., ::-1], ((0, 1), (0, 2), (0, 0))).transpose(2, 0, 1).astype(np.float32)
    highest = expected.reshape(3, 4, 2, 6, 2).max((2, 4)).repeat(2, 1).repeat(2, 2)
    assert ((scores == expected[:, :7, :10]) | (scores == 0)).all()
    assert (scores <= highest[:, :7, :10]).all()
    assert (segment.labels(net, Image.fromarray(pixels), mean=(0, 0, 0)) == scores.argmax(0)).all()
    with pytest.raises(ValueError, match="the image is 13×8 pixels, expected at most 12×8"):
        segment.segment(net, Image.new("RGB", (13, 8)))


def test_a_net_that_upsamples_by_a_factor_has_no_size_of_its_own(empty):
    Path("net.prototxt").write_text(SIZED % ("Upsample", "upsample_param { scale: 2 }"))
    net = caffe.Net("net.prototxt", caffe.TEST)
    assert not bands.has_one_size(net)
    assert segment.segment(net, Image.new("RGB", (16, 20))).shape == (3, 20, 16)
