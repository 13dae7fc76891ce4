"""Fields that only forks of Caffe know: read, changing nothing, or refused; and those that nobody knows."""

import logging

import numpy as np
import pytest

import caffe
from caffe.errors import FormatError, NetError, WeightsError
from caffe.formats import caffemodel, prototxt
from caffe.proto import caffe_pb2

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }\n'


def layer(type_, body="", top="y"):
    return f'layer {{ name: "layer" type: "{type_}" bottom: "data" top: "{top}" {body} }}\n'


@pytest.fixture
def build(tmp_path):
    def built(text, phase=caffe.TEST, **settings):
        path = tmp_path / "net.prototxt"
        path.write_text(text, encoding="utf-8")
        return caffe.Net(str(path), phase, **settings)

    return built


def filled(net, shape=None):
    values = np.random.default_rng(0).normal(size=net.blobs["data"].data.shape).astype(np.float32)
    net.blobs["data"].data[...] = values
    return values


@pytest.mark.parametrize(
    ("body", "size"), [("ceil_mode: false", 2), ("ceil_mode: true", 3), ("torch_pooling: true", 2), ("", 3)]
)
def test_pooling_rounds_as_ceil_mode_says(build, body, size):
    net = build(DATA + layer("Pooling", f"pooling_param {{ kernel_size: 3 stride: 2 {body} }}"))
    assert net.blobs["y"].data.shape == (2, 3, size, size)


@pytest.mark.parametrize("body", ["hole: 2", "hole_h: 2 hole_w: 2"])
def test_hole_is_dilation(build, body):
    convolution = "convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: 'gaussian' } %s }"
    net = build(DATA + layer("Convolution", convolution % body))
    other = build(DATA + layer("Convolution", convolution % "dilation: 2"))
    for blob, own in zip(other.params["layer"], net.params["layer"], strict=True):
        blob.data[...] = own.data
    other.blobs["data"].data[...] = filled(net)
    assert np.array_equal(net.forward()["y"], other.forward()["y"])


def test_hole_beside_dilation_is_refused(build):
    with pytest.raises(FormatError, match=r"layer 'layer': found hole \[2\].* Keep one of them"):
        build(DATA + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 3 hole: 2 dilation: 1 }"))


def test_dropout_without_scale_train_scales_in_test(build):
    text = DATA + layer("Dropout", "dropout_param { dropout_ratio: 0.25 scale_train: false }")
    net = build(text)
    x = filled(net)
    assert np.allclose(net.forward()["y"], 0.75 * x)
    net = build(text, caffe.TRAIN)
    x = filled(net)
    y = net.forward()["y"]
    assert np.array_equal(y[y != 0], x[y != 0])
    assert 0.5 < (y != 0).mean() < 0.95


def test_bayesian_segnets_dropout_drops_in_test_too(build):
    net = build(DATA + layer("Dropout", "dropout_param { dropout_ratio: 0.25 sample_weights_test: true }"))
    x = filled(net)
    y = net.forward()["y"].copy()
    assert np.allclose(y[y != 0], x[y != 0] / 0.75)
    assert 0.5 < (y != 0).mean() < 0.95
    assert not np.array_equal(net.forward()["y"], y)


SCALED = layer("BatchNorm", "batch_norm_param { scale_filler { value: 2 } bias_filler { value: 3 } eps: 0 }")
MEAN, VARIANCE, SCALE, BIAS = (np.float32(values) for values in ([1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 0, -1]))


def normalized(x):
    mean, variance, scale, bias = (each.reshape(3, 1, 1) for each in (MEAN, VARIANCE, SCALE, BIAS))
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + bias


@pytest.mark.parametrize(
    "order",
    [(MEAN, VARIANCE, np.float32([1]), SCALE, BIAS), (SCALE, BIAS, MEAN, VARIANCE, np.float32([1]))],
    ids=["NVIDIA Caffe 0.16", "NVIDIA Caffe 0.15"],
)
def test_batch_norm_of_five_blobs_is_read_in_either_order(build, tmp_path, order):
    net = build(DATA + SCALED)
    stored = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="layer", type="BatchNorm")])
    caffemodel.write(tmp_path / "w.caffemodel", stored, [[(each, None) for each in order]])
    net.copy_from(str(tmp_path / "w.caffemodel"))
    x = filled(net)
    assert np.allclose(net.forward()["y"], normalized(x), atol=1e-5)


