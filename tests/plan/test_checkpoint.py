"""Training whose first, largest maps are computed again in bands: the same loss and gradients, and what is refused."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

import caffe
from caffe.errors import CaffeError, UsageError
from caffe.formats import prototxt
from caffe.formats.prototxt import parse
from caffe.layer_types.vision.crop import Crop
from caffe.plan.streaming import chain, segment
from caffe.proto import caffe_pb2
from tests.cases.case import input_layer, layer
from tests.plan.nets import assert_alike, build, conv, fill, pool, relu
from tests.plan.test_elision import SIZES, resize, vgg
from tests.plan.test_keep_diffs import LOSS, gradients, skip

TOLERANCE = 2e-5
LARGE = chain.LARGE
NETS_FOLDER = Path(__file__).resolve().parents[2] / "nets"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Few rows a band, and chains that end early."""
    in_bands_of(monkeypatch, 5)
    monkeypatch.setattr(chain, "LARGE", 1 / 3)


def in_bands_of(patch: pytest.MonkeyPatch, rows: int) -> None:
    """Segments compute so many rows of their last map at once."""

    def bands(_, links):
        height = links[-1].top[2]
        return [(first, min(first + rows, height)) for first in range(0, height, rows)]

    patch.setattr(segment.Segment, "_bands", bands)


def pair(text: str, *, keep_diffs: bool = False) -> tuple[caffe.Net, caffe.Net]:
    """A net that computes maps again, and the same net as Caffe has it."""
    spare, whole = build(text, caffe.TRAIN), build(text, caffe.TRAIN)
    spare.keep_diffs = keep_diffs
    spare.checkpoint = True
    return spare, whole


def assert_same_gradients(spare: caffe.Net, whole: caffe.Net) -> None:
    found, expected = gradients(spare), gradients(whole)
    assert any(values.any() for values in expected.values())
    assert_alike(found, expected, TOLERANCE)
    for name in whole.outputs:
        assert_alike({name: spare.blobs[name].data}, {name: whole.blobs[name].data}, TOLERANCE)


def image(height: int, width: int, channels: int = 3) -> str:
    return input_layer("data", (1, channels, height, width))


ALEX = (
    image(67, 43)
    + conv("conv1", "data", 6, 5, pad=9, stride=3)
    + relu("conv1")
    + layer("norm1", "LRN", ["conv1"], ["norm1"], "lrn_param { local_size: 3 alpha: 0.5 }")
    + pool("pool1", "norm1", size=3, stride=2)
    + conv("conv2", "pool1", 8, 3, pad=2, dilation=2)
    + relu("conv2")
    + conv("score", "conv2", 3, 1)
    + LOSS
)
BRANCHED = (
    image(29, 38)
    + conv("first", "data", 4, 3, pad=1)
    + layer("bn", "BatchNorm", ["first"], ["bn"], "batch_norm_param { use_global_stats: true }")
    + layer("scale", "Scale", ["bn"], ["bn"], "scale_param { bias_term: true }")
    + layer("prelu", "PReLU", ["bn"], ["act"])
    + pool("pool1", "act", method="AVE")
    + conv("left", "pool1", 4, 3, pad=1)
    + conv("right", "pool1", 4, 1)
    + layer("sum", "Eltwise", ["left", "right"], ["sum"])
    + conv("score", "sum", 3, 1)
    + LOSS
)
WIDE_PAD = (
    image(9, 12)
    + conv("conv1", "data", 4, 3, pad=100)
    + relu("conv1")
    + pool("pool1", "conv1")
    + conv("conv2", "pool1", 4, 3, pad=6)
    + relu("conv2")
    + pool("pool2", "conv2")
    + conv("score", "pool2", 3, 3)
    + LOSS
)
NETS = {"alex": ALEX, "branched": BRANCHED, "pad of 100": WIDE_PAD}


@pytest.mark.parametrize(("keep_diffs", "rows"), [(True, 4), (False, 1), (False, 1000)])
@pytest.mark.parametrize("text", NETS.values(), ids=NETS)
def test_gradients_of_unlike_nets(text, keep_diffs, rows, monkeypatch):
    in_bands_of(monkeypatch, rows)
    assert_same_gradients(*pair(text, keep_diffs=keep_diffs))


@pytest.mark.parametrize("change", [lambda text: text, skip], ids=["chain", "skip"])
@pytest.mark.parametrize("size", SIZES[1:6:2])
@pytest.mark.parametrize("pad", [20, 61])
def test_gradients_on_short_maps(pad, size, change):
    assert_same_gradients(*pair(change(vgg(pad, size=size) + LOSS)))


def test_sizes_that_change():
    spare, whole = pair(vgg() + LOSS)
    for size in SIZES[:3]:
        for net in (spare, whole):
            resize(net, *size)
        assert_same_gradients(spare, whole)


