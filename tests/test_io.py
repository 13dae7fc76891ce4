"""caffe.io: numbers recorded from BVLC pycaffe (with scikit-image 0.18), and what both refuse."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

import caffe.io
from caffe.errors import DataError, UsageError
from caffe.proto import caffe_pb2


class TestMessages:
    def test_datum_of_bytes(self) -> None:
        array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        datum = caffe.io.array_to_datum(array, label=7)
        assert (datum.channels, datum.height, datum.width, datum.label) == (2, 3, 4, 7)
        assert datum.data == array.tobytes()
        assert not datum.float_data
        back = caffe.io.datum_to_array(caffe_pb2.Datum.FromString(datum.SerializeToString()))
        assert back.dtype == np.uint8
        assert (back == array).all()
        back += 1

    def test_datum_of_floats(self) -> None:
        array = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 2, 3)
        datum = caffe.io.array_to_datum(array)
        assert not datum.data
        assert not datum.HasField("label")
        assert (caffe.io.datum_to_array(datum) == array).all()

    def test_datum_has_three_dimensions(self) -> None:
        with pytest.raises(ValueError, match="Incorrect array shape"):
            caffe.io.array_to_datum(np.zeros((2, 3)))

    def test_compressed_datum_is_refused(self) -> None:
        with pytest.raises(DataError, match="compressed image"):
            caffe.io.datum_to_array(caffe_pb2.Datum(encoded=True, data=b"\xff\xd8"))

    def test_incomplete_datum_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"has 2 values, expected 3×1×1"):
            caffe.io.datum_to_array(caffe_pb2.Datum(channels=3, height=1, width=1, data=b"ab"))

    def test_blobprotovector(self) -> None:
        arrays = [np.arange(6.0).reshape(2, 3), np.arange(4.0).reshape(1, 1, 2, 2)]
        back = caffe.io.blobprotovector_str_to_arraylist(caffe.io.arraylist_to_blobprotovector_str(arrays))
        assert [b.shape for b in back] == [(2, 3), (1, 1, 2, 2)]
        assert all((a == b).all() for a, b in zip(arrays, back, strict=True))

    def test_blobproto_with_diff(self) -> None:
        blob = caffe.io.array_to_blobproto(np.ones((2, 1)), diff=np.full((2, 1), 3.0))
        assert (caffe.io.blobproto_to_array(blob) == 1).all()
        assert (caffe.io.blobproto_to_array(blob, return_diff=True) == 3).all()


class TestLoadImage:
    RGB = np.array([[[0, 128, 255], [10, 20, 30]]], np.uint8)

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1"])
    def test_every_mode_gives_three_channels_or_one(self, tmp_path: Path, mode: str) -> None:
        Image.fromarray(self.RGB).convert(mode).save(tmp_path / "x.png")
        color, gray = (caffe.io.load_image(str(tmp_path / "x.png"), color) for color in (True, False))
        assert color.shape == (1, 2, 3)
        assert gray.shape == (1, 2, 1)
        assert color.dtype == gray.dtype == np.float32
        assert 0 <= color.min() <= color.max() <= 1

    def test_rgb_values(self, tmp_path: Path) -> None:
        Image.fromarray(self.RGB).save(tmp_path / "x.png")
        assert (caffe.io.load_image(tmp_path / "x.png") == (self.RGB / 255).astype(np.float32)).all()
        gray = caffe.io.load_image(tmp_path / "x.png", color=False)
        assert gray[0, 1, 0] == pytest.approx((0.2125 * 10 + 0.7154 * 20 + 0.0721 * 30) / 255)

    def test_sixteen_bit(self, tmp_path: Path) -> None:
        Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / "x.png")
        assert caffe.io.load_image(tmp_path / "x.png")[0, :, 0].tolist() == [0, 1]

    def test_a_photo_is_upright(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # stored turned by 90° to the left
        Image.fromarray(np.rot90(self.RGB)).save(tmp_path / "x.png", exif=exif)
        assert (caffe.io.load_image(tmp_path / "x.png") == (self.RGB / 255).astype(np.float32)).all()

    def test_what_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "x.jpg").write_text("no image")
        for name in ("x.jpg", "absent.jpg"):
            with pytest.raises(DataError, match=f"cannot read '.*{name}'"):
                caffe.io.load_image(tmp_path / name)


class TestResizeImage:
    def test_reduction(self) -> None:
        image = (np.arange(24.0).reshape(6, 4, 1)) ** 2
        recorded = [[13.089962959, 25.681114197], [113.426856995, 153.269515991], [303.658050537, 366.489929199]]
        assert np.allclose(caffe.io.resize_image(image, (3, 2))[:, :, 0], recorded, rtol=1e-6)

    def test_enlargement_has_black_around(self) -> None:
        image = np.array([[1.0, 2.0], [4.0, 8.0]])[:, :, None]
        recorded = [[1, 1.375, 1.625], [1.625, 2.625, 3.083333254], [2.875, 4.875, 5.583333492], [2.875, 4.75, 5.375]]
        assert np.allclose(caffe.io.resize_image(image, (4, 3))[:, :, 0], recorded, rtol=1e-6)

    def test_other_channels_go_corner_to_corner(self) -> None:
        resized = caffe.io.resize_image(np.arange(18.0).reshape(3, 3, 2), (2, 5))
        assert resized[:, :, 0].tolist() == [[0, 1, 2, 3, 4], [12, 13, 14, 15, 16]]

    def test_constant_image_stays_constant(self) -> None:
        resized = caffe.io.resize_image(np.full((3, 4, 3), 0.25, np.float32), (5, 5))
        assert resized.shape == (5, 5, 3)
        assert resized.dtype == np.float32
        assert (resized == 0.25).all()


def test_oversample() -> None:
    crops = caffe.io.oversample([np.arange(20.0).reshape(4, 5, 1)], (2, 3))
    assert crops.shape == (10, 2, 3, 1)
    assert crops.dtype == np.float32
    assert crops[:, 0, 0, 0].tolist() == [0, 2, 10, 12, 6, 2, 4, 12, 14, 8]


class TestTransformer:
    def transformer(self, *shape: int) -> caffe.io.Transformer:
        transformer = caffe.io.Transformer({"data": shape})
        transformer.set_transpose("data", (2, 0, 1))
        transformer.set_channel_swap("data", (2, 1, 0))
        transformer.set_raw_scale("data", 255)
        transformer.set_mean("data", np.array([104.0, 117, 123]))
        transformer.set_input_scale("data", 0.5)
        return transformer

    def test_preprocess(self) -> None:
        image = np.linspace(0, 1, 12).reshape(2, 2, 3)
        recorded = [
            [[-28.818181992, 5.954547882], [40.727272034, 75.5]],
            [[-46.909091949, -12.136363983], [22.636360168, 57.409095764]],
            [[-61.5, -26.727272034], [8.045455933, 42.818183899]],
        ]
        assert np.allclose(self.transformer(1, 3, 2, 2).preprocess("data", image), recorded, rtol=1e-6)

    def test_preprocess_leaves_the_image_alone(self) -> None:
        image = np.ones((2, 2, 3), np.float32)
        caffe.io.Transformer({"data": (1, 2, 2, 3)}).preprocess("data", image)
        transformer = caffe.io.Transformer({"data": (1, 3, 2, 2)})
        transformer.set_raw_scale("data", 255)
        transformer.preprocess("data", image)
        assert (image == 1).all()

    def test_deprocess_is_the_inverse(self) -> None:
        image = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
        transformer = self.transformer(1, 3, 4, 5)
        blob = transformer.preprocess("data", image)[np.newaxis]
        assert np.allclose(transformer.deprocess("data", blob), image, atol=1e-6)

    def test_preprocess_resizes(self) -> None:
        assert self.transformer(1, 3, 6, 7).preprocess("data", np.zeros((3, 9, 3))).shape == (3, 6, 7)

    def test_mean_image_is_resized(self) -> None:
        transformer = caffe.io.Transformer({"data": (1, 3, 1, 1)})
        transformer.set_mean("data", np.arange(12.0).reshape(3, 2, 2))
        recorded = [1.196231127, 4.386180401, 7.576130390]
        assert np.allclose(transformer.mean["data"][:, 0, 0], recorded, rtol=1e-6)

    def test_gray_mean_image(self) -> None:
        transformer = caffe.io.Transformer({"data": (1, 1, 2, 2)})
        transformer.set_mean("data", np.ones((2, 2)))
        assert transformer.mean["data"].shape == (1, 2, 2)

    def test_refusals_in_caffes_words(self) -> None:
        transformer = caffe.io.Transformer({"data": (1, 3, 4, 4)})
        with pytest.raises(UsageError, match="image is not one of the net inputs"):
            transformer.preprocess("image", np.zeros((4, 4, 3)))
        with pytest.raises(
            UsageError, match="Transpose order needs to have the same number of dimensions as the input"
        ):
            transformer.set_transpose("data", (1, 0))
        with pytest.raises(UsageError, match="Channel swap needs to have the same number of dimensions as the input"):
            transformer.set_channel_swap("data", (1, 0))
        with pytest.raises(ValueError, match="Mean channels incompatible with input"):
            transformer.set_mean("data", np.zeros(2))
        with pytest.raises(ValueError, match="Mean shape invalid"):
            transformer.set_mean("data", np.zeros((1, 3, 4, 4)))


def test_resize_is_that_of_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """pycaffe's module had it by the way, and scripts use it from there."""
    transform = ModuleType("skimage.transform")
    transform.resize = lambda image, shape: shape
    modules = {"skimage": ModuleType("skimage"), "skimage.io": ModuleType("skimage.io"), transform.__name__: transform}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert caffe.io.resize(None, (2, 3)) == (2, 3)
    assert caffe.io.skimage is modules["skimage"]


def test_without_scikit_image_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(AttributeError, match="pip install scikit-image"):
        caffe.io.resize  # noqa: B018
    with pytest.raises(AttributeError, match="module 'caffe.io' has no attribute 'resise'"):
        caffe.io.resise  # noqa: B018


@pytest.mark.parametrize("error", [TypeError("3 arguments"), IndexError(), OverflowError(), MemoryError()])
def test_whatever_pillow_raises_on_a_damaged_file_load_image_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Image.new("RGB", (2, 3)).save(tmp_path / "x.png")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(PngImageFile, "load", fail)
    with pytest.raises(DataError, match=r"load_image: cannot read '.*x\.png'"):
        caffe.io.load_image(tmp_path / "x.png")