def test_batch_norm_of_five_blobs_scales_and_averages_in_training(build):
    net = build("force_backward: true\n" + DATA + SCALED, caffe.TRAIN)
    x = filled(net)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    expected = (x - mean.reshape(3, 1, 1)) / np.sqrt(variance.reshape(3, 1, 1) + 1e-5) * 2 + 3
    assert np.allclose(net.forward()["y"], expected, atol=1e-4)
    assert np.allclose(net.params["layer"][0].data, mean, atol=1e-6)
    net.forward()
    x = filled(net) + 1
    net.blobs["data"].data[...] = x
    net.forward()
    assert np.allclose(net.params["layer"][0].data, mean + 0.001, atol=1e-5)
    net.blobs["y"].diff[...] = 1
    net.backward()
    assert np.allclose(net.params["layer"][4].diff, 72)
    assert [float(blob.diff.max()) for blob in net.params["layer"]][:3] == [0, 0, 0]


def test_weights_of_five_blobs_for_a_batch_norm_of_three_say_what_to_write(build, tmp_path):
    build(DATA + SCALED).save(str(tmp_path / "w.caffemodel"))
    with pytest.raises(WeightsError, match=r"batch_norm_param { scale_bias: true } in the net"):
        build(DATA + layer("BatchNorm"), weights=str(tmp_path / "w.caffemodel"))


def test_fields_that_change_nothing_are_told_in_one_line(build, caplog):
    text = "default_forward_type: FLOAT16 default_forward_math: FLOAT16\n" + DATA
    text += layer(
        "Convolution",
        "convolution_param { num_output: 1 kernel_size: 1 engine: MKL2017 "
        "cudnn_convolution_algo_seeker: GET } forward_type: FLOAT forward_math: FLOAT16",
    )
    with caplog.at_level(logging.INFO, logger="caffe"):
        build(text)
    told = [record.getMessage() for record in caplog.records if "change nothing here" in record.getMessage()]
    assert len(told) == 1
    for name in ("default_forward_type", "forward_math", "convolution_param.cudnn_convolution_algo_seeker"):
        assert name in told[0]


def test_fields_that_change_results_are_refused_all_at_once(build):
    with pytest.raises(NetError) as error:
        build(
            DATA
            + layer("Convolution", "convolution_param { num_output: 1 kernel_size: 1 relu: true }", "c")
            + layer("InnerProduct", "inner_product_param { num_output: 1 normalize: true }")
        )
    words = str(error.value)
    assert "layer 'layer' (Convolution): convolution_param.relu is True" in words
    assert "layer 'layer' (InnerProduct): inner_product_param.normalize is True" in words


@pytest.mark.parametrize("body", ["relu: false", "fusion_type: UNFUSED"])
def test_a_field_of_a_fork_that_says_its_default_is_no_matter(build, body):
    build(DATA + layer("Convolution", f"convolution_param {{ num_output: 1 kernel_size: 1 {body} }}"))


def test_a_value_that_only_a_fork_has_is_refused(build):
    text = DATA + layer("SoftmaxWithLoss", 'bottom: "data" loss_param { normalization: PRE_FIXED }')
    with pytest.raises(NetError, match=r"loss_param.normalization is PRE_FIXED: a fork of Caffe computes otherwise"):
        build(text)


def test_layer_types_of_2014_that_only_forks_have_are_read_by_name():
    net = prototxt.parse(
        "layers { name: 'a' type: UNPOOLING } layers { name: 'b' type: CROP }", caffe_pb2.NetParameter()
    )
    prototxt.upgrade_net(net, "net")
    assert [each.type for each in net.layer] == ["Unpooling", "Crop"]


def test_all_unknown_types_are_told_at_once_with_their_fork_or_the_closest_name(build):
    text = DATA + layer("DomainTransform", "", "a") + layer("Convolutoin", "", "b") + layer("Quux", "", "c")
    with pytest.raises(NetError) as error:
        build(text)
    words = str(error.value)
    assert "Unknown layer type: DomainTransform (of DeepLab; not implemented here)" in words
    assert "Unknown layer type: Convolutoin. Did you mean 'Convolution'?" in words
    assert "Unknown layer type: Quux\n" in words