def test_several_images_and_gradients_that_add_up():
    spare, whole = pair(ALEX)
    for net in (spare, whole):
        net.blobs["data"].reshape(3, 3, 40, 31)
        fill(net, 2)
        net.clear_param_diffs()
        for seed in (3, 4):
            fill(net, seed)
            net.forward()
            net.backward()
    for name, blobs in whole.params.items():
        for found, expected in zip(spare.params[name], blobs, strict=True):
            assert_alike({name: found.diff}, {name: expected.diff}, TOLERANCE)


def test_the_gradient_of_the_image():
    spare, whole = pair("force_backward: true " + BRANCHED, keep_diffs=True)
    assert_same_gradients(spare, whole)
    assert_alike({"data": spare.blobs["data"].diff}, {"data": whole.blobs["data"].diff}, TOLERANCE)


@pytest.mark.parametrize("fixed", [1, 2])
def test_first_layers_that_do_not_learn(fixed):
    text = vgg(30) + LOSS
    for name in ("conv1", "conv2")[:fixed]:
        begin = text.index("layer", text.index(f'"{name}"') - 20)
        end = text.index("convolution_param", begin)
        text = text[:end] + "param { lr_mult: 0 } param { lr_mult: 0 } " + text[end:]
    spare, whole = pair(text)
    assert not whole.layer_dict["conv1"].param_propagate_down[0]
    assert_same_gradients(spare, whole)


class Drawn:
    """A chain drawn at random, and a loss."""

    def __init__(self, seed: int):
        draw = random.Random(seed)
        self.text = image(draw.randint(25, 50), draw.randint(20, 40))
        name = "data"
        for index in range(draw.randint(3, 6)):
            kind = draw.choice(["conv", "conv", "pool", "row"])
            bottom, name = name, f"{kind}{index}"
            if kind == "conv":
                kernel, more = draw.randint(1, 4), {"dilation": draw.randint(1, 2), "stride": draw.randint(1, 2)}
                self.text += conv(name, bottom, draw.randint(2, 5), kernel, draw.choice([0, 1, 2, 15]), **more)
                self.text += relu(name) if draw.random() < 0.6 else ""
            elif kind == "pool":
                self.text += pool(name, bottom, draw.randint(2, 3), 2, draw.choice(["MAX", "AVE"]))
            else:
                type = draw.choice(["Power", "Sigmoid", "TanH", "ELU"])
                self.text += layer(name, type, [bottom], [name])
        self.text += conv("score", name, 3, 1) + LOSS


def drawn_pair(seed: int) -> "tuple[caffe.Net, caffe.Net] | None":
    try:
        return pair(Drawn(seed).text)
    except CaffeError:  # a map became too small, or none is spared
        return None


@pytest.mark.parametrize("seed", range(12))
def test_chains_drawn_at_random(seed):
    if nets := drawn_pair(seed):
        assert_same_gradients(*nets)


def test_most_drawn_chains_are_computed_again():
    assert sum(drawn_pair(seed) is not None for seed in range(12)) >= 8


def test_dropout_ends_the_chain_and_draws_once():
    before = conv("conv2", "pool1", 8, 3, pad=2, dilation=2)
    drop = layer("drop", "Dropout", ["pool1"], ["pool1"])
    spare, whole = pair(ALEX.replace(before, drop + before))
    for net in (spare, whole):
        caffe.set_random_seed(3)
        net.clear_param_diffs()
        net.forward()
        net.backward()
    for name, blobs in whole.params.items():
        for found, expected in zip(spare.params[name], blobs, strict=True):
            assert_alike({name: found.diff}, {name: expected.diff}, TOLERANCE)


def test_maps_in_between_are_not_there_and_say_why():
    spare, _ = pair(ALEX, keep_diffs=True)
    gradients(spare)
    assert spare.blobs["pool1"].diff.any()
    for name in ("pool1", "conv2"):
        with pytest.raises(UsageError, match=f"blob '{name}'.*backward has used them"):
            _ = spare.blobs[name].data
    for side in ("data", "diff"):
        with pytest.raises(UsageError, match="blob 'conv1'.*because checkpoint is True.*net.checkpoint = False"):
            getattr(spare.blobs["conv1"], side)
    spare.checkpoint = False
    gradients(spare)
    assert spare.blobs["conv1"].data.any()
    assert spare.blobs["conv1"].diff.any()


def test_maps_in_between_are_not_there_however_often_the_net_has_run():
    spare, _ = pair(ALEX, keep_diffs=True)
    for _ in range(5):
        gradients(spare)
        for side in ("data", "diff"):
            with pytest.raises(UsageError, match="blob 'conv1'.*because checkpoint is True"):
                getattr(spare.blobs["conv1"], side)


def test_a_pass_over_some_of_the_layers_keeps_the_maps():
    spare, whole = pair(ALEX)
    for net in (spare, whole):
        net.clear_param_diffs()
        net.forward(end="norm1")
        assert net.blobs["conv1"].data.any()
        net.forward(start="pool1")
        net.backward()
    assert_alike({"conv1": spare.params["conv1"][0].diff}, {"conv1": whole.params["conv1"][0].diff}, TOLERANCE)


