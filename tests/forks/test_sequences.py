"""The LSTM of readers of text, and layers that turn, mirror and mask, against loops from their formulas."""

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.proto import caffe_pb2
from caffe.testing import check_layer
from tests.forks.forms import distinct, layer, loops, net_of


def memory(streams, goes_on=None, state=None):
    def form(x, weights, own, bias):
        def sigmoid(value):
            return 1 / (1 + np.exp(-value))

        size = own.shape[1]
        hidden, cell = state or (np.zeros((streams, size)), np.zeros((streams, size)))
        found = []
        for number, values in enumerate(x.reshape(len(x), -1)):
            step, stream = divmod(number, streams)
            more = step > 0 if goes_on is None else goes_on[number]
            gates = weights @ values + bias + (own @ hidden[stream] if more else 0)
            i, f, o, g = gates.reshape(4, size)
            cell[stream] = (sigmoid(f) * cell[stream] if more else 0) + sigmoid(i) * np.tanh(g)
            hidden[stream] = sigmoid(o) * np.tanh(cell[stream])
            found.append(hidden[stream].copy())
        return np.array(found)

    return form


FILLERS = 'weight_filler { type: "xavier" } bias_filler { type: "gaussian" }'
CASES = {
    "Lstm": (
        layer("Lstm", f"lstm_param {{ num_output: 2 batch_size: 2 {FILLERS} }}"),
        [(6, 3)],
        {"expected": memory(2)},
    ),
    "Lstm whose sequences begin": (
        layer("Lstm", f"lstm_param {{ num_output: 2 {FILLERS} }}"),
        [(5, 3), (5,)],
        {
            "values": [distinct(5, 3), np.array([0, 1, 0, 1, 1])],
            "expected": lambda x, begins, *params: memory(1, begins)(x, *params),
        },
    ),
    "Transpose": (
        layer("Transpose", "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }"),
        [(2, 3, 4, 5)],
        {"expected": lambda x: loops((5, 4, 2, 3), lambda w, h, n, c: x[n, c, h, w])},
    ),
    "Reverse": (layer("Reverse", "reverse_param { axis: 1 }"), [(2, 3, 4)], {"expected": lambda x: x[:, ::-1]}),
    "Reverse of the first axis": (layer("Reverse"), [(3, 2)], {"expected": lambda x: x[::-1]}),
    "Flip": (layer("Flip"), [(1, 2, 3, 4)], {"expected": lambda x: x[..., ::-1]}),
    "Flip up and down": (
        layer("Flip", "flip_param { flip_width: false flip_height: true }"),
        [(1, 2, 3, 4)],
        {"expected": lambda x: x[:, :, ::-1]},
    ),
    "AutoCrop by an offset": (
        layer("AutoCrop", "crop_param { offset: 1 offset: 2 }"),
        [(1, 2, 5, 6), (1, 1, 3, 2)],
        {"expected": lambda x, like: x[:, :, 1:4, 2:4]},
    ),
    "MaskPooling": (layer("MaskPooling"), [(2, 3, 2, 4), (2, 1, 2, 4)], {"expected": lambda x, mask: x * mask}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


def test_a_sequence_that_goes_on_takes_what_the_pass_before_ended_with():
    values = distinct(4, 3)
    net = net_of(layer("Lstm", f"lstm_param {{ num_output: 2 {FILLERS} }}"), [values, np.array([0, 1, 1, 1])])
    whole = net.forward()["y"].copy()
    net.blobs["x1"].data[0] = 1
    after = net.forward()["y"]
    params = [blob.data.astype(float) for blob in net.params["layer"]]
    wanted = memory(1, np.array([0] + [1] * 7))(np.concatenate([values, values]), *params)
    assert np.allclose(np.concatenate([whole, after]), wanted, atol=1e-5)


def test_a_clipping_threshold_limits_gradients():
    found = {}
    for limit in (0, 0.01):
        body = f"num_output: 2 {FILLERS} clipping_threshold: {limit}"
        caffe.set_random_seed(1)
        net = net_of(
            layer("Lstm", f"lstm_param {{ {body} }}"), [distinct(1, 3)], phase=caffe.TRAIN, force_backward=True
        )
        net.forward()
        net.blobs["y"].diff[...] = 100
        net.backward()
        found[limit] = net.params["layer"][2].diff.copy()
    assert np.allclose(found[0.01], found[0].clip(-0.01, 0.01))
    assert np.abs(found[0]).max() > 0.01


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("Lstm"), [(4, 3)], "num_output is 0"),
        (layer("Lstm", "lstm_param { num_output: 2 batch_size: 3 }"), [(4, 3)], "Correct batch_size"),
        (layer("Lstm", "lstm_param { num_output: 2 clipping_threshold: -1 }"), [(4, 3)], "0 or more"),
        (layer("Lstm", "lstm_param { num_output: 2 }"), [(4, 3), (3,)], "a number for each"),
        (layer("Lstm", "lstm_param { num_output: 2 }"), [()], "single number"),
        (layer("Transpose", "transpose_param { dim: 0 dim: 0 }"), [(2, 3)], "each of its axes once"),
        (layer("Transpose"), [(2, 3)], "each of its axes once"),
        (layer("Reverse", "reverse_param { axis: 2 }"), [(2, 3)], "from 0 to 1"),
        (layer("Reverse", "reverse_param { axis: -1 }"), [(2, 3)], "from 0 to 1"),
        (layer("Flip"), [(2, 3)], "4 axes"),
        (layer("MaskPooling"), [(2, 3, 2, 4), (2, 3, 2, 4)], "a mask of one channel"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        net_of(text, [np.zeros(shape) for shape in shapes]).forward()
    assert "layer 'layer'" in str(error.value)


def between(body, stride=1):
    text = f"""
        layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: [1, 1, 9, 9] }} }} }}
        layer {{ name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {{ num_output: 1 {body} }} }}
        layer {{ name: "up" type: "Deconvolution" bottom: "c" top: "up"
                convolution_param {{ num_output: 1 kernel_size: 4 stride: {stride} }} }}
        layer {{ name: "crop" type: "AutoCrop" bottom: "up" bottom: "data" top: "crop" }}"""
    net = prototxt.parse(text, caffe_pb2.NetParameter())
    net.state.phase = caffe.TEST
    return caffe.Net.from_message(net)


def test_a_map_is_cropped_by_its_coordinates_in_every_dialect():
    layer = between("kernel_size: 2 pad: 3").nodes[-1].layer
    before, after = 3 - (2 - 1) / 2, (4 - 1) / 2  # a pixel's place in "c", and in "up" from there
    assert list(layer.offsets) == [before + after] * 2


def test_a_map_that_lies_between_pixels_cannot_be_cropped_by_its_coordinates():
    with pytest.raises(CaffeError, match="layer 'crop' .AutoCrop.: the coordinates of its bottoms"):
        between("kernel_size: 3 pad: 3 stride: 2", 2)
