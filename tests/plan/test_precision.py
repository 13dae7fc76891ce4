"""How convolutions and inner products multiply is the user's choice; weights and what is learned stay float32."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import caffe
from caffe.errors import UsageError
from caffe.formats.prototxt import parse
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.solver import solver_from_message
from tests.cases import all_cases
from tests.cases import run as runner
from tests.cases.case import Case, input_layer, layer
from tests.cases.compare import difference
from tests.plan.nets import build, conv, diffs, input, plainly, pool, relu, values

PHASES = [caffe.TRAIN, caffe.TEST]


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_choice_is_kept(precision):
    caffe.set_precision(precision)
    assert caffe.precision() == precision
    assert torch.backends.cuda.matmul.allow_tf32 is (precision == "tf32")
    assert torch.backends.cudnn.allow_tf32 is (precision == "tf32")


@pytest.mark.parametrize("word", ["fp16", "FP32", "", "float32"])
def test_another_word_is_refused(word):
    caffe.set_precision("bf16")
    with pytest.raises(UsageError, match=f"set_precision: '{word}', expected one of fp32, tf32, bf16"):
        caffe.set_precision(word)
    assert caffe.precision() == "bf16"


def python(code: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in ("CAFFE_PRECISION", "CAFFE_PLAN")}
    environment |= variables
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.mark.slow(reason="three processes that load torch, for one variable")
def test_the_environment_chooses():
    assert python("import caffe; print(caffe.precision())").stdout == "fp32\n"
    assert python("import caffe; print(caffe.precision())", CAFFE_PRECISION="bf16").stdout == "bf16\n"
    done = python("import caffe; print(caffe.precision())", CAFFE_PRECISION="half")
    assert "'half', expected one of fp32, tf32, bf16" in done.stderr


def test_the_environment_turns_the_plan_off():
    code = "import caffe.switches; print(caffe.switches.PLAIN)"
    assert python(code, CAFFE_PLAN="plain").stdout == "True\n"
    assert python(code, CAFFE_PLAN="").stdout == "False\n"


SMALL = "\n".join(
    [
        input("data", 3, 2, 12, 12) + input("label", 3),
        *(conv("conv1", "data", 8, 3, 1), relu("conv1"), pool("pool1", "conv1")),
        *(conv("conv2", "pool1", 12, 3, 1), relu("conv2"), pool("pool2", "conv2", 3, 2)),
        layer("drop", "Dropout", ["pool2"], ["pool2"], "dropout_param { dropout_ratio: 0 }"),
        layer("fc", "InnerProduct", ["pool2"], ["fc"], "inner_product_param { num_output: 5 }"),
        layer("loss", "SoftmaxWithLoss", ["fc", "label"], ["loss"]),
    ]
)


def step(text: str, precision: str, phase: int) -> caffe.Net:
    caffe.set_precision(precision)
    net = build(text, phase)
    if "label" in net.blobs:
        net.blobs["label"].data[...] = np.arange(net.blobs["label"].count).reshape(net.blobs["label"].shape) % 2
    net.forward()
    net.backward()
    return net


@pytest.mark.parametrize("phase", PHASES)
class TestSmallNet:
    def test_loss_and_gradients_are_close(self, phase):
        exact, rough = step(SMALL, "fp32", phase), step(SMALL, "bf16", phase)
        assert rough.blobs["loss"].data == pytest.approx(exact.blobs["loss"].data, rel=1e-2)
        found, expected = diffs(rough), diffs(exact)
        for name in (f"{layer_name}/{index}" for layer_name in exact.params for index in range(2)):
            apart = np.linalg.norm(found[name] - expected[name])
            assert apart < 0.03 * np.linalg.norm(expected[name]), name
        assert not np.array_equal(found["conv1/0"], expected["conv1/0"])

    def test_what_users_see_is_float32(self, phase):
        net = step(SMALL, "bf16", phase)
        for blob in (*net.blobs.values(), *(blob for blobs in net.params.values() for blob in blobs)):
            assert blob.data.dtype == blob.diff.dtype == np.float32
            assert blob.data.shape == blob.diff.shape == blob.shape

    def test_parameters_are_float32_and_maps_are_not(self, phase):
        net = step(SMALL, "bf16", phase)
        for blob in (blob for blobs in net.params.values() for blob in blobs):
            assert blob.tensor.dtype == blob.grad.dtype == torch.float32
        assert net.blobs["conv1"].tensor.dtype == net.blobs["pool1"].tensor.dtype == torch.bfloat16
        assert net.blobs["loss"].tensor.dtype == torch.float32

    def test_without_the_plan_it_is_the_same(self, phase):
        planned = step(SMALL, "bf16", phase)
        with plainly():
            plain = step(SMALL, "bf16", phase)
        found, expected = values(planned), values(plain)
        assert not [name for name in expected if difference(found[name], expected[name], 0.02)]
        found, expected = diffs(planned), diffs(plain)
        assert not [name for name in expected if difference(found[name], expected[name], 0.05)]

    def test_back_to_fp32(self, phase):
        expected = step(SMALL, "fp32", phase)
        net = step(SMALL, "bf16", phase)
        caffe.set_precision("fp32")
        net.clear_param_diffs()
        net.forward()
        net.backward()
        for name, array in values(expected).items():
            np.testing.assert_array_equal(net.blobs[name].data, array)
        np.testing.assert_array_equal(net.params["conv1"][0].diff, expected.params["conv1"][0].diff)


def test_a_map_that_is_shown_and_written_in_bfloat16():
    """NumPy sees float32; what it writes is used."""
    caffe.set_precision("bf16")
    net = build(SMALL)
    net.forward(end="relu_conv1")
    held = net.blobs["conv1"].data
    held[...] = 1
    net.forward(start="pool1", end="pool1")
    assert (net.blobs["pool1"].data == 1).all()
    net.forward(end="conv1")
    assert held.min() < 0
    assert np.shares_memory(held, net.blobs["conv1"].data)


def test_tf32_on_a_cpu_is_fp32():
    exact, same = step(SMALL, "fp32", caffe.TRAIN), step(SMALL, "tf32", caffe.TRAIN)
    assert same.blobs["loss"].data == exact.blobs["loss"].data


def test_weights_are_saved_in_full(tmp_path):
    caffe.set_precision("bf16")
    net = build(SMALL)
    net.forward(end="fc")
    net.save(str(tmp_path / "weights.caffemodel"))
    other = build(SMALL, seed=1)
    other.copy_from(str(tmp_path / "weights.caffemodel"))
    np.testing.assert_array_equal(other.params["conv1"][0].data, net.params["conv1"][0].data)
    assert (
        net.params["conv1"][0].data.astype(np.float16).astype(np.float32).tolist()
        != net.params["conv1"][0].data.tolist()
    )


# Which quarter of an image is bright: four classes.
LEARNER = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 16 dim: 1 dim: 10 dim: 10 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 16 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "score" type: "InnerProduct" bottom: "pool" top: "score"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "label" top: "accuracy" }
"""


