"""The published nets and solvers, as far as facts about them can be told without them.

A digest is of a net as a message, in a form that leaves out what does not change its meaning; it was taken from the
prototxts of https://github.com/shelhamer/fcn.berkeleyvision.org and, for the classification nets, of BVLC Caffe's model
zoo and of SqueezeNet's authors.
"""

import ast
import hashlib

import pytest

from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.geometry import parameters, receptive_field, shapes

DEFAULTS = {"group": 1, "stride": 1, "pad": 0}

DIGESTS = {
    "nyud-fcn32s-color-d/test": "66102eb2e4e63b62",
    "nyud-fcn32s-color-d/trainval": "bb5259abafa31223",
    "nyud-fcn32s-color-hha/test": "28b9ee8f38fa912c",
    "nyud-fcn32s-color-hha/trainval": "4ae1d19e5d0e8edb",
    "nyud-fcn32s-color/test": "97124ad5e3e1d8a8",
    "nyud-fcn32s-color/trainval": "3a23311682892833",
    "nyud-fcn32s-hha/test": "78c8ab15a9dbadde",
    "nyud-fcn32s-hha/trainval": "2ff22a5fb0adeaaa",
    "pascalcontext-fcn16s/train": "c715c778f1fc70e8",
    "pascalcontext-fcn16s/val": "85db8bdc6f206d92",
    "pascalcontext-fcn32s/train": "978d0c859c4ef245",
    "pascalcontext-fcn32s/val": "146550511d354cb7",
    "pascalcontext-fcn8s/train": "b4769fa9d88d7b46",
    "pascalcontext-fcn8s/val": "26cb8181ef7fda0f",
    "siftflow-fcn16s/test": "3fed0cc32861a77c",
    "siftflow-fcn16s/trainval": "6978c038dc1ab19e",
    "siftflow-fcn32s/test": "17e62028c8abc027",
    "siftflow-fcn32s/trainval": "549541746b21726a",
    "siftflow-fcn8s/test": "0588b2a392e43ca3",
    "siftflow-fcn8s/trainval": "e36ec34f7dffdc5f",
    "voc-fcn-alexnet/train": "7be573079cc99641",
    "voc-fcn-alexnet/val": "56dbbb1f0446f027",
    "voc-fcn16s/train": "b2cacafbfc426757",
    "voc-fcn16s/val": "8163ab0bfcba9abc",
    "voc-fcn32s/train": "d17ced1a56df0095",
    "voc-fcn32s/val": "248956eb69d2c719",
    "voc-fcn8s-atonce/train": "1d54ba632d37a958",
    "voc-fcn8s-atonce/val": "0ca0fa8718f5ee48",
    "voc-fcn8s/deploy": "a708597bbb1465db",
    "voc-fcn8s/train": "a72dc20636143101",
    "voc-fcn8s/val": "4857f12e5ea876a2",
    "ilsvrc/alexnet/deploy": "f8778757643322d6",
    "ilsvrc/caffenet/deploy": "08b75ffa7f663653",
    "ilsvrc/googlenet/deploy": "6b8693e70c17034a",
    "ilsvrc/squeezenet_v1.1/deploy": "03fc95e7c54afd95",
}


def digest(net):
    """Of a net without its name, fillers, settings that are defaults, the order of layers and the place of the data."""
    layers = []
    for layer in net.layer:
        copy = type(layer)()
        copy.CopyFrom(layer)
        for settings in (copy.convolution_param, copy.inner_product_param):
            settings.ClearField("weight_filler")
            settings.ClearField("bias_filler")
        for settings in (copy.convolution_param, copy.pooling_param):
            for name, default in DEFAULTS.items():
                if settings.DESCRIPTOR.fields_by_name.get(name) and getattr(settings, name) in (default, [default]):
                    settings.ClearField(name)
        if copy.python_param.param_str:
            params = ast.literal_eval(copy.python_param.param_str)
            plain = {
                key: value.replace("../", "") if isinstance(value, str) else value for key, value in params.items()
            }
            copy.python_param.param_str = repr(sorted(plain.items()))
        layers.append(copy.SerializeToString(deterministic=True))
    return hashlib.sha256(b"".join(sorted(layers))).hexdigest()[:16]


@pytest.mark.parametrize("file", DIGESTS)
def test_the_net_means_what_the_published_one_means(file):
    row, _, phase = file.rpartition("/")
    assert digest(ROWS[row].net(phase)) == DIGESTS[file]


OFFSETS = {
    "voc-fcn32s": {"score": 19},
    "voc-fcn16s": {"score_pool4c": 5, "score": 27},
    "voc-fcn8s": {"score_pool4c": 5, "score_pool3c": 9, "score": 31},
    "voc-fcn8s-atonce": {"score_pool4c": 5, "score_pool3c": 9, "score": 31},
    "voc-fcn-alexnet": {"score": 18},
}


@pytest.mark.parametrize("name", OFFSETS)
def test_offsets_of_the_crops(name):
    layers = ROWS[name].net("train").layer
    assert {layer.name: layer.crop_param.offset[0] for layer in layers if layer.type == "Crop"} == OFFSETS[name]


def test_sizes_along_the_way_for_an_image_of_500():
    known = shapes(ROWS["voc-fcn8s"].net("deploy"))
    assert [known[f"pool{number}"][2] for number in range(1, 6)] == [349, 175, 88, 44, 22]
    assert (known["fc7"][2], known["upscore8"][2], known["score"]) == (16, 568, (1, 21, 500, 500))
    assert shapes(ROWS["voc-fcn32s"].net("deploy"))["upscore"][2] == 544


