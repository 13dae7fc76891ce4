"""Whole nets in ONNX: this project's own, with sizes that stay free, and the command that writes them."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import caffe
from caffe import cli
from caffe.errors import NetError, UsageError
from caffe.export import check, model
from tests.export.nets import REFERENCE, ROOT, VARIANTS, filled, found_differences

QUICK = ("lenet", "cifar10_quick", "squeezenet_v1.1", "demo-fcn8s", "voc7-fcn8s-squeezenet")
REFINED = {name for name in VARIANTS if "MultiStageMeanfield" in (ROOT / f"nets/{name}/deploy.prototxt").read_text()}
"""Variants with a dense CRF in the net, which ONNX has no operators for."""
PLACED = {"camvid-segnet", "camvid-deconvnet", "voc-deconvnet"}
"""Variants that pass on where a maximum was: of two values that are equal to rounding, either may be it."""
WHOLE, CHANNELS = QUICK, 24
"""Variants that are exported as they are, and how many channels a convolution of the others is left with."""
FREE = {"squeezenet_v1.0", "squeezenet_v1.1"}
"""Reference nets without an inner product, which would fix the image's size."""


def marked(name, folder):
    marks = [] if name in QUICK else [pytest.mark.slow(reason="a whole net; some others are not slow")]
    return pytest.param(ROOT / folder / name / "deploy.prototxt", id=name, marks=marks)


@pytest.mark.parametrize("file", [marked(name, "nets/reference") for name in REFERENCE])
def test_a_reference_net_in_onnx_computes_what_the_engine_computes(file):
    net = filled(file)
    found = model.exported(net)
    assert "batch" in found.free
    assert ("size" in found.free) == (file.parent.name in FREE)
    differences = found_differences(net)
    assert len(differences) > 1
    assert all(each.relative <= check.LIMIT for each in differences), differences


@pytest.mark.parametrize("file", [marked(name, "nets") for name in VARIANTS if name not in REFINED])
def test_a_variant_in_onnx_computes_what_the_engine_computes_at_three_sizes(file):
    net = filled(file, most=None if file.parent.name in WHOLE else CHANNELS)
    assert model.exported(net).free >= {"batch"}
    differences = found_differences(net)
    assert len(differences) == (3 if "size" in model.exported(net).free else 2)
    if file.parent.name in PLACED:
        assert all(each.labels > 0.999 for each in differences), differences
    else:
        assert all(each.relative <= check.LIMIT for each in differences), differences


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[] if name.startswith("demo") else [pytest.mark.slow(reason="a whole net; some are not")]
        )
        for name in sorted(REFINED)
    ],
)
def test_a_variant_with_a_crf_is_exported_up_to_its_scores(name):
    net = filled(ROOT / f"nets/{name}/deploy.prototxt", most=None if name.startswith("demo") else CHANNELS)
    with pytest.raises(NetError, match=r"\(MultiStageMeanfield\): it filters in a lattice.*Nothing was written"):
        model.exported(net)
    refined = next(each for each in net.to_message().layer if each.type == "MultiStageMeanfield")
    scores = refined.bottom[0].split("_")[0]
    assert list(model.exported(net, outputs=[scores]).outputs) == [scores]