def quarters(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(4, size=16)
    images = rng.normal(size=(16, 1, 10, 10))
    for image, label in zip(images, labels, strict=True):
        row, column = 5 * (label // 2), 5 * (label % 2)
        image[0, row : row + 5, column : column + 5] += 0.8
    return images, labels


def learned(precision: str, rule: str) -> tuple[float, float, object]:
    """Loss and accuracy on new images after 60 iterations, and the solver."""
    caffe.set_precision(precision)
    param = caffe_pb2.SolverParameter(type=rule, base_lr=0.02, lr_policy="fixed", max_iter=60, random_seed=1)
    param.momentum, param.weight_decay = 0.9, 0.001
    parse(LEARNER, param.net_param)
    solver = solver_from_message(param)
    rng = np.random.default_rng(0)
    for _ in range(60):
        solver.net.blobs["data"].data[...], solver.net.blobs["label"].data[...] = quarters(rng)
        solver.step(1)
    scores = []
    for _ in range(20):
        images, labels = quarters(rng)
        found = solver.net.forward(data=images, label=labels)
        scores.append((float(found["loss"]), float(found["accuracy"])))
    loss, accuracy = np.mean(scores, axis=0)
    return loss, accuracy, solver


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
def test_training_in_bfloat16_learns_as_well(rule):
    loss, accuracy, _ = learned("fp32", rule)
    rough_loss, rough_accuracy, solver = learned("bf16", rule)
    assert accuracy > 0.9
    assert rough_accuracy == pytest.approx(accuracy, abs=0.02)
    assert rough_loss == pytest.approx(loss, abs=0.03)
    assert all(blob.tensor.dtype == torch.float32 for blob in solver.history)
    weights = solver.net.params["conv"][0].tensor
    assert weights.dtype == torch.float32
    assert not torch.equal(weights, weights.bfloat16().float())


def usable(case: Case) -> bool:
    """A case of one layer whose first bottom can come out of another layer."""
    return bool(
        case.type
        and case.refused is None
        and case.forwards == 1
        and not (case.before or case.random or case.in_place)
        and 'name: "bottom0" type: "Input"' in case.text
        and 0 not in case.shapes["bottom0"]
        and len(case.shapes["bottom0"]) > 0
    )


def chosen() -> list[Case]:
    """Three cases of every layer type."""
    by_type: dict[str, list[Case]] = {}
    for case in filter(usable, all_cases()):
        by_type.setdefault(case.type, []).append(case)
    return list(itertools.chain.from_iterable(cases[:3] for cases in by_type.values()))


def after_a_product(case: Case) -> str:
    """The case's net, its first bottom multiplied by the identity in a layer before: a convolution of images."""
    shape = case.shapes["bottom0"]
    if len(shape) == 4:
        body = f"convolution_param {{ num_output: {shape[1]} kernel_size: 1 bias_term: false }}"
        before = layer("before", "Convolution", ["source"], ["bottom0"], body)
    else:
        body = f"inner_product_param {{ num_output: {shape[-1]} axis: -1 bias_term: false }}"
        before = layer("before", "InnerProduct", ["source"], ["bottom0"], body)
    lines = case.prototxt().splitlines()
    place = next(index for index, line in enumerate(lines) if 'name: "bottom0" type: "Input"' in line)
    lines[place] = input_layer("source", shape) + "\n" + before
    return "\n".join(lines)


def in_precision(case: Case, precision: str) -> tuple[dict, dict]:
    """Forward and backward after a layer whose top is the case's bottom, rounded to bfloat16."""
    caffe.set_precision(precision)
    caffe.set_random_seed(1)
    with runner.folder_of(case):
        net = runner.build(case, after_a_product(case))
        shape = tuple(case.shapes["bottom0"])
        rounded = torch.from_numpy(case.input("bottom0", shape)).bfloat16().float().numpy()
        net.blobs["source"].data[...] = rounded
        weights = net.params["before"][0].data
        weights.reshape(len(weights), -1)[...] = np.eye(len(weights))
        net.forward()
        if case.type != "Python":  # NumPy has seen the bottom of a Python layer, and made it float32
            assert net.blobs["bottom0"].tensor.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
        found = values(net)
        found.update({f"param/{index}": blob.data.copy() for index, blob in enumerate(net.params.get("layer", ()))})
        if case.backward:
            runner.set_top_diffs(net, case)
            net.backward()
        return found, diffs(net)


TYPES = sorted({case.type for case in chosen()})
NOT_TRIED = {
    "Data",
    "DummyData",
    "HDF5Data",
    "HDF5Output",
    "ImageData",
    "Input",
    "MemoryData",
    "Parameter",
    "WindowData",
}


def test_every_layer_type_that_has_a_bottom_and_a_top_is_tried():
    assert set(caffe.layer_type_list()) - set(TYPES) == NOT_TRIED


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.id)
def test_a_layer_takes_bfloat16_from_the_layer_before(case):
    """Bottoms that bfloat16 holds exactly: only what the layer itself rounds is lost."""
    found, gradients = in_precision(case, "bf16")
    expected, expected_gradients = in_precision(case, "fp32")
    assert not [
        name
        for name in expected
        if difference(found[name], expected[name], 1e-5 if name.startswith("param/") else 0.02)
    ]
    assert not [name for name in expected_gradients if difference(gradients[name], expected_gradients[name], 0.04)]


def test_where_a_maximum_lies_is_told_exactly():
    """Places in a map have more digits than bfloat16."""
    caffe.set_precision("bf16")
    where = layer("pool", "Pooling", ["conv"], ["pool", "where"], "pooling_param { kernel_size: 3 stride: 3 }")
    net = build(input("data", 1, 2, 45, 51) + conv("conv", "data", 3, 1) + where)
    net.forward()
    x, places, largest = (net.blobs[name].data for name in ("conv", "where", "pool"))
    np.testing.assert_array_equal(
        np.take_along_axis(x.reshape(3, -1), places.astype(int).reshape(3, -1), 1).reshape(largest.shape[1:]),
        largest[0],
    )


@pytest.mark.parametrize("method", ["AVE", "STOCHASTIC"])
def test_a_large_window_is_summed_up_in_full(method):
    body = f"pooling_param {{ pool: {method} kernel_size: 40 }}"
    text = input("data", 1, 2, 40, 40) + conv("conv", "data", 3, 1) + layer("pool", "Pooling", ["conv"], ["pool"], body)
    found = []
    for precision in ("bf16", "fp32"):
        caffe.set_precision(precision)
        net = build(text)
        net.blobs["data"].data[...] = np.abs(net.blobs["data"].data)
        net.params["conv"][0].data[...] = 1
        found.append(net.forward()["pool"].copy())
    np.testing.assert_allclose(found[0], found[1], rtol=0.01)


def test_joined_with_a_float32_map():
    def step(precision):
        caffe.set_precision(precision)
        text = input("data", 1, 2, 5, 5) + conv("conv", "data", 2, 1)
        net = build(text + layer("join", "Concat", ["conv", "data"], ["join"]), caffe.TRAIN)
        net.forward()
        net.blobs["join"].diff[...] = 1
        net.backward()
        return net

    found, expected = step("bf16"), step("fp32")
    np.testing.assert_array_equal(found.blobs["join"].data[:, 2:], found.blobs["data"].data)
    assert difference(found.blobs["join"].data, expected.blobs["join"].data, 0.01) is None
    assert difference(found.params["conv"][0].diff, expected.params["conv"][0].diff, 0.01) is None


@pytest.mark.parametrize("kind", ["conv", "relu", "fc"])
def test_a_loss_weight_on_a_map_in_bfloat16(kind):
    ends = {
        "conv": layer("end", "Convolution", ["fc"], ["end"], "convolution_param { num_output: 2 kernel_size: 1 }"),
        "relu": layer("end", "ReLU", ["fc"], ["end"]),
        "fc": layer("end", "InnerProduct", ["fc"], ["end"], "inner_product_param { num_output: 2 }"),
    }
    text = input("data", 1, 3, 4, 4) + conv("fc", "data", 4, 1) + ends[kind].rstrip(" }") + " } loss_weight: 2 }"
    if kind == "relu":
        text = text.replace(" } loss_weight", " loss_weight")
    losses = []
    for precision in ("bf16", "fp32"):
        caffe.set_precision(precision)
        net = build(text, caffe.TRAIN)
        losses.append(net._forward(0, len(net.layers) - 1))
        net.backward()
        assert net.params["fc"][0].diff.any()
    assert losses[0] == pytest.approx(losses[1], rel=0.05, abs=0.5)


def test_debug_info_in_bfloat16(monkeypatch):
    logged: dict[str, list[str]] = {"fp32": [], "bf16": []}
    for precision, lines in logged.items():
        caffe.set_precision(precision)
        net = build(SMALL.replace("loss", "(loss)"), caffe.TRAIN)
        net.blobs["label"].data[...] = 1
        net.set_debug_info(True)
        monkeypatch.setattr(log.logger, "handle", lambda record, lines=lines: lines.append(record.getMessage()))
        net.forward()
        net.backward()
    rough, exact = (
        dict(line.rsplit(": ", 1) for line in lines if "] Layer " in line) for lines in reversed(logged.values())
    )
    assert rough.keys() == exact.keys()
    assert all(sum(way in name for name in exact) > 10 for way in ("[Forward]", "[Backward]"))
    assert {name: float(mean) for name, mean in rough.items()} == pytest.approx(
        {name: float(mean) for name, mean in exact.items()}, rel=0.05
    )
