"""Readers of ONNX besides ONNX Runtime take an FCN's file: OpenVINO as it is, OpenCV with sizes that are fixed."""

import numpy as np
import pytest

import caffe
from caffe import cli
from tests.export.nets import filled
from tests.tools.conftest import ROOT

pytestmark = pytest.mark.thorough(reason="the file is compared with ONNX Runtime elsewhere, and readers differ seldom")
SIZES = ((1, 3, 60, 77), (2, 3, 41, 50))


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A folder with the weights of an FCN-8s; (images) → its scores."""
    monkeypatch.chdir(tmp_path)
    file = str(ROOT / "nets/demo-fcn8s/deploy.prototxt")
    filled(file).save("net.caffemodel")
    net = caffe.Net(file, caffe.TEST, weights="net.caffemodel")

    def scores(images):
        net.blobs["data"].reshape(*images.shape)
        return net.forward(data=images)["score"].copy()

    return scores


def export(*more):
    file = str(ROOT / "nets/demo-fcn8s/deploy.prototxt")
    assert cli.main(["export", file, "net.caffemodel", "net.onnx", "--no-check", *more]) == 0


def drawn(shape):
    return np.random.default_rng(0).normal(0, 60, shape).astype(np.float32)


def is_near(theirs, ours):
    return theirs.shape == ours.shape and np.abs(theirs - ours).max() <= 1e-4 * np.abs(ours).max()


def test_openvino_reads_the_file_as_it_is_and_computes_images_of_any_size(engine):
    openvino = pytest.importorskip("openvino", reason="needs OpenVINO: pip install openvino")
    export()
    model = openvino.Core().compile_model("net.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in SIZES:
        assert is_near(model(drawn(shape))[0], engine(drawn(shape)))


def test_opencv_reads_a_file_of_fixed_sizes(engine):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install opencv-python-headless")
    export("--input-size", "60x77")
    model = cv2.dnn.readNetFromONNX("net.onnx")
    model.setInput(drawn(SIZES[0]))
    assert is_near(model.forward(), engine(drawn(SIZES[0])))
