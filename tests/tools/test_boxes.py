"""fcn boxes, and nets that learn from what it makes."""

import re

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.boxes import box, prepare
from fcn_caffe.commands import boxes, solve
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.training.score_history import read_scores

SIZE = (40, 56)


@pytest.fixture
def voc(empty):
    """Two training images of two objects each, as VOC has them, one to score, and a classifier of random weights."""
    root, rng = empty / "data/voc", np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for name in ("a", "b", "c"):
        mask = np.zeros(SIZE, np.uint8)
        mask[5:20, 4:30], mask[22:38, 30:50], mask[30:36, 2:9] = 8, 15, 5
        image = np.full((*SIZE, 3), 90) + 100 * (mask > 0)[..., None] + rng.normal(0, 5, (*SIZE, 3))
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"JPEGImages/{name}.jpg", quality=95)
        Image.fromarray(mask).save(root / f"SegmentationClass/{name}.png")
    (root / "ImageSets/Segmentation/train.txt").write_text("a\nb\n")
    (root / "ImageSets/Segmentation/seg11valid.txt").write_text("c\n")
    weights = empty / "data/ilsvrc/squeezenet_v1.1-conv.caffemodel"
    weights.parent.mkdir()
    caffe.set_random_seed(1)
    caffe.Net("nets/ilsvrc/squeezenet_v1.1/conv.prototxt", caffe.TEST).save(str(weights))
    return empty


def test_boxes_of_masks_and_labels_of_boxes(voc, capsys):
    assert boxes.main(["--masks", "data/voc/SegmentationClass", "--out", "found"]) == 0
    assert "9 boxes of 3 masks" in capsys.readouterr().out
    assert sorted(box.read(voc / "found/a.txt")) == [(5, 2, 30, 9, 36), (8, 4, 5, 30, 20), (15, 30, 22, 50, 38)]
    line = ["found", "--images", "data/voc/JPEGImages", "--truth", "data/voc/SegmentationClass", "--out", "made"]
    for kind, least in (("crf", 0.95), ("rectangles", 1)):  # the objects fill their boxes
        assert boxes.main([*line, "--kind", kind]) == 0
        found = re.search(r"mean IU ([\d.]+)", capsys.readouterr().out)
        assert float(found[1]) >= least
    assert (np.asarray(Image.open("made/b.png")) == np.asarray(Image.open("data/voc/SegmentationClass/b.png"))).all()


@pytest.mark.parametrize("mine", ["0 0.5 0.5 0.1 0.1\n", "my own notes", "1 0 0 4 4\n", ""])
def test_boxes_are_written_over_no_text_of_others(voc, capsys, mine):
    masks = voc / "data/voc/SegmentationClass"
    assert boxes.main(["--masks", str(masks), "--out", "found"]) == 0
    assert boxes.main(["--masks", str(masks), "--out", "found"]) == 0  # its own it writes again
    (voc / "found/b.txt").write_text(mine)
    assert boxes.main(["--masks", str(masks), "--out", "found"]) == 1
    assert "b.txt' is there already, and no output of this project: it stays" in capsys.readouterr().err
    assert (voc / "found/b.txt").read_text() == mine


def test_labels_chosen_by_saved_scores(voc, capsys):
    boxes.main(["--masks", "data/voc/SegmentationClass", "--out", "found", "--every", "2"])
    assert sorted(path.name for path in (voc / "found").iterdir()) == ["a.txt", "c.txt"]
    (voc / "scores").mkdir()
    values = np.zeros((21, *SIZE), np.float32)
    values[0], values[[5, 8, 15], :, :25] = 2, 4
    line = ["found", "--images", "data/voc/JPEGImages", "--kind", "chosen", "--scores", "scores", "--out", "made"]
    np.save("scores/a.npy", values)
    assert boxes.main(line) == 1
    assert "there is no '" in capsys.readouterr().err
    np.save("scores/c.npy", values[:9])
    assert boxes.main(line) == 1
    assert "expected more than 15 classes of 40×56 pixels" in capsys.readouterr().err
    np.save("scores/c.npy", values)
    assert boxes.main(line) == 0


def test_a_row_makes_the_labels_that_it_learns_from(voc, capsys):
    assert boxes.main(["voc7-boxes-rectangles"]) == 0
    assert "2 labels (rectangles)" in capsys.readouterr().out
    made = np.asarray(Image.open("out/boxes/voc7-boxes-rectangles/a.png"))
    assert set(np.unique(made)) == {0, 8, 15, 255}  # a boat is none of the seven classes
    assert made[32, 5] == 255


def test_it_trains_on_what_the_stage_before_chose(voc, capsys):
    line = ["--iterations", "1", "--seed", "1", "--allow-zero-init"]
    assert solve.main(["voc7-boxes-chosen", "--chain", *line]) == 0
    for name in ("voc7-boxes-crf", "voc7-boxes-chosen"):
        assert len(read_scores(voc / "snapshot" / name)) == 1
        assert sorted(path.name for path in (voc / "out/boxes" / name).glob("*.png")) == ["a.png", "b.png"]
    assert solve.main(["voc7-boxes-chosen", "--resume", "--iterations", "2", "--seed", "1"]) == 0


def test_labels_made_in_another_way_are_not_taken(voc):
    row = ROWS["voc7-boxes-crf"]
    prepare.prepare(row)
    path = voc / "out/boxes/voc7-boxes-crf/labels.json"
    path.write_text(path.read_text().replace('"crf"', '"rectangles"'))
    with pytest.raises(ValueError, match=r"made in another way .* Remove the folder"):
        prepare.prepare(row)


def test_masks_serve_for_boxes_alone(voc):
    """Another mask with the same boxes gives the same labels."""
    row = ROWS["voc7-boxes-crf"]
    prepare.prepare(row)
    folder = voc / "out/boxes/voc7-boxes-crf"
    before = np.asarray(Image.open(folder / "a.png"))
    path = voc / "data/voc/SegmentationClass/a.png"
    mask = np.asarray(Image.open(path)).copy()
    mask[8:18, 8:26] = 0
    Image.fromarray(mask).save(path)
    (folder / "a.png").unlink()
    prepare.prepare(row)
    assert (np.asarray(Image.open(folder / "a.png")) == before).all()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([], "give a net or a folder of boxes, or --masks"),
        (["found", "--masks", "x"], "give a net or a folder of boxes, or --masks"),
        (["found", "--every", "0"], "--every is 0, expected 1 or more"),
        (["data"], "--images FOLDER is missing"),
        (["data", "--images", "data", "--kind", "chosen"], "--kind chosen and --scores go together"),
    ],
)
def test_wrong_options_are_refused(voc, capsys, line, words):
    with pytest.raises(SystemExit):
        boxes.main(line)
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["voc7-boxes-crv"], "Did you mean voc7-boxes-crf"),
        (["data", "--images", "data/voc/JPEGImages"], "has no boxes .NAME.txt.. Make some"),
        (["--masks", "nowhere"], "there is no folder"),
    ],
)
def test_what_is_not_there_is_told(voc, capsys, line, words):
    assert boxes.main(line) == 1
    assert re.search(words, capsys.readouterr().err)


def test_a_box_outside_of_its_image_is_told(voc, capsys):
    box.write([box.ObjectBox(8, 0, 0, 57, 40)], voc / "found/a.txt")
    assert boxes.main(["found", "--images", "data/voc/JPEGImages", "--out", "made"]) == 1
    assert "has the box 8 0 0 57 40, expected one in the image of 56×40 pixels" in capsys.readouterr().err
