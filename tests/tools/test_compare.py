import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import compare
from fcn_caffe.training import comparison
from tests.tools.conftest import write_voc


@pytest.fixture
def trained(empty):
    write_voc(empty / "out/demo/data/VOC", n_classes=6)
    for stride in (32, 16):
        folder = empty / f"snapshot/demo-fcn{stride}s"
        folder.mkdir(parents=True)
        caffe.Net(f"nets/demo-fcn{stride}s/deploy.prototxt", caffe.TEST).save(str(folder / "train_iter_1.caffemodel"))
        (folder / "train_iter_1.solverstate").touch()
    return empty


def test_every_row_has_image_truth_and_each_net(trained):
    rows, captions = comparison.rows(["demo-fcn32s", "demo-fcn16s"], images=2)
    assert all("% of pixels right" in caption for row in captions for caption in row[2:])
    assert [len(row) for row in rows] == [4, 4]
    for row in rows:
        assert len({picture.size for picture in row}) == 1
    original = Image.open(sorted((trained / "out/demo/data/VOC/JPEGImages").iterdir())[0])
    assert rows[0][0].mode == original.convert("RGB").mode


def test_images_that_are_skipped_are_left_out(trained):
    all_of_them, _ = comparison.rows(["demo-fcn32s"], images=3)
    second, *_ = comparison.rows(["demo-fcn32s"], images=2, skip=1)[0][1:]
    assert second[0].tobytes() == all_of_them[2][0].tobytes()
    assert second[0].tobytes() != all_of_them[1][0].tobytes()


def test_the_command_writes_the_picture(trained, capsys):
    assert compare.main(["demo-fcn32s", "--images", "1", "--out", "seen/grid.png"]) == 0
    assert Image.open("seen/grid.png").height > 240


def test_a_net_that_was_not_trained_is_named(empty, capsys):
    assert compare.main(["demo-fcn32s"]) == 1
    assert "compare: demo-fcn32s: no snapshot in 'snapshot/demo-fcn32s'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (["voc-fcn8s"], "voc-fcn8s is scored on data/pascal/VOC2011 (seg11valid), demo-fcn32s on"),
        (["siftflow-fcn8s"], "expected a net that takes one image and has one blob of scores"),
        (["nyud-fcn32s-hha"], "expected a net that"),
        (["--images", "0"], ""),
        (["--out", "x.nokind"], ""),
    ],
)
def test_what_cannot_be_compared_is_refused(trained, capsys, others, words):
    try:
        status = compare.main(["demo-fcn32s", *others])
    except SystemExit as exit_:
        status = exit_.code
    assert status in (1, 2)
    said = capsys.readouterr().err
    assert words in said
    assert not (trained / "out/compare.png").exists()