@pytest.fixture
def lenet(tmp_path, monkeypatch):
    """A folder with net.prototxt and net.caffemodel; run(line) → exit status."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text((ROOT / "nets/demo-fcn8s/deploy.prototxt").read_text())
    filled("net.prototxt").save("net.caffemodel")
    return lambda line: cli.main(["export", *line.split()])


def test_the_command_writes_what_it_has_compared_and_says_what_the_file_is(lenet, capsys, tmp_path):
    line = "net.prototxt net.caffemodel net.onnx --mean 104,117,123 --classes sand,crab,fish,star,weed,rock"
    assert lenet(line) == 0
    told = capsys.readouterr().out
    assert told.count("largest difference") == 3
    assert "data batch × 3 × height × width → score ? × 6 × ? × ?" in told
    session = onnxruntime.InferenceSession("net.onnx")
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["class_names"]) == ["sand", "crab", "fish", "star", "weed", "rock"]
    assert json.loads(properties["mean"]) == [104, 117, 123]
    assert properties["channel_order"] == "BGR"
    image = np.random.default_rng(0).normal(size=(1, 3, 50, 71)).astype(np.float32)
    (score,) = session.run(["score"], {"data": image})
    net = caffe.Net("net.prototxt", caffe.TEST, weights="net.caffemodel")
    net.blobs["data"].reshape(*image.shape)
    assert np.allclose(net.forward(data=image)["score"], score, atol=1e-5 * np.abs(score).max())


def test_the_flags_are_caffes_and_sizes_can_be_fixed(lenet, capsys):
    assert lenet("-model net.prototxt -weights=net.caffemodel --out small.onnx --input-size 64x96 --opset 13") == 0
    (entry,) = onnxruntime.InferenceSession("small.onnx").get_inputs()
    assert entry.shape == [1, 3, 64, 96]
    operations = {node.op_type for node in onnx.load("small.onnx").graph.node}
    assert not operations & {"Shape", "Gather", "Range"}
    assert "data 1 × 3 × 64 × 96 → score 1 × 6 × 64 × 96, opset 13" in capsys.readouterr().out


def test_half_precision_is_smaller_and_compared_by_labels(lenet):
    assert lenet("net.prototxt net.caffemodel net.onnx") == 0
    assert lenet("net.prototxt net.caffemodel half.onnx --fp16") == 0
    whole, half = (onnx.load(name) for name in ("net.onnx", "half.onnx"))
    assert half.ByteSize() < 0.6 * whole.ByteSize()
    net = filled("net.prototxt")
    assert all(each.labels > 0.99 for each in found_differences(net, half=True))


def test_a_blob_inside_can_be_the_output(lenet):
    assert lenet("net.prototxt net.caffemodel inner.onnx --outputs pool2 --no-check") == 0
    graph = onnx.load("inner.onnx").graph
    assert [each.name for each in graph.output] == ["pool2"]
    assert not any("score" in node.name for node in graph.node)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("net.prototxt net.caffemodel net.txt", "ends in '.txt', expected one of .onnx, .pt2, .safetensors"),
        ("net.prototxt net.caffemodel", "no out, expected caffe export MODEL WEIGHTS OUT"),
        ("net.prototxt net.caffemodel x.onnx -weights x", "two weights"),
        ("net.prototxt net.caffemodel x.onnx --opset 5", "opset 5, expected 13 … 22"),
        ("net.prototxt net.caffemodel x.onnx --outputs nothing", "no blob nothing in net"),
        ("net.prototxt net.caffemodel x.onnx --input-size tall", "--input-size tall: expected height and width"),
        ("net.prototxt net.caffemodel x.onnx --mean dark", "--mean dark: expected numbers"),
        ("net.prototxt net.caffemodel x.onnx --mean 1,2", "--mean has 2 number(s), expected one for each of 3"),
        ("net.prototxt net.caffemodel x.onnx --classes nowhere.txt", "--classes has 1 name(s), such as 'nowhere.txt'"),
        ("net.prototxt net.caffemodel x.onnx --classes latin.txt", "'latin.txt' is not text in UTF-8"),
        ("net.prototxt net.caffemodel x.pt2 --fp16 --outputs pool2", "--outputs, --fp16: for ONNX alone"),
        (
            "net.prototxt net.caffemodel x.safetensors --opset 17",
            "--opset: for ONNX alone, and the file is a .safetensors",
        ),
        ("train.prototxt net.caffemodel x.onnx", "(Accuracy): it scores a net"),
        ("net.prototxt other.caffemodel x.onnx", "has no weights for"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(line, words, lenet, tmp_path, caplog):
    (tmp_path / "train.prototxt").write_text(
        (tmp_path / "net.prototxt").read_text()
        + 'layer { name: "l" type: "Input" top: "l" input_param { shape { dim: [1, 1, 500, 500] } } }'
        + 'layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "l" top: "accuracy" }'
    )
    (tmp_path / "latin.txt").write_bytes(b"B\xe4r\n")
    other = ROOT / "nets/reference/lenet/deploy.prototxt"
    filled(other).save(str(tmp_path / "other.caffemodel"))
    assert lenet(line) == 1
    assert words in caplog.text
    assert not [path for path in tmp_path.iterdir() if path.stem == "x"]


def test_an_opset_that_the_installed_onnx_does_not_know_is_refused(lenet, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 16)
    assert lenet("net.prototxt net.caffemodel x.onnx") == 1
    assert f"opset 17, expected at most 16, the newest that onnx {onnx.__version__} knows" in caplog.text
    assert not (tmp_path / "x.onnx").exists()


def test_a_tasks_list_of_classes_gives_their_names(lenet, tmp_path):
    text = "\ufeffsky 128 128 128\r\nguide dog, 1, 2, 3\r\nroute 66\r\na\r\nb\r\nc\r\nvoid 0 0 0\r\n"
    (tmp_path / "classes.txt").write_bytes(text.encode())
    assert lenet("net.prototxt net.caffemodel net.onnx --no-check --classes classes.txt") == 0
    properties = {each.key: each.value for each in onnx.load("net.onnx").metadata_props}
    assert json.loads(properties["class_names"]) == ["sky", "guide dog", "route 66", "a", "b", "c"]


def test_a_net_of_phase_train_is_refused(tmp_path):
    net = caffe.Net(str(ROOT / "nets/reference/lenet/deploy.prototxt"), caffe.TRAIN)
    with pytest.raises(UsageError, match="of phase TRAIN, expected TEST"):
        model.exported(net)


def test_a_file_that_computes_something_else_is_refused():
    net = filled(ROOT / "nets/reference/lenet/deploy.prototxt")
    found = model.exported(net)
    message = model.to_message(found)
    weights = next(each for each in message.graph.initializer if each.name == "conv1.weight")
    weights.raw_data = np.zeros(len(weights.raw_data) // 4, np.float32).tobytes()
    (each, *_) = check.differences(message.SerializeToString(), net, found, lambda: net)
    with pytest.raises(NetError, match="expected at most 1e-04. Nothing was written"):
        check.require(each, check.LIMIT)
