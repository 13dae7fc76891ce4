"""fcn infer on TIFFs that are read, computed and written by bands of rows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import infer
from fcn_caffe.data_layers.segdata import own_pictures
from fcn_caffe.data_layers.segdata.files import read_image
from fcn_caffe.inference import inputs
from fcn_caffe.large import bands, tiff

WITHOUT = "needs tifffile and imagecodecs: pip install 'fcn-caffe[tiff]'"
tifffile = pytest.importorskip("tifffile", reason=WITHOUT)
pytest.importorskip("imagecodecs", reason=WITHOUT)

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 5 pad: 2 weight_filler { type: "gaussian" std: 1 } } }
"""
LINE = ["--net", "net.prototxt", "--weights", "net.caffemodel"]
KINDS = {
    "tiles": {"tile": (16, 32), "compression": "zlib"},
    "strips": {"rowsperstrip": 7, "compression": "lzw", "predictor": True},
    "mapped": {},
    "big-endian": {"byteorder": ">", "bigtiff": True, "tile": (32, 16)},
}


@pytest.fixture
def pixels(empty, monkeypatch):
    """A picture with the net to segment it, of which every size counts as large."""
    Path("net.prototxt").write_text(NET)
    caffe.set_random_seed(3)
    caffe.Net("net.prototxt", caffe.TEST).save("net.caffemodel")
    monkeypatch.setattr(bands, "LARGE", 0)
    return np.random.default_rng(0).integers(0, 256, (67, 45, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", ["gray", "rgb", "rgba"])
def test_any_rows_of_a_tiff_are_those_of_the_whole_picture(pixels, kind, values):
    stored = {"gray": pixels[..., 0], "rgb": pixels, "rgba": np.dstack([pixels, pixels[..., 0]])}[values]
    settings = {"extrasamples": ["unassalpha"]} if values == "rgba" else {}
    tifffile.imwrite(
        "x.tif", stored, photometric="minisblack" if values == "gray" else "rgb", **settings, **KINDS[kind]
    )
    expected = np.repeat(stored[..., None], 3, axis=2) if values == "gray" else pixels
    with tiff.TiffRows("x.tif") as rows:
        assert rows.shape == (67, 45, 3)
        for first, last in [(0, 67), (0, 1), (15, 34), (60, 67), (3, 20), (66, 90), (20, 20)]:
            assert (rows[first:last] == expected[first:last]).all()
            assert rows[first:last].shape == expected[first:last].shape


def test_jpeg_tiles_are_decoded_as_by_pillow(pixels):
    smooth = np.linspace(0, 255, 67 * 45 * 3).reshape(67, 45, 3).astype(np.uint8)
    tifffile.imwrite("x.tif", smooth, photometric="ycbcr", tile=(16, 16), compression="jpeg")
    with tiff.TiffRows("x.tif") as rows:
        assert np.abs(rows[0:67].astype(int) - read_image("x.tif")).max() <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_tiff_has_the_labels_of_the_same_picture_as_png(pixels, kind):
    tifffile.imwrite("photo.tif", pixels, photometric="rgb", **KINDS[kind])
    Image.fromarray(pixels).save("photo.png")
    assert infer.main([*LINE, "photo.png", "--out", "png"]) == 0
    assert infer.main([*LINE, "photo.tif", "--out", "tif"]) == 0
    found = Image.open("tif/photo.tif")
    assert found.mode == "P"
    assert found.getpalette()[3:6] == [128, 0, 0]
    assert (np.asarray(found) == np.asarray(Image.open("png/photo.png"))).all()
    assert len(np.unique(np.asarray(found))) > 1
    assert sorted(path.name for path in Path("tif").iterdir()) == ["photo.tif", "photo_overlay.png"]


def test_the_overlay_of_a_large_tiff_is_a_reduced_picture(pixels, monkeypatch):
    monkeypatch.setattr("fcn_caffe.inference.write.REDUCED", 20)
    tifffile.imwrite("photo.tif", pixels, photometric="rgb", tile=(16, 16))
    Image.fromarray(pixels).save("photo.png")
    assert infer.main([*LINE, "photo.tif", "--out", "tif"]) == 0
    assert infer.main([*LINE, "photo.png", "--out", "png"]) == 0
    whole = np.asarray(Image.open("png/photo_overlay.png"))
    assert (np.asarray(Image.open("tif/photo_overlay.png")) == whole[::4, ::4]).all()


def test_labels_in_a_tiff_are_known_again_as_an_output(pixels):
    tifffile.imwrite("photo.tif", pixels, photometric="rgb")
    assert infer.main([*LINE, "photo.tif", "--out", "."]) == 1  # which would be written over the photo
    assert infer.main([*LINE, "photo.tif", "--out", "out"]) == 0
    assert own_pictures.is_own("out/photo.tif")
    assert not own_pictures.is_own("photo.tif")
    assert infer.main([*LINE, "photo.tif", "--out", "out"]) == 0
    Path("out/other.tif").write_bytes(Path("photo.tif").read_bytes())
    assert [each.path for each in inputs.inputs(["out"])] == ["out/other.tif"]


def test_a_tiff_that_a_user_made_is_not_overwritten(pixels, capsys):
    tifffile.imwrite("photo.tif", pixels, photometric="rgb")
    Path("out").mkdir()
    Path("out/photo.tif").write_bytes(Path("photo.tif").read_bytes())
    before = Path("out/photo.tif").read_bytes()
    assert infer.main([*LINE, "photo.tif", "--out", "out"]) == 1
    assert "no output of this project" in capsys.readouterr().err
    assert Path("out/photo.tif").read_bytes() == before


@pytest.mark.parametrize("kind", ["tiles", "strips", "mapped"])
def test_colours_that_are_multiplied_by_their_opacity_are_those_that_pillow_reads(pixels, kind):
    opacity = np.repeat(np.linspace(0, 255, 67).round().astype(np.uint8)[:, None], 45, axis=1)
    multiplied = (pixels.astype(int) * opacity[..., None] // 255).astype(np.uint8)
    stored = np.dstack([multiplied, opacity])
    tifffile.imwrite("x.tif", stored, photometric="rgb", extrasamples=["assocalpha"], **KINDS[kind])
    with tiff.TiffRows("x.tif") as rows:
        assert (rows[0:67] == read_image("x.tif")).all()


def test_a_truncated_tiff_is_named(pixels, capsys):
    for settings in KINDS.values():
        tifffile.imwrite("photo.tif", pixels, photometric="rgb", **settings)
        with tifffile.TiffFile("photo.tif") as file:
            end = file.pages[0].dataoffsets[-1] + file.pages[0].databytecounts[-1] // 3
        Path("photo.tif").write_bytes(Path("photo.tif").read_bytes()[:end])
        assert infer.main([*LINE, "photo.tif"]) == 1
        assert f"image 'photo.tif' is truncated: it has {end} bytes, expected" in capsys.readouterr().err


def test_a_tiff_whose_directory_is_cut_off_is_named(pixels):
    Image.fromarray(pixels).save("photo.tif", compression="jpeg")  # with the directory at the end
    Path("photo.tif").write_bytes(Path("photo.tif").read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"image 'photo.tif' .*(truncated|no TIFF)"):
        tiff.TiffRows("photo.tif")
    Path("photo.tif").write_bytes(b"hello")
    with pytest.raises(ValueError, match="image 'photo.tif' is no TIFF that can be read"):
        tiff.TiffRows("photo.tif")


WRONG = {
    "16 bits": (lambda x: x.astype(np.uint16), {}, "is of uint16"),
    "planes": (lambda x: x.transpose(2, 0, 1).copy(), {"planarconfig": "separate"}, "planes"),
    "turned": (lambda x: x, {"extratags": [(274, 3, 1, 6, True)]}, "is stored turned (orientation 6)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_read_by_bands_is_named(pixels, capsys, kind):
    make, settings, words = WRONG[kind]
    tifffile.imwrite("photo.tif", make(pixels), photometric="rgb", **settings)
    assert infer.main([*LINE, "photo.tif"]) == 1
    message = capsys.readouterr().err
    assert "infer: photo.tif: " in message
    assert words in message
    assert not Path("out/infer/photo.tif").exists()


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_luminance_and_chrominance_that_no_jpeg_stores_are_refused(pixels, compression, capsys):
    Image.fromarray(pixels).convert("YCbCr").save("photo.tif", compression=compression)
    assert infer.main([*LINE, "photo.tif"]) == 1
    assert "photometric 6" in capsys.readouterr().err


def test_a_turned_tiff_is_read_as_stored_where_that_is_wanted(pixels):
    tifffile.imwrite("photo.tif", pixels, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert infer.main([*LINE, "photo.tif", "--as-stored"]) == 0
    assert Image.open("out/infer/photo.tif").size == (45, 67)


def test_a_damaged_tile_is_named_and_leaves_no_file(pixels, capsys):
    tifffile.imwrite("photo.tif", pixels, photometric="rgb", tile=(16, 16), compression="zlib")
    with tifffile.TiffFile("photo.tif") as file:
        offset = file.pages[0].dataoffsets[7]
    with open("photo.tif", "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 20)
    assert infer.main([*LINE, "photo.tif"]) == 1
    assert "photo.tif': tile 7 cannot be decoded" in capsys.readouterr().err
    assert [path for path in Path("out/infer").iterdir() if "photo" in path.name] == []


def test_without_tifffile_large_tiffs_are_read_as_other_images(pixels, monkeypatch):
    tifffile.imwrite("photo.tif", pixels, photometric="rgb")
    monkeypatch.setattr(tiff, "_tifffile", lambda: None)
    assert infer.main([*LINE, "photo.tif"]) == 0
    assert Image.open("out/infer/photo.png").size == (45, 67)
