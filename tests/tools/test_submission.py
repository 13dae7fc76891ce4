"""tools/submission.py: what the evaluation server gets, and what is kept from it."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.commands import submission
from fcn_caffe.pictures import drawing

SIZES = {"2008_000006": (18, 22), "2008_000011": (20, 16)}


@pytest.fixture
def voc(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "ImageSets/Segmentation", "labels"):
        (tmp_path / folder).mkdir(parents=True)
    for name, size in SIZES.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"JPEGImages/{name}.jpg")
        Image.fromarray(rng.integers(0, 21, size, dtype=np.uint8)).save(tmp_path / f"labels/{name}.png")
    (tmp_path / "labels/2008_000006_overlay.png").touch()
    (tmp_path / "ImageSets/Segmentation/test.txt").write_text("\n".join(SIZES) + "\n")
    return tmp_path


def submit(voc, *options):
    return submission.main([str(voc / "labels"), "--voc-dir", str(voc), "--out", str(voc / "out/r.tar.gz"), *options])


def test_the_archive_has_the_servers_layout(voc):
    assert submit(voc) == 0
    with tarfile.open(voc / "out/r.tar.gz", "r:gz") as archive:
        assert archive.getnames() == [f"results/VOC2012/Segmentation/comp6_test_cls/{name}.png" for name in SIZES]
        for member in archive.getmembers():
            image = Image.open(io.BytesIO(archive.extractfile(member).read()))
            name = member.name.rsplit("/", 1)[1]
            assert image.mode == "P"
            assert image.getpalette()[: 21 * 3] == drawing.palette(21).ravel().tolist()
            assert (np.asarray(image) == np.asarray(Image.open(voc / "labels" / name))).all()


def test_year_and_competition_are_in_the_path(voc):
    assert submit(voc, "--year", "2011", "--competition", "5") == 0
    with tarfile.open(voc / "out/r.tar.gz") as archive:
        assert archive.getnames()[0].startswith("results/VOC2011/Segmentation/comp5_test_cls/")


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (None, "2008_000006.png' is missing"),
        (np.zeros((22, 18)), "is 18×22, its image 22×18"),
        (np.full((18, 22), 255), "has values from 255 to 255, expected classes 0..20 (no void)"),
        (np.zeros((18, 22, 3)), "has mode RGB"),
    ],
)
def test_a_label_that_the_server_would_refuse_keeps_everything_back(voc, capsys, label, words):
    path = voc / "labels/2008_000006.png"
    path.unlink()
    if label is not None:
        Image.fromarray(label.astype(np.uint8)).save(path)
    assert submit(voc) == 1
    assert "1 of 2 labels cannot be submitted" in (err := capsys.readouterr().err)
    assert words in err
    assert not (voc / "out/r.tar.gz").exists()


def test_a_missing_list_is_named(voc, capsys):
    assert submit(voc, "--split", "private") == 1
    assert "the splits there are: test" in capsys.readouterr().err