UNKNOWN = (
    DATA
    + """layer { name: "odd" type: "ReLU" bottom: "data" top: "y"
  quux_param { depth: 3 name: "inner" }
  relu_param { sharpness: 2 negative_slope: 0.5 }
}
wibble: 3
"""
)


def test_all_unknown_fields_are_told_at_once_with_layer_and_line(build):
    with pytest.raises(FormatError) as error:
        build(UNKNOWN)
    words = str(error.value)
    assert ":3:3: LayerParameter has no field 'quux_param'. (layer 'odd')" in words
    assert ":4:16: ReLUParameter has no field 'sharpness'. It knows engine, negative_slope. (layer 'odd')" in words
    assert ":6:1: NetParameter has no field 'wibble'." in words
    assert "Did you mean" not in words
    assert "CAFFE_ALLOW_UNKNOWN=1" in words


def test_unknown_fields_are_kept_where_they_are_allowed(build, monkeypatch):
    net = build(UNKNOWN, allow_unknown=True)
    assert net.layer_dict["odd"].unknown_fields.split("\n")[0] == 'quux_param { depth: 3 name: "inner" }'
    x = filled(net)
    assert np.allclose(net.forward()["y"], np.where(x > 0, x, 0.5 * x))
    monkeypatch.setenv("CAFFE_ALLOW_UNKNOWN", "1")
    assert build(UNKNOWN).layer_dict["odd"].unknown_fields == net.layer_dict["odd"].unknown_fields


def test_python_layers_are_handed_their_unknown_fields(build, tmp_path, monkeypatch):
    (tmp_path / "reading.py").write_text(
        "import caffe\n"
        "class Reading(caffe.Layer):\n"
        "    def setup(self, bottom, top):\n"
        "        assert self.unknown_fields.strip() == 'gain: 3'\n"
        "    def reshape(self, bottom, top):\n"
        "        top[0].reshape(1)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    build(DATA + layer("Python", "python_param { module: 'reading' layer: 'Reading' } gain: 3"), allow_unknown=True)


@pytest.mark.parametrize("value", ["$BATCH_SIZE", "${CROP}", "{{batch}}"])
def test_a_placeholder_of_a_template_is_said_in_words(build, value):
    with pytest.raises(FormatError, match="this is a template"):
        build(layer("Data", f"data_param {{ batch_size: {value} }}"))


def test_a_solver_of_a_fork_that_computes_otherwise_is_refused(tmp_path):
    (tmp_path / "net.prototxt").write_text(DATA + layer("ReLU"), encoding="utf-8")
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: 1 lr_policy: 'fixed' rampup_interval: 9", encoding="utf-8"
    )
    with pytest.raises(NetError, match="solver: rampup_interval is 9"):
        caffe.SGDSolver(str(tmp_path / "solver.prototxt"))


def test_a_solver_that_lists_devices_takes_the_first_and_says_how_to_use_all(tmp_path, caplog):
    path = tmp_path / "solver.prototxt"
    path.write_text("# device_id: [7]\ndevice_id: [2, 3]\nbase_lr: 1\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="caffe"):
        solver = prototxt.read_solver(path)
    assert (solver.device_id, solver.base_lr) == (2, 1)
    assert "device_id lists several devices (2, 3): 2 is taken. `caffe train -gpu 2,3`" in caplog.text


def test_fields_that_only_some_fork_reads_are_read_and_refused_by_name(build):
    text = DATA + layer("Deconvolution", "convolution_param { num_output: 1 kernel_size: 1 pad_l: 1 pad_t: 0 }")
    with pytest.raises(
        NetError, match=r"layer 'layer' \(Deconvolution\): convolution_param.pad_l is 1: a fork of Caffe"
    ):
        build(text)


def test_a_fork_s_field_of_a_filler_is_refused_by_name(build):
    filler = "weight_filler { type: 'gaussian' alpha: 2 }"
    with pytest.raises(NetError, match=r"convolution_param.weight_filler.alpha is 2.0"):
        build(DATA + layer("Convolution", f"convolution_param {{ num_output: 1 kernel_size: 1 {filler} }}"))


def test_types_of_further_forks_are_named_with_their_fork(build):
    with pytest.raises(
        NetError, match=r"Unknown layer type: DetectionGroupLoss \(of Cascade R-CNN; not implemented here\)"
    ):
        build(DATA + layer("DetectionGroupLoss", "box_group_output_param { fg_thr: 0.5 }"))
