"""training/trained.py, variants/loading.py: a snapshot folder says what it is of; what misfits is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import compare, infer, score, solve
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.training import comparison, trained
from fcn_caffe.variants import loading
from tests.tools.test_infer import INPUT
from tests.tools.test_new_task import SQUEEZENET, make, photos, random_squeezenet  # noqa: F401  (fixtures)

OWN = ["demo-fcn32s", "--voc-dir", "mine", "--classes", "3", "--name", "toy", "--iterations", "1", "--no-check"]
COLOURED = "kelp 0 99 0\nsand 200 180 90\nseal 80 80 80\nvoid 255 255 255\n"


@pytest.fixture
def toy(folder):
    """A net trained on a data set in VOC's layout."""
    (folder / "mine/classes.txt").write_text("sand\nkelp\nseal\n")
    assert solve.main(OWN) == 0
    return folder / "snapshot/toy-fcn32s"


def test_a_folder_has_all_that_its_net_needs(toy):
    assert {path.name for path in toy.iterdir()} >= {
        *("deploy.prototxt", "train.prototxt", "val.prototxt", "solver.prototxt", "trained.json"),
        *("train_iter_1.caffemodel", "train_iter_1.solverstate", "loss.csv", "scores.json"),
    }
    said = json.loads((toy / "trained.json").read_text())
    assert said["classes"]["score"]["names"] == ["sand", "kelp", "seal"]
    assert said["classes"]["score"]["colours"]["1"] == [128, 0, 0]
    assert said["mean"] == list(MEAN)
    assert said["starts"] == {"demo-classifier": "snapshot/demo-classifier/conv.caffemodel"}
    assert said["data"]["val"]["voc_dir"] == "mine"


def test_a_folder_that_was_moved_still_segments_alike(toy, capsys):
    photo = "mine/JPEGImages/image0.png"
    assert infer.main(["toy-fcn32s", photo, "--scores"]) == 0
    before = np.load("out/infer/image0.npy")
    shutil.rmtree("out")  # make clean
    shutil.move("snapshot/toy-fcn32s", "elsewhere")
    shutil.move("mine", "photos")
    for gone in ("snapshot", "nets", "solvers"):
        Path(gone).unlink() if Path(gone).is_symlink() else shutil.rmtree(gone)
    for left in list(Path("elsewhere").glob("*.solverstate")):
        left.unlink()
    assert infer.main(["elsewhere", "photos/JPEGImages/image0.png", "--scores"]) == 0
    np.testing.assert_array_equal(np.load("out/infer/image0.npy"), before)
    assert Path("out/infer/legend.png").exists()
    assert {"sand", "kelp", "seal"} & set(capsys.readouterr().out.splitlines()[-1].split())


def test_a_folder_that_was_moved_is_scored_by_its_path(toy, capsys):
    assert score.main(["demo-fcn32s", *OWN[1:7], "--json", "named.json", "--loss"]) == 0
    shutil.rmtree("out")  # make clean
    shutil.move("snapshot/toy-fcn32s", "elsewhere")
    Path("mine/classes.txt").unlink()
    assert score.main(["elsewhere", "--json", "moved.json", "--loss"]) == 0
    assert json.loads(Path("moved.json").read_text()) == json.loads(Path("named.json").read_text())
    assert "  1  kelp" in capsys.readouterr().out
    (Path("elsewhere") / "trained.json").write_text('{"name": "elsewhere"}')
    assert score.main(["elsewhere"]) == 1
    assert "elsewhere/trained.json' does not describe a trained net" in capsys.readouterr().err


def test_a_folder_that_is_no_snapshot_folder_is_not_taken_for_a_name(toy, capsys):
    (toy / "trained.json").unlink()
    assert infer.main(["snapshot/toy-fcn32s", "mine/JPEGImages/image0.png"]) == 1
    assert "'snapshot/toy-fcn32s' has no trained.json or no deploy.prototxt" in capsys.readouterr().err


def test_a_blob_that_is_not_there_has_its_closest_name_told(toy, capsys):
    assert infer.main(["toy-fcn32s", "mine/JPEGImages/image0.png", "--score", "scores"]) == 1
    assert "Did you mean score" in capsys.readouterr().err


def test_nets_stay_usable_by_their_name_when_out_is_removed(toy):
    shutil.rmtree("out")
    assert infer.main(["toy-fcn32s", "mine/JPEGImages/image0.png"]) == 0


def test_a_damaged_description_is_named(toy, capsys):
    whole = (toy / "trained.json").read_text()
    colour = re.sub(r'("colours": \{\s*"\d+": \[\s*)\d+', r"\g<1>16777216", whole, count=1)
    class_ = re.sub(r'("colours": \{\s*)"\d+"', r'\g<1>"70000"', whole, count=1)
    assert whole not in (colour, class_)
    for text in ("{", "[]", '{"name": "toy"}', "[" * 100_000, colour, class_):
        (toy / "trained.json").write_text(text)
        assert infer.main(["toy-fcn32s", "mine/JPEGImages/image0.png"]) == 1
        assert "trained.json' does not describe a trained net" in capsys.readouterr().err


@pytest.fixture
def task(photos, random_squeezenet, monkeypatch):  # noqa: F811
    """A task of three classes that was trained."""
    monkeypatch.setenv("SQUEEZENET_V1_1_CAFFEMODEL", str(random_squeezenet))
    assert make(*SQUEEZENET, "--stride", "16") == 0
    assert solve.main(["pools", "--iterations", "1"]) == 0
    return photos