# Convolutions alone: the paper's 134M, 57M and 6M (CVPR 2015, table 1).
PARAMETERS = {"voc-fcn32s": 134_346_581, "voc-fcn-alexnet": 56_954_261, "voc-fcn-googlenet": 5_995_077}


@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_parameters_without_the_upsampling(name):
    counts = parameters(ROWS[name].net("deploy"))
    assert sum(count for layer, count in counts.items() if "upscore" not in layer) == PARAMETERS[name]


# Of whole files of weights: of the released FCNs, and of the classification nets they start from.
ALL_PARAMETERS = {
    "voc-fcn32s": 136_152_917,
    "voc-fcn8s": 134_489_759,
    "ilsvrc/vgg16": 138_357_544,
    "ilsvrc/caffenet": 60_965_224,
    "ilsvrc/alexnet": 60_965_224,
    "ilsvrc/alexnet_owt": 61_100_840,
    "ilsvrc/googlenet": 6_998_552,
    "ilsvrc/squeezenet_v1.1": 1_235_496,
}


@pytest.mark.parametrize("name", ALL_PARAMETERS)
def test_number_of_all_parameters(name):
    assert sum(parameters(ROWS[name].net("deploy")).values()) == ALL_PARAMETERS[name]


# Receptive field and stride (CVPR 2015, table 1). GoogLeNet's counts the pooling that its FCN does without.
FIELDS = {
    ("ilsvrc/vgg16", "fc6"): (404, 32),
    ("ilsvrc/caffenet", "fc6"): (355, 32),
    ("ilsvrc/googlenet", "pool5/7x7_s1"): (907, 32),
    ("ilsvrc/googlenet", "inception_5b/output"): (715, 32),
}


@pytest.mark.parametrize(("name", "blob"), FIELDS)
def test_receptive_fields(name, blob):
    assert receptive_field(ROWS[name].net("conv"), blob) == FIELDS[name, blob]


def test_a_pixel_of_the_segmentation_net_sees_what_one_of_the_classifier_does():
    assert receptive_field(ROWS["voc-fcn32s"].net("deploy"), "score_fr") == (404, 32)


# base_lr, momentum, iter_size, max_iter, test_iter, snapshot.
SOLVERS = {
    "voc-fcn32s": (1e-10, 0.99, 1, 100_000, 736, 4000),
    "voc-fcn16s": (1e-12, 0.99, 1, 100_000, 736, 4000),
    "voc-fcn8s": (1e-14, 0.99, 1, 100_000, 736, 4000),
    "voc-fcn8s-atonce": (1e-10, 0.99, 1, 300_000, 736, 4000),
    "voc-fcn-alexnet": (1e-4, 0.9, 20, 100_000, 736, 4000),
    "voc-fcn-googlenet": (5e-5, 0.9, 20, 100_000, 736, 4000),
    "voc-fcn32s-cvpr": (1e-4, 0.9, 20, 20_000, 736, 4000),
    "voc-fcn16s-cvpr": (1e-6, 0.9, 20, 7_000, 736, 4000),
    "voc-fcn8s-cvpr": (1e-8, 0.9, 20, 7_000, 736, 4000),
    "nyud-fcn32s-color": (1e-10, 0.99, 1, 300_000, 654, 2000),
    "nyud-fcn32s-hha": (1e-10, 0.99, 1, 300_000, 654, 2000),
    "nyud-fcn32s-color-d": (1e-10, 0.99, 1, 300_000, 654, 2000),
    "nyud-fcn32s-color-hha": (1e-12, 0.99, 1, 300_000, 654, 2000),
    "siftflow-fcn32s": (1e-10, 0.99, 1, 300_000, 200, 4000),
    "siftflow-fcn16s": (1e-12, 0.99, 1, 300_000, 200, 4000),
    "siftflow-fcn8s": (1e-12, 0.99, 1, 300_000, 200, 4000),
    "pascalcontext-fcn32s": (1e-10, 0.99, 1, 300_000, 5105, 4000),
    "pascalcontext-fcn16s": (1e-12, 0.99, 1, 300_000, 5105, 4000),
    "pascalcontext-fcn8s": (1e-14, 0.99, 1, 300_000, 5105, 4000),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_hyper_parameters(name):
    solver = ROWS[name].solver()
    base_lr, momentum, *integers = SOLVERS[name]
    assert solver.base_lr == pytest.approx(base_lr)
    assert solver.momentum == pytest.approx(momentum)
    assert [solver.iter_size, solver.max_iter, solver.test_iter[0], solver.snapshot] == integers
    assert solver.weight_decay == pytest.approx(5e-4)
    assert (solver.lr_policy, solver.display, solver.average_loss) == ("fixed", 20, 20)
    assert (solver.test_interval, solver.test_initialization) == (999999999, False)


def test_losses():
    """An image's sum, but their mean where twenty make an update."""
    for name, normalize in (("voc-fcn32s", False), ("voc-fcn-alexnet", True), ("voc-fcn8s-cvpr", True)):
        loss = ROWS[name].net("train").layer[-1]
        assert (loss.name, loss.loss_param.normalize, loss.loss_param.ignore_label) == ("loss", normalize, 255)


def test_at_once_scales_the_skips_down():
    layers = {layer.name: layer for layer in ROWS["voc-fcn8s-atonce"].net("train").layer}
    assert layers["scale_pool4"].scale_param.filler.value == pytest.approx(0.01)
    assert layers["scale_pool3"].scale_param.filler.value == pytest.approx(0.0001)
    assert [layers[f"scale_pool{number}"].param[0].lr_mult for number in (3, 4)] == [0, 0]
