"""tools/vgg16_weights.py: the folding is exact, and the pickle can hold nothing but arrays."""

import io
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import correlate

from tools import vgg16_weights
from tools.vgg16_weights import FCN_MEAN, TORCHVISION_DEVIATION, TORCHVISION_MEAN, ArrayUnpickler

OWN_MEAN = 255 * TORCHVISION_MEAN[::-1]


def convolve(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A zero-padded convolution: image height×width×in, kernel height×width×in×out."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    outputs = [correlate(padded, kernel[..., i], mode="valid")[..., 0] + bias[i] for i in range(kernel.shape[3])]
    return np.stack(outputs, -1)


@pytest.mark.parametrize(("mean", "inside"), [(OWN_MEAN, np.s_[:, :]), (np.array(FCN_MEAN), np.s_[1:-1, 1:-1])])
def test_folding_is_exact(mean: np.ndarray, inside: tuple[slice, slice]) -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 3, 3, 2)), rng.normal(size=2)
    rgb = rng.integers(0, 256, (6, 7, 3))
    expected = convolve((rgb / 255 - TORCHVISION_MEAN) / TORCHVISION_DEVIATION, kernel, bias)
    found = convolve(rgb[:, :, ::-1] - mean, *vgg16_weights.fold(kernel, bias, mean))
    assert np.allclose(found[inside], expected[inside])


def test_every_layer_is_filled() -> None:
    shapes = {"conv1_1": (2, 3, 3, 3), "conv5_3": (2, 2, 3, 3), "fc6": (400, 10, 7, 7), "fc8": (5, 4, 1, 1)}
    params = {
        layer: [SimpleNamespace(data=np.full(shape, 9.0)), SimpleNamespace(data=np.full(shape[0], 9.0))]
        for layer, shape in shapes.items()
    }
    convolutions = [(np.full((3, 3, 3, 2), i), np.full(2, i)) for i in range(12)]
    convolutions.append((np.arange(36.0).reshape(3, 3, 2, 2), np.array([1, 2])))
    vgg16_weights.fill(SimpleNamespace(params=params), convolutions, OWN_MEAN, seed=1)
    assert params["conv5_3"][0].data[1, 0, 2, 1] == convolutions[12][0][2, 1, 0, 1]
    assert params["conv5_3"][1].data.tolist() == [1, 2]
    assert params["fc6"][0].data.std() == pytest.approx(np.sqrt(2 / 490), rel=0.01)
    assert not params["fc6"][1].data.any()
    assert not params["fc8"][0].data.any()


def test_arrays_are_unpickled() -> None:
    value = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    found = ArrayUnpickler(io.BytesIO(pickle.dumps(value, protocol=3))).load()
    assert (found["a"]["kernel"] == value["a"]["kernel"]).all()


@pytest.mark.parametrize("value", [print, Path("x"), np.random.default_rng])
def test_anything_else_in_the_pickle_is_refused(value: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="expected NumPy arrays alone"):
        ArrayUnpickler(io.BytesIO(pickle.dumps(value))).load()


def test_another_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="has SHA-256 .*, expected a286e44ce15d"):
        vgg16_weights.read_checkpoint(tmp_path / "x.tar.gz")