PHOTO = "mine/JPEGImages/image0.png"


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ("rock\nwater\nbird\n", "the classes water, rock, bird (those of pools-fcn16s are rock, water, bird)"),
        ("water\nrock\nbird\nkelp\n", "3 classes (pools-fcn16s has 4)"),
    ],
)
def test_a_task_made_again_with_other_classes_refuses_the_old_training(task, capsys, classes, words):
    shutil.rmtree("tasks/pools")
    Path("classes.txt").write_text(classes)
    if classes.count("\n") == 4:
        for path in Path("mine/SegmentationClass").iterdir():
            label = np.asarray(Image.open(path)).copy()
            label[0] = 3
            Image.fromarray(label).save(path)
    assert make(*SQUEEZENET, "--stride", "16") == 0
    before = {path.name: path.read_bytes() for path in Path("snapshot/pools-fcn16s").iterdir()}
    capsys.readouterr()
    for tool, line in (
        (solve, ["pools", "--chain", "--resume"]),
        (infer, ["pools", PHOTO]),
        (score, ["pools"]),
        (compare, ["pools"]),
    ):
        assert tool.main(line) == 1
        said = capsys.readouterr().err
        assert words in said
        assert "fcn solve pools-fcn16s --restart" in said
    assert {path.name: path.read_bytes() for path in Path("snapshot/pools-fcn16s").iterdir()} == before
    assert infer.main(["snapshot/pools-fcn16s", PHOTO]) == 0
    assert solve.main(["pools", "--restart", "--iterations", "1"]) == 0
    assert infer.main(["pools", PHOTO]) == 0


def test_the_same_task_made_again_goes_on(task):
    shutil.rmtree("tasks/pools")
    assert make(*SQUEEZENET, "--stride", "16") == 0
    assert solve.main(["pools", "--resume", "--iterations", "2"]) == 0
    assert trained.read(Path("snapshot/pools-fcn16s")).name == "pools-fcn16s"


TWO = INPUT.format("data", 3) + (
    'layer { name: "one" type: "Convolution" bottom: "data" top: "one" '
    'convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "msra" } } }\n'
    'layer { name: "up" type: "Deconvolution" bottom: "one" top: "score" convolution_param { num_output: 3 '
    "kernel_size: 3 pad: 1 group: 3 bias_term: false FILLER } }"
)
BILINEAR = 'weight_filler { type: "bilinear" }'


@pytest.fixture
def half(empty):
    """A net of two layers, and weights of one of them."""
    Path("half.prototxt").write_text(TWO.split('layer { name: "up"')[0])
    net = caffe.Net("half.prototxt", caffe.TEST)
    net.save("half.caffemodel")
    Path("net.prototxt").write_text(TWO.replace("FILLER", ""))
    return net


def test_a_net_whose_layers_got_no_weights_is_refused(half, capsys):
    Image.new("RGB", (5, 5)).save("photo.png")
    line = ["--net", "net.prototxt", "--weights", "half.caffemodel"]
    for tool, more in ((infer, ["photo.png"]), (score, ["--images", "1"])):
        assert tool.main([*line, *more]) == 1
        assert "'half.caffemodel' has no weights for 1 of the 2 layers" in capsys.readouterr().err
    assert not Path("out/infer").exists()


def test_a_deconvolution_that_fills_itself_needs_no_weights(half):
    Path("net.prototxt").write_text(TWO.replace("FILLER", BILINEAR))
    net = loading.load("net.prototxt", "half.caffemodel")
    np.testing.assert_array_equal(net.params["one"][0].data, half.params["one"][0].data)
    assert (
        net.params["up"][0].data[0, 0, 1, 1] == caffe.Net("net.prototxt", caffe.TEST).params["up"][0].data[0, 0, 1, 1]
    )


def test_pictures_have_the_tasks_own_colours(task, monkeypatch):
    colours = np.array([line.split()[1:] for line in COLOURED.splitlines()[:3]], np.uint8)
    for path in Path("mine/SegmentationClass").iterdir():
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(path)
    Path("classes.txt").write_text(COLOURED)
    assert make(*SQUEEZENET, "--stride", "16", name="reef") == 0
    assert solve.main(["reef", "--iterations", "1"]) == 0
    known = {*map(tuple, colours.tolist()), (255, 255, 255)}
    assert score.main(["reef", "--save-dir", "labels"]) == 0
    (row,), _ = comparison.rows(["reef"], 1)
    assert infer.main(["reef", PHOTO, "--scores"]) == 0
    pictures = [*(Image.open(path) for path in Path("labels").iterdir()), Image.open("out/infer/image0.png")]
    assert len(pictures) == 2
    for picture in pictures:
        assert {colour for _, colour in picture.convert("RGB").getcolors()} <= known
    lines = {(0, 0, 0), (255, 255, 255)}  # between classes
    for picture in row[1:]:
        assert {colour for _, colour in picture.convert("RGB").getcolors()} <= known | lines
    labels = np.load("out/infer/image0.npy").argmax(0)
    photo, painted = (
        np.asarray(Image.open(path).convert("RGB"), int) for path in (PHOTO, "out/infer/image0_overlay.png")
    )
    np.testing.assert_allclose(painted, 0.4 * photo + 0.6 * colours[labels], atol=1)


def test_a_net_that_learned_photos_as_they_are_stored_sees_new_ones_so(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (18, 22, 3), dtype=np.uint8))
    photo.save("photo.jpg", exif=exif)
    for more, size in (([], (18, 22)), (["--as-stored"], (22, 18))):
        assert solve.main([*OWN, "--restart", *more]) == 0
        shutil.rmtree("out/infer", ignore_errors=True)
        assert infer.main(["toy-fcn32s", "photo.jpg"]) == 0
        assert Image.open("out/infer/photo.png").size == size