def test_backward_over_some_of_the_layers_is_refused():
    spare, whole = pair(ALEX)
    for net in (spare, whole):
        net.clear_param_diffs()
        net.forward()
        assert net.blobs["conv2"].data.any()
        net.backward(end="conv2")
    assert_alike({"conv2": spare.params["conv2"][0].diff}, {"conv2": whole.params["conv2"][0].diff}, TOLERANCE)
    with pytest.raises(UsageError, match="from layer 'conv1'.* to layer 'pool1'.*run together"):
        spare.backward(start="pool1", end="norm1")
    for net in (spare, whole):
        net.backward(start="pool1")
    assert_alike({"conv1": spare.params["conv1"][0].diff}, {"conv1": whole.params["conv1"][0].diff}, TOLERANCE)


@pytest.mark.parametrize(
    ("text", "phase", "words"),
    [
        (ALEX, caffe.TEST, "checkpoint = True in phase TEST, expected TRAIN"),
        (image(8, 8) + conv("score", "data", 3, 3) + LOSS, caffe.TRAIN, r"in bands: layer 'loss' .* that is no map"),
        (
            image(8, 8) + layer("mvn", "MVN", ["data"], ["score"]) + LOSS,
            caffe.TRAIN,
            r"layer 'mvn' \(MVN\) needs more than a window of rows",
        ),
        (
            image(8, 8) + layer("drop", "Dropout", ["data"], ["score"]) + LOSS,
            caffe.TRAIN,
            r"layer 'drop' \(Dropout\) draws other numbers each time",
        ),
    ],
)
def test_nets_that_cannot_are_refused(text, phase, words):
    net = build(text, phase)
    with pytest.raises(UsageError, match=words):
        net.checkpoint = True
    assert not net.checkpoint


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (layer("drop", "Dropout", ["a"], ["a"]), r"layer 'drop' \(Dropout\) draws other numbers each time"),
        (layer("bn", "BatchNorm", ["a"], ["a"]), r"layer 'bn' \(BatchNorm\) needs more than a window of rows"),
        (
            layer("ip", "InnerProduct", ["a"], ["ip"], "inner_product_param { num_output: 2 }"),
            r"layer 'ip' \(InnerProduct\) has a bottom or top that is no map",
        ),
    ],
    ids=["in-place dropout", "in-place statistics", "a product of the whole map"],
)
def test_the_layer_that_ends_the_only_chain_is_named(ending, words):
    net = build(image(8, 8) + conv("a", "data", 3, 3) + relu("a") + ending, caffe.TRAIN)
    with pytest.raises(UsageError, match=words):
        net.checkpoint = True


def test_of_vgg_the_first_three_stages_are_computed_again(monkeypatch):
    monkeypatch.setattr(chain, "LARGE", LARGE)
    message = prototxt.read_net(str(NETS_FOLDER / "voc-fcn8s/train.prototxt"))
    message.layer[0].CopyFrom(parse(image(100, 120), caffe_pb2.NetParameter()).layer[0])
    del message.layer[-1]
    for each in message.layer:
        if each.type in ("Convolution", "Deconvolution"):
            each.convolution_param.num_output = max(1, each.convolution_param.num_output // 32)
    net = build(str(message), caffe.TRAIN)
    names = [net._layer_names[index] for index in chain.longest(net.nodes).indices]
    assert (names[0], names[-1]) == ("conv1_1", "pool3")


def test_the_log_of_values_has_the_maps():
    spare, _ = pair(ALEX)
    spare.set_debug_info(True)
    gradients(spare)
    assert np.isfinite(spare.blobs["conv1"].data).all()


UPSAMPLED = (
    image(30, 26)
    + conv("conv1", "data", 6, 3, pad=1)
    + relu("conv1")
    + pool("pool1", "conv1")
    + conv("conv2", "pool1", 3, 3, pad=1)
    + layer("up", "Deconvolution", ["conv2"], ["up"], "convolution_param { num_output: 3 kernel_size: 4 stride: 2 }")
    + layer("score", "Crop", ["up", "data"], ["score"], "crop_param { axis: 2 offset: 1 }")
    + LOSS
)


def test_maps_of_which_backward_needs_only_the_shape_are_not_kept(monkeypatch):
    spare, whole = pair(UPSAMPLED)
    seen = []
    crop = Crop.compute

    def cropped(self: Crop, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        seen.append(StorageWeakRef(x.untyped_storage()))
        return crop(self, x, like)

    for net, kept in ((spare, False), (whole, True)):
        with monkeypatch.context() as patch:
            patch.setattr(Crop, "compute", cropped)
            net.forward()
        assert seen.pop().expired() != kept
    with pytest.raises(UsageError, match="blob 'up': its values were not kept.*backward needs only its shape"):
        _ = spare.blobs["up"].data
    assert_same_gradients(spare, whole)


def test_maps_that_are_named_are_kept():
    spare, whole = pair(UPSAMPLED)
    for net in (spare, whole):
        net.forward(blobs=["up"])
    assert_alike({"up": spare.blobs["up"].data}, {"up": whole.blobs["up"].data}, TOLERANCE)
    spare.checkpoint = False
    assert_same_gradients(spare, whole)
