"""Nets whose first convolution has a wide border: whatever somebody does with them, all is as without the plan."""

import numpy as np
import pytest
import torch

import caffe
from caffe.log import log
from tests.cases.case import layer
from tests.plan.nets import (
    assert_alike,
    build,
    conv,
    diffs,
    fill,
    fill_with_whole_numbers,
    input,
    plainly,
    pool,
    relu,
    values,
)

SIZES = [(97, 131), (41, 67), (67, 41), (33, 50), (1, 1), (7, 90), (64, 64)]
HEIGHT, WIDTH = 41, 67


def vgg(pad: int = 30, between: str = "", batch: int = 1, size=(HEIGHT, WIDTH), after_conv1: str = "conv1b") -> str:
    """Convolutions, ReLUs in place and poolings, as VGG16 has them; at the end, scores for every position."""
    return "\n".join(
        [
            input("data", batch, 3, *size),
            *(conv("conv1", "data", 4, 3, pad), relu("conv1"), conv("conv1b", "conv1", 4, 3, 1), relu("conv1b")),
            between,
            pool("pool1", after_conv1),
            *(conv("conv2", "pool1", 5, 3, 1), relu("conv2"), pool("pool2", "conv2", 3, 2)),
            *(conv("conv3", "pool2", 6, 3, 1), relu("conv3"), pool("pool3", "conv3", 2, 2, "AVE")),
            *(conv("fc", "pool3", 8, 3), relu("fc"), conv("score", "fc", 2, 1)),
        ]
    )


def shortened(net: caffe.Net) -> list[str]:
    """The blobs that are kept without their borders."""
    return [name for name, blob in net.blobs.items() if blob.memory.data._lacks]


def resize(net: caffe.Net, height: int, width: int) -> None:
    net.blobs["data"].reshape(*net.blobs["data"].shape[:2], height, width)
    net.reshape()
    fill(net, height)


def both(text: str, use=lambda net: net.forward(), phase: int = caffe.TEST) -> list[str]:
    """Do the same with a net that has a plan and with one that has none, compare all blobs; which were kept short."""
    planned = build(text, phase)
    use(planned)
    kept_short = shortened(planned)
    with plainly():
        plain = build(text, phase)
        use(plain)
        assert not shortened(plain)
        expected = values(plain)
    assert_alike(values(planned), expected)
    return kept_short


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pad", [30, 47, 100])
def test_every_blob_is_as_without_the_plan(pad, size):
    assert "conv1" in both(vgg(pad, size=size))


def test_the_early_maps_are_short():
    early = ["conv1", "conv1b", "pool1", "conv2"]
    assert both(vgg(30)) == early
    assert both(vgg(60)) == [*early, "pool2", "conv3", "pool3", "fc"]


def test_several_images():
    assert both(vgg(batch=3))


def test_a_first_layer_that_strides():
    text = "\n".join(
        [
            input("data", 1, 3, HEIGHT, WIDTH),
            conv("conv1", "data", 4, 11, 50, stride=4),
            relu("conv1"),
            pool("pool1", "conv1", 3, 2),
            conv("conv2", "pool1", 6, 5, 2, group=2),
        ]
    )
    assert "conv1" in both(text)


@pytest.mark.parametrize("settings", [{"dilation": 3}, {"bias_term": 0}])
def test_settings_of_the_first_convolution(settings):
    text = input("data", 1, 3, HEIGHT, WIDTH) + conv("conv1", "data", 4, 3, 30, **settings) + pool("pool1", "conv1")
    assert "conv1" in both(text)


def test_a_rectangular_border():
    settings = "convolution_param { num_output: 4 kernel_h: 5 kernel_w: 3 pad_h: 20 pad_w: 40 stride_h: 2 stride_w: 1 }"
    text = input("data", 1, 3, HEIGHT, WIDTH) + layer("conv1", "Convolution", ["data"], ["conv1"], settings)
    assert "conv1" in both(text + conv("conv2", "conv1", 3, 3, 1) + pool("pool2", "conv2"))


def test_forward_twice():
    def twice(net):
        net.forward()
        fill(net, 7)
        net.forward()

    assert both(vgg(), twice)


def test_other_sizes_and_back():
    def wander(net):
        net.forward()
        for size in [(20, 90), (90, 20), (HEIGHT, WIDTH)]:
            resize(net, *size)
            net.forward()

    assert both(vgg(), wander)


