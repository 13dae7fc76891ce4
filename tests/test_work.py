"""Operations and bytes, counted by hand."""

import pytest

import caffe
from caffe.net import work
from caffe.net.work import Work


@pytest.fixture
def layer(tmp_path):
    """layer(text, bottoms) → the node of a layer "x" in a TRAIN net, whose bottoms need gradients."""

    def build(text, *shapes):
        inputs = "".join(
            f'layer {{ name: "in{index}" type: "Input" top: "in{index}" input_param {{ shape {{ '
            + " ".join(f"dim: {dim}" for dim in shape)
            + " } } } "
            for index, shape in enumerate(shapes)
        )
        bottoms = " ".join(f'bottom: "in{index}"' for index in range(len(shapes)))
        path = tmp_path / "net.prototxt"
        path.write_text(f'force_backward: true {inputs} layer {{ name: "x" top: "y" {bottoms} {text} }}')
        return next(node for node in caffe.Net(str(path), caffe.TRAIN).nodes if node.layer.name == "x")

    return build


def test_convolution(layer):
    node = layer(
        'type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 group: 2 }', (2, 4, 9, 9)
    )
    weights, top, bottom = 6 * 2 * 3 * 3, 2 * 6 * 5 * 5, 2 * 4 * 9 * 9
    operations = 2 * weights * 2 * 5 * 5
    assert work.forward(node) == Work(operations, 4 * (top + bottom + weights + 6))
    assert work.backward(node) == Work(2 * operations, 4 * (top + 2 * bottom + 3 * (weights + 6)))


def test_deconvolution_uses_its_weights_at_every_position_of_the_bottom(layer):
    node = layer('type: "Deconvolution" convolution_param { num_output: 5 kernel_size: 4 stride: 2 }', (1, 3, 7, 6))
    assert work.forward(node).operations == 2 * 3 * 5 * 4 * 4 * 7 * 6


def test_gradients_that_nobody_needs_are_not_counted(layer):
    node = layer('type: "InnerProduct" inner_product_param { num_output: 5 }', (4, 3, 2, 1))
    node.layer.param_propagate_down = [False, False]
    assert work.forward(node).operations == work.backward(node).operations == 2 * 4 * 6 * 5
    node.layer.propagate_down = [False]
    assert work.backward(node) == Work()


def test_recurrent(layer):
    node = layer('type: "RNN" recurrent_param { num_output: 3 }', (5, 2, 4), (5, 2))
    assert work.forward(node).operations == 2 * (3 * 4 + 3 * 3 + 3 * 3) * 5 * 2


@pytest.mark.parametrize(
    ("text", "operations"),
    [
        ('type: "ReLU"', 2 * 3 * 6 * 6),
        ('type: "Pooling" pooling_param { kernel_size: 3 stride: 3 }', 2 * 3 * 2 * 2 * 9),
        ('type: "Pooling" pooling_param { global_pooling: true }', 2 * 3 * 36),
        ('type: "LRN" lrn_param { local_size: 5 }', 2 * 3 * 6 * 6 * 9),
        ('type: "Tile" tile_param { tiles: 2 }', 0),
    ],
)
def test_other_layers(text, operations, layer):
    node = layer(text, (2, 3, 6, 6))
    assert work.forward(node).operations == operations
    assert work.forward(node).bytes == 4 * (node.bottom[0].count + node.top[0].count)


def test_what_is_not_touched_costs_nothing(layer):
    assert work.forward(layer('type: "Reshape" reshape_param { shape { dim: -1 } }', (2, 3))) == Work()


def test_bf16_halves_the_bytes(layer, monkeypatch):
    node = layer('type: "ReLU"', (2, 3, 4, 4))
    full = work.forward(node)
    caffe.set_precision("bf16")
    try:
        assert work.forward(node) == Work(full.operations, full.bytes // 2)
    finally:
        caffe.set_precision("fp32")


def test_least_time():
    assert Work(100, 30).seconds(operations_per_second=50, bytes_per_second=10) == 3
    assert Work(200, 30).seconds(operations_per_second=50, bytes_per_second=10) == 4
