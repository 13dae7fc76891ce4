"""The net that comes with the package: it is small, it is taken where no net is named, and it sees what it should."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffe.formats import caffemodel, halves, prototxt
from caffe.formats.caffemodel import LayerWeights
from fcn_caffe import Segmenter
from fcn_caffe.bundled.make import MOST_BYTES, make
from fcn_caffe.commands import infer
from fcn_caffe.inference.find import BUNDLED
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.variants import stages
from tests.tools.conftest import ROOT
from tests.tools.test_solve import own

PHOTO = ROOT / "docs/images/cat.jpg"


def test_it_takes_at_most_three_megabytes_as_half_floats():
    weights = stages.trained_weights(str(BUNDLED))
    assert weights.stat().st_size <= MOST_BYTES == 3_000_000
    for layer in caffemodel.read(weights):
        for blob in layer.blobs:
            assert np.array_equal(blob, blob.astype(np.float16).astype(np.float32))


def test_an_image_is_enough(empty, capsys):
    assert infer.main([str(PHOTO)]) == 0
    labels = np.asarray(Image.open("out/infer/cat.png"))
    assert labels.shape == Image.open(PHOTO).size[::-1]
    assert (labels == 1).mean() > 0.3
    assert "cat" in capsys.readouterr().out
    assert Path("out/infer/legend.png").exists()


def test_a_folder_of_images_is_enough(empty, capsys):
    Path("photos").mkdir()
    Image.open(PHOTO).resize((60, 40)).save("photos/a.png")
    assert infer.main(["photos"]) == 0
    assert Path("out/infer/a.png").exists()


def test_a_name_that_is_neither_a_net_nor_a_file_is_told_as_before(empty, capsys):
    assert infer.main(["voc-fcn9s", str(PHOTO)]) == 1
    assert "no such variant or task" in capsys.readouterr().err


def test_a_program_needs_no_name_either():
    result = Segmenter()(PHOTO)
    assert result.names == ("background", "cat", "cow", "dog", "horse", "person", "sheep")
    assert result.share()["cat"] > 0.3


def test_it_is_what_the_catalogue_trains_and_its_card_tells_how():
    values = json.loads((BUNDLED / "trained.json").read_text(encoding="utf-8"))
    row = ROWS[values["name"]]
    assert prototxt.read_net(str(BUNDLED / "deploy.prototxt")) == row.net("deploy")
    assert values["iterations"] == row.recipe.iterations
    options = f"--seed {values['seed']} --precision {values['precision']}"
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    assert f"\n$ fcn solve {row.name} {options}\n" in card
    assert f"\n$ python -m fcn_caffe.bundled.make snapshot/{row.name}\n" in card


def test_its_card_tells_scores_terms_and_limits():
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    for heading in ("Trained on", "Terms", "Scores", "What it does not know"):
        assert f"\n## {heading}\n" in card
    assert float(re.search(r"mean IU \*\*(0\.\d+)\*\*", card)[1]) >= 0.4


def test_a_training_becomes_such_a_net(folder):
    assert own("--iterations", "1") == 0
    target = folder / "bundle"
    target.mkdir()
    (target / "train_iter_9.caffemodel").write_bytes(b"of before")
    weights = make(Path("snapshot/toy-fcn32s"), target)
    assert [path.name for path in target.glob("*.caffemodel")] == [weights.name] == ["train_iter_1.caffemodel"]
    assert "data" not in json.loads((target / "trained.json").read_text())
    image = np.asarray(Image.open("mine/JPEGImages/image0.png"))
    halved, whole = (Segmenter(each)(image).scores for each in (target, Path("snapshot/toy-fcn32s")))
    assert halved == pytest.approx(whole, abs=float(2e-3 * np.abs(whole).max() + 1e-6))


@pytest.mark.parametrize("value", [7e4, -7e4, np.nan, np.inf])
def test_weights_beyond_half_floats_are_refused(tmp_path, value):
    layer = LayerWeights("conv", "Convolution", [np.array([1, value], np.float32)])
    with pytest.raises(RuntimeError, match=r"layer 'conv' has weights that are missing, not finite or beyond"):
        halves.write(tmp_path / "x.caffemodel", [layer])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nowhere.jpg", "folder/Nowhere.TIFF"])
def test_a_photo_that_is_not_there_is_told_as_a_file(empty, capsys, name):
    assert infer.main([name]) == 1
    assert f"there is no file '{Path(name).absolute()}'" in capsys.readouterr().err