@pytest.mark.parametrize("start", ["conv1b", "pool1", "conv2", "pool2", "conv3"])
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (HEIGHT, WIDTH - 6), (HEIGHT + 9, WIDTH)])
def test_going_on_at_another_size(start, size):
    """With what is in the memory then: old values, in an order that makes no image."""

    def turn(net):
        net.forward()
        resize(net, *size)
        net.forward(start=start)

    both(vgg(), turn)


def test_an_empty_batch():
    def empty(net):
        net.forward()
        net.blobs["data"].reshape(0, 3, HEIGHT, WIDTH)
        net.forward()

    both(vgg(), empty)


def first_half(net: caffe.Net, blob: str) -> None:
    """Forward up to the layer that gives a blob its last values."""
    net.forward(end=f"relu_{blob}" if "conv" in blob else blob)


def second_half(net: caffe.Net, blob: str) -> None:
    """Forward from the layer after that."""
    following = [name for name in net.layer_dict if "relu" not in name]
    net.forward(start=following[following.index(blob) + 1])


@pytest.mark.parametrize("blob", ["conv1", "conv1b", "pool1", "conv2", "pool2", "conv3"])
class TestSomebodyLooks:
    def test_between_two_halves_of_a_pass(self, blob):
        def look(net):
            first_half(net, blob)
            assert net.blobs[blob].data.shape == net.blobs[blob].shape
            second_half(net, blob)

        both(vgg(), look)

    def test_and_writes(self, blob):
        def write(net):
            first_half(net, blob)
            net.blobs[blob].data[:, 1, 2:5, ::2] = 3
            second_half(net, blob)

        both(vgg(), write)

    def test_and_writes_by_torch(self, blob):
        def write(net):
            first_half(net, blob)
            net.blobs[blob].tensor.mul_(torch.arange(net.blobs[blob].shape[3]))
            second_half(net, blob)

        both(vgg(), write)

    def test_from_a_view_held_before(self, blob):
        def hold(net):
            held = net.blobs[blob].data
            net.forward()
            assert blob not in shortened(net)
            assert held.any()
            assert np.shares_memory(held, net.blobs[blob].data)

        both(vgg(), hold)

    def test_from_a_hook(self, blob):
        def hook(net):
            seen = []
            net.after_forward(lambda index: seen.append(net.blobs[blob].data.copy()))
            net.forward()
            assert seen[-1].any()

        both(vgg(), hook)

    def test_and_writes_from_a_hook(self, blob):
        def hook(net):
            def write(index):
                if blob in net.top_names[net._layer_names[index]]:
                    net.blobs[blob].data[:, :, :9, 4] += 1

            net.after_forward(write)
            net.forward()

        both(vgg(), hook)


def test_going_on_from_a_short_map():
    def again(net):
        net.forward()
        net.forward(start="conv2")

    assert "conv1" in both(vgg(), again)


def test_a_pass_that_is_asked_for_a_blob():
    net = build(vgg())
    with plainly():
        expected = build(vgg()).forward(blobs=["conv1", "pool2"])
    assert_alike(net.forward(blobs=["conv1", "pool2"]), expected)


NOT_HERE = {
    "a narrow border": vgg(pad=3),
    "a border as wide as the kernel": input("data", 1, 3, 9, 9) + conv("conv1", "data", 4, 7, 7) + pool("p", "conv1"),
    "a layer before": input("in", 1, 3, 9, 9) + layer("data", "Power", ["in"], ["data"]) + conv("c", "data", 4, 3, 2),
    "five axes": input("data", 1, 3, 5, 9, 9) + conv("conv1", "data", 2, 3, 9),
    "another channel axis": input("data", 2, 3, 9, 9) + conv("conv1", "data", 2, 3, 30, axis=0),
}


@pytest.mark.parametrize("text", NOT_HERE.values(), ids=list(NOT_HERE))
def test_where_it_does_not_hold_maps_are_whole(text):
    assert not both(text)


def test_two_bottoms():
    inputs = input("data", 1, 3, 9, 9) + input("other", 1, 3, 9, 9)
    body = "convolution_param { num_output: 2 kernel_size: 3 pad: 30 }"
    assert not both(inputs + layer("conv1", "Convolution", ["data", "other"], ["a", "b"], body))


