"""fcn solve --tensorboard: what TensorBoard reads is what was trained."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.training import losses
from tests.tools.test_solve import own


@pytest.fixture
def event_accumulator():
    return pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="the package tensorboard is not installed: pip install 'fcn-caffe[tensorboard]'",
    )


def read(event_accumulator, folder="board/toy-fcn32s"):
    found = event_accumulator.EventAccumulator(folder, size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    return found


def test_loss_rate_and_mean_iu_are_those_that_are_recorded(folder, event_accumulator):
    assert own("--iterations", "4", "--score-every", "2", "--tensorboard", "board") == 0
    found, recorded = read(event_accumulator), losses.read("toy-fcn32s")
    for tag, values in (("loss per pixel", recorded.per_pixel), ("rate", recorded.rates)):
        assert [event.step for event in found.Scalars(tag)] == [0, 1, 2, 3]
        assert [event.value for event in found.Scalars(tag)] == pytest.approx(values, rel=1e-6)
    scores = json.loads(Path("snapshot/toy-fcn32s/scores.json").read_text())
    assert [(event.step, event.value) for event in found.Scalars("mean IU")] == [
        (entry["iteration"], pytest.approx(entry["label"]["mean_iu"])) for entry in scores
    ]


def test_pictures_are_of_the_first_validation_images(folder, event_accumulator):
    names = [f"image{index}" for index in range(4)]
    Path("mine/ImageSets/Segmentation/val.txt").write_text("\n".join([*names, "image0"]) + "\n")
    assert own("--iterations", "1", "--tensorboard", "board") == 0
    found = read(event_accumulator)
    assert sorted(found.Tags()["images"]) == [f"image, truth, prediction/{name}" for name in names]
    (event,) = found.Images("image, truth, prediction/image0")
    picture = Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB")
    assert event.step == 1
    assert picture.size == (event.width, event.height)
    assert picture.width > 3 * 240
    assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 50


def test_a_training_that_goes_on_hides_what_it_computes_again(folder, event_accumulator):
    assert own("--iterations", "3", "--tensorboard", "board") == 0
    for path in Path("snapshot/toy-fcn32s").glob("train_iter_3.*"):
        path.unlink()
    assert own("--iterations", "3", "--restart", "--tensorboard", "board") == 0
    steps = [event.step for event in read(event_accumulator).Scalars("rate")]
    assert steps == [0, 1, 2]


def test_without_the_package_its_name_is_told_before_anything_is_trained(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    assert own("--iterations", "1", "--tensorboard", "board") == 1
    assert "pip install 'fcn-caffe[tensorboard]'" in capsys.readouterr().err
    assert not Path("snapshot/toy-fcn32s/loss.csv").exists()
