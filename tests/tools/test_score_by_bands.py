"""Large images are scored in bands of rows: the same numbers, labels and errors as whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import score
from fcn_caffe.large import bands
from fcn_caffe.scoring import by_bands
from fcn_caffe.scoring.confusions import confusions
from tests.tools.conftest import SIZE

NET = """
layer { name: "data" type: "Python" top: "data" top: "truth" python_param { module: "voc_layers"
  layer: "VOCSegDataLayer" param_str: "{'voc_dir': 'mine', 'split': 'val', 'mean': (9, 8, 7), 'n_classes': 3MORE}" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 pad: 9 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Deconvolution" bottom: "pool" top: "up"
  convolution_param { num_output: 3 kernel_size: 4 stride: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "score" type: "Crop" bottom: "up" bottom: "data" top: "score" crop_param { axis: 2 offset: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "truth" top: "loss"
  loss_param { normalize: false ignore_label: 255 } }
"""
HEADS = {"truth": "score"}


@pytest.fixture
def net(folder, monkeypatch):
    """A net over three images, of which the second is larger than those that are scored whole."""
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (41, 30, 3), dtype=np.uint8)).save("mine/JPEGImages/image1.png")
    Image.fromarray(rng.integers(0, 3, (41, 30), dtype=np.uint8)).save("mine/SegmentationClass/image1.png")
    monkeypatch.setattr(bands, "LARGE", SIZE[0] * SIZE[1])
    caffe.set_random_seed(1)
    return built()


def built(more: str = "", text: str = NET) -> caffe.Net:
    Path("val.prototxt").write_text(text.replace("MORE", more))
    return caffe.Net("val.prototxt", caffe.TEST)


def watched(net, monkeypatch) -> list[tuple[int, ...]]:
    """The shapes of the sources that are streamed from now on."""
    seen, stream = [], net.stream
    monkeypatch.setattr(net, "stream", lambda source, **more: seen.append(source.shape) or stream(source, **more))
    return seen


def test_the_numbers_and_labels_of_large_images_are_those_of_the_whole(net, monkeypatch):
    counted: dict[str, list] = {"bands": [], "whole": []}
    seen = watched(net, monkeypatch)
    found = confusions(net, HEADS, save_dir=Path("bands"), counted=lambda *each: counted["bands"].append(each))
    assert seen == [(3, 41, 30)]
    monkeypatch.setattr(bands, "LARGE", 10**6)
    whole = confusions(net, HEADS, save_dir=Path("whole"), counted=lambda *each: counted["whole"].append(each))
    assert len(seen) == 1
    assert (found["truth"] == whole["truth"]).all()
    assert found["truth"].sum() == 2 * SIZE[0] * SIZE[1] + 41 * 30
    for (*names, hist), (*others, expected) in zip(counted["bands"], counted["whole"], strict=True):
        assert names == others
        assert (hist == expected).all()
    for path in Path("whole").iterdir():
        assert path.read_bytes() == Path("bands", path.name).read_bytes()


def test_the_large_image_is_never_loaded_as_a_whole_of_floats(net, monkeypatch):
    heights, planes = [], by_bands.planes
    monkeypatch.setattr("fcn_caffe.data_layers.segdata.layer.planes", None)
    monkeypatch.setattr("caffe.net.stream.READ_AT_ONCE", 4 * 3 * 30 * 8)
    monkeypatch.setattr(by_bands, "planes", lambda image, mean: heights.append(len(image)) or planes(image, mean))
    list(by_bands.counted(net, HEADS, "image1", keep=False))
    assert sum(heights) == 41
    assert max(heights) <= 8


def test_all_images_may_be_large(net, monkeypatch):
    whole = confusions(net, HEADS, after_forward=lambda count: None)
    monkeypatch.setattr(bands, "LARGE", 1)
    assert (confusions(net, HEADS)["truth"] == whole["truth"]).all()
    assert net.layers[0].indices == ["image0", "image1", "image2"]
    net.forward()
    assert net.blobs["data"].shape[2:] == SIZE


def test_what_wants_the_whole_gets_it(net, monkeypatch):
    seen = watched(net, monkeypatch)
    images = []
    confusions(net, HEADS, after_forward=images.append)
    assert images == [1, 1, 1]
    confusions(net, HEADS, refine=lambda scores, item: scores)
    assert not seen


MASKED = """
layer { name: "three" type: "Tile" bottom: "truth" top: "three" tile_param { tiles: 3 } }
layer { name: "masked" type: "Eltwise" bottom: "data" bottom: "three" top: "masked" }
layer { name: "conv" type: "Convolution" bottom: "masked" """


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (", 'square': 50", NET),
        ("", NET.replace('\nlayer { name: "conv" type: "Convolution" bottom: "data" ', MASKED)),
    ],
)
def test_nets_that_see_something_else_than_the_image_run_whole(net, monkeypatch, more, text):
    other = built(more, text)
    seen = watched(other, monkeypatch)
    assert confusions(other, HEADS)["truth"].sum()
    assert not seen


def test_a_label_of_another_size_is_refused_by_the_names_of_image_and_split(net):
    Image.fromarray(np.zeros((40, 30), np.uint8)).save("mine/SegmentationClass/image1.png")
    with pytest.raises(ValueError, match=r"image 'image1' of split 'mine.*30×41 pixels, its label 30×40"):
        confusions(net, HEADS)


def test_a_missing_image_is_an_error_of_the_data_layer(net):
    Path("mine/JPEGImages/image1.png").unlink()
    with pytest.raises(FileNotFoundError, match="image1"):
        confusions(net, HEADS)


def test_the_command_writes_the_same_numbers(net, monkeypatch, capsys):
    net.save("net.caffemodel")
    arguments = ["--net", "val.prototxt", "--weights", "net.caffemodel", "--label", "truth", "--json"]
    assert score.main([*arguments, "bands.json"]) == 0
    monkeypatch.setattr(bands, "LARGE", 10**6)
    assert score.main([*arguments, "whole.json"]) == 0
    assert json.loads(Path("bands.json").read_text()) == json.loads(Path("whole.json").read_text())


def test_a_tiled_tiff_is_read_by_bands(net, monkeypatch):
    tifffile = pytest.importorskip("tifffile", reason="reading TIFF by bands wants pip install 'fcn-caffe[tiff]'")
    path = Path("mine/JPEGImages/image1.png")
    expected = confusions(net, HEADS)["truth"]
    tifffile.imwrite(path.with_suffix(".tif"), np.asarray(Image.open(path)), tile=(16, 16), photometric="rgb")
    path.unlink()
    whole = by_bands.files.read_image
    monkeypatch.setattr(
        by_bands.files, "read_image", lambda path, upright: path.endswith("1.tif") or whole(path, upright)
    )
    assert (confusions(net, HEADS)["truth"] == expected).all()