@pytest.mark.parametrize(
    "between",
    [
        layer("between", "Sigmoid", ["conv1b"], ["between"]),
        layer("between", "BatchNorm", ["conv1b"], ["between"]),
        layer("between", "Python", ["conv1b"], ["between"], 'python_param { module: "ramp" layer: "Ramp" }'),
        layer("between", "Split", ["conv1b"], ["between", "other"]),
        layer("between", "LRN", ["conv1b"], ["between"]),
        layer("between", "Pooling", ["conv1b"], ["between"], "pooling_param { global_pooling: true }"),
        layer("between", "Pooling", ["conv1b"], ["between", "where"], "pooling_param { kernel_size: 2 }"),
    ],
)
def test_a_layer_that_cannot_tell_what_it_sees_ends_the_chain(between, tmp_path, monkeypatch):
    (tmp_path / "ramp.py").write_text(
        "import caffe\nimport numpy as np\n\n\n"
        "class Ramp(caffe.Layer):\n"
        "    def reshape(self, bottom, top):\n"
        "        top[0].reshape(*bottom[0].data.shape)\n\n"
        "    def forward(self, bottom, top):\n"
        "        top[0].data[...] = bottom[0].data * np.arange(bottom[0].data.shape[3])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = vgg(between=between, after_conv1="between")
    text = text[: text.index("layer", text.index('name: "pool1"'))]
    assert both(text) == ["conv1"]


@pytest.mark.parametrize(
    ("phase", "head", "short"),
    [(caffe.TEST, "", True), (caffe.TEST, "force_backward: true\n", False), (caffe.TRAIN, "", False)],
)
def test_backward(phase, head, short):
    """Short maps are only for what is not kept for backward; in the test phase, backward computes them anew."""
    text = head + vgg() + layer("loss", "Reduction", ["score"], ["loss"], "loss_weight: 1")
    planned = build(text, phase)
    fill_with_whole_numbers(planned)
    planned.forward()
    assert bool(shortened(planned)) is short
    planned.backward()
    with plainly():
        plain = build(text, phase)
        fill_with_whole_numbers(plain)
        plain.forward()
        plain.backward()
    assert plain.params["conv1"][0].diff.any()
    assert_alike(values(planned), values(plain))
    assert_alike(diffs(planned), diffs(plain), 1e-5)


def test_weights_of_another_net():
    def share(net):
        other = build(vgg(), seed=5)
        net.share_with(other)
        net.forward()
        other.params["conv1"][0].data[...] *= 2
        net.forward()

    assert both(vgg(), share)


def test_two_layers_with_the_same_weights():
    def shared(name, bottom):
        return conv(name, bottom, 3, 3, 30).rstrip(" }") + ' } param { name: "w" } param { name: "b" } }'

    text = input("data", 1, 3, 20, 30) + shared("conv1", "data") + pool("pool1", "conv1")
    assert both(text + input("other", 1, 3, 30, 20) + shared("conv2", "other"))


def test_debug_info_logs_the_means_of_whole_maps(monkeypatch):
    lines = []
    monkeypatch.setattr(log.logger, "handle", lambda record: lines.append(record.getMessage()))

    def debug(net):
        net.set_debug_info(True)
        lines.clear()
        net.forward()

    build_and_debug = build(vgg())
    debug(build_and_debug)
    planned = [line for line in lines if "[Forward]" in line]
    with plainly():
        debug(build(vgg()))
    plain = [line for line in lines if "[Forward]" in line]
    assert len(planned) == len(plain) > 20
    for one, other in zip(planned, plain, strict=True):
        assert one.rpartition(":")[0] == other.rpartition(":")[0]
        assert float(one.rpartition(":")[2]) == pytest.approx(float(other.rpartition(":")[2]), rel=1e-4)


def test_precision_may_change_between_passes():
    net = build(vgg())
    net.forward()
    expected = net.forward()["score"].copy()
    caffe.set_precision("bf16")
    rough = net.forward()["score"].copy()
    net.forward(end="conv2")
    caffe.set_precision("fp32")
    net.forward(start="relu_conv2")
    np.testing.assert_allclose(rough, expected, atol=0.05 * np.abs(expected).max())
    np.testing.assert_allclose(net.blobs["score"].data, expected, atol=0.05 * np.abs(expected).max())
    net.forward()
    np.testing.assert_array_equal(net.forward()["score"], expected)


def test_maps_that_several_layers_use():
    """The skips of an FCN: pool1 is scored, upsampled, cropped and added."""
    text = [
        vgg(60),
        conv("side", "pool1", 2, 1),
        layer("up", "Deconvolution", ["score"], ["up"], "convolution_param { num_output: 2 kernel_size: 8 stride: 4 }"),
        layer("cut", "Crop", ["side", "up"], ["cut"], "crop_param { axis: 2 offset: 3 }"),
        layer("sum", "Eltwise", ["cut", "up"], ["sum"]),
    ]
    assert both("\n".join(text)) == ["conv1", "conv1b"]
