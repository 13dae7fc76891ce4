"""What every row promises, and what an adapted one does."""

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from fcn_caffe.net_spec import geometry
from fcn_caffe.net_spec.__main__ import everything
from fcn_caffe.net_spec.catalogue import CLASSIFIERS, ROWS, VARIANTS, adapt
from fcn_caffe.net_spec.deeplab import DeepLab
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.generate import differences
from fcn_caffe.net_spec.input_data import data_set
from fcn_caffe.net_spec.nets import TrainedClassifier, Variant
from fcn_caffe.net_spec.trunks import (
    ALEXNET_OWT,
    CAFFENET,
    GOOGLENET,
    SMALL_VGG,
    SQUEEZENET,
    SQUEEZENET_HALF,
    VGG16,
    VGG16_POOLS,
)

ROOT = Path(__file__).parents[2]
SIZE = (1, 3, 76, 100)


@cache
def net(name, phase):
    return ROWS[name].net(phase)


def counts(message):
    """Layer to number of weights, for whatever image is read."""
    blobs = ("data", "color", "hha", "label", "sem", "geo", "edges")
    return geometry.parameters(message, {**dict.fromkeys(blobs, SIZE), "depth": (1, 1, *SIZE[2:])})


def own_counts(name):
    return counts(net(name, "conv" if name in {row.name for row in CLASSIFIERS} else "deploy"))


variants = pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)


def test_the_files_are_what_the_catalogue_makes():
    assert list(differences(everything(), ROOT)) == []


def test_no_name_is_there_twice():
    assert len(ROWS) == len(CLASSIFIERS) + len(VARIANTS)


@variants
def test_its_files_share_their_weights(row):
    train, val, deploy = (counts(net(row.name, phase)) for phase in row.phases)
    assert val == deploy
    assert val.keys() - train.keys() <= own_kernels(net(row.name, "deploy"))
    assert train == {layer: count for layer, count in val.items() if layer in train}


def own_kernels(message):
    """The deconvolutions that the net itself gives their weights."""
    return {layer.name for layer in message.layer if layer.convolution_param.weight_filler.type == "bilinear"}


NEW = (
    "score",
    "upscore",
    "scale",
    "conv1_1_bgrd",
    "ms_",
    "side",
    "upside",
    "fuse",
    "deconv",
    "fc6-deconv",
    "seg-score",
)
"""What the names of layers begin with that no start has."""


@variants
def test_the_weights_it_starts_from_fit(row):
    """Every layer but the new scores and their upsampling is found in the start, and is of the same size."""
    wanted, late = own_counts(row.name), len(row.starts) > 1
    if isinstance(row, DeepLab):
        wanted = {layer: count for layer, count in wanted.items() if layer not in ("fc6", "fc7")}
    for index, start in enumerate(row.starts):
        suffix = list(row.data.inputs)[index] if late else ""
        found = {layer + suffix: count for layer, count in own_counts(start).items()}
        for layer in found.keys() & wanted.keys():
            assert found[layer] == wanted.pop(layer)
    assert [layer for layer in wanted if not layer.startswith(NEW) and "_D" not in layer] == []


@variants
def test_a_stage_takes_all_the_scores_of_the_stage_before(row):
    """All but the last upsampling, where that is for another stride: then it must have another name."""
    (start, *others) = row.starts
    if start in {row.name for row in CLASSIFIERS} or others or ROWS[start].trunk != row.trunk:
        return
    missing = own_counts(start).keys() - own_counts(row.name).keys()
    assert bool(missing) == (ROWS[start].stride != row.stride)
    assert all(layer.startswith("upscore") for layer in missing)


@variants
def test_what_it_is_used_with_has_no_labels(row):
    deploy = net(row.name, "deploy")
    assert not {layer.type for layer in deploy.layer} & {"Dropout", "SoftmaxWithLoss", "Python"}
    scores = {
        name: shape for name, shape in geometry.shapes(deploy).items() if name in ("score", "score_sem", "score_geo")
    }
    assert list(scores.values()) == [(1, head.classes, *row.data.size) for head in row.data.heads]


@variants
def test_its_data_layers_can_be_read_safely(row):
    for phase in row.phases[:2]:
        (layer,) = (layer for layer in net(row.name, phase).layer if layer.type == "Python" and not layer.bottom)
        assert ast.literal_eval(layer.python_param.param_str)["seed"] == 1337
        assert len(layer.top) == len(row.data.inputs) + len(row.data.heads)


@pytest.mark.parametrize("row", [row for row in VARIANTS if type(row) is Variant], ids=lambda row: row.name)
def test_nothing_of_an_fcn_has_a_filler_but_fixed_scales(row):
    for layer in net(row.name, "train").layer:
        for filler in (layer.convolution_param.weight_filler, layer.convolution_param.bias_filler):
            assert not filler.ByteSize()


def solved():
    return [row for row in ROWS.values() if row in VARIANTS or isinstance(row, TrainedClassifier)]


@pytest.mark.parametrize("row", solved(), ids=lambda row: row.name)
def test_its_solver_finds_its_nets_and_keeps_snapshots(row):
    solver = row.solver()
    assert (ROOT / solver.train_net).exists()
    assert (ROOT / solver.test_net[0]).exists()
    assert solver.snapshot > 0
    assert solver.snapshot_prefix == f"snapshot/{row.name}/train"


def test_no_file_has_what_caffe_1_0_does_not_know():
    for path in [*(ROOT / "nets").rglob("*.prototxt"), *(ROOT / "solvers").glob("*.prototxt")]:
        text = path.read_text()
        assert not [word for word in ("round_mode", "weights:", '"Clip"', '"Swish"') if word in text], path


TRUNKS = [
    *((VGG16, stride) for stride in (32, 16, 8)),
    *((SMALL_VGG, stride) for stride in (32, 16, 8)),
    *((CAFFENET, stride) for stride in (32, 16, 8)),
    *((ALEXNET_OWT, stride) for stride in (32, 16, 8)),
    *((GOOGLENET, stride) for stride in (32, 16, 8)),
    *((VGG16_POOLS[number], 2**number) for number in (5, 4, 3)),
    *((SQUEEZENET, stride) for stride in (16, 8, 4)),
    *((SQUEEZENET_HALF, stride) for stride in (32, 16, 8)),
]


@pytest.mark.parametrize(("trunk", "stride"), TRUNKS, ids=lambda value: getattr(value, "name", value))
def test_scores_cover_every_image_of_every_size(trunk, stride):
    """From one pixel on, over two periods of the largest stride: `shapes` refuses a crop that is out of bounds."""
    message = replace(ROWS["voc-fcn32s"], trunk=trunk, stride=stride).net("deploy")
    for side in (*range(1, 66), 375, 500):
        assert geometry.shapes(message, {"data": (1, 3, side, 66 - side % 66)})["score"][2] == side


@pytest.mark.parametrize(("trunk", "stride"), [(GOOGLENET, 32), (SQUEEZENET, 16)], ids=["googlenet", "squeezenet"])
def test_no_smaller_padding_would_do(trunk, stride):
    smaller = replace(trunk, pad=trunk.pad - 1)
    message = replace(ROWS["voc-fcn32s"], trunk=smaller, stride=stride).net("deploy")
    with pytest.raises(ValueError, match="out-of-bounds"):
        [geometry.shapes(message, {"data": (1, 3, side, side)}) for side in range(1, 66)]


def test_a_stride_that_the_trunk_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"stride 4: the strides that this trunk can be scored at are \[32, 16, 8\]"):
        replace(ROWS["voc-fcn8s"], stride=4).net("deploy")


@pytest.mark.parametrize("row", CLASSIFIERS, ids=lambda row: row.name)
def test_both_forms_of_a_classification_net_share_their_weights(row):
    deploy, conv = net(row.name, "deploy"), net(row.name, "conv")
    assert geometry.parameters(deploy) == geometry.parameters(conv)
    assert {layer.type for layer in conv.layer}.isdisjoint({"InnerProduct"})
    fillers = {layer.convolution_param.weight_filler.type for layer in conv.layer if layer.type == "Convolution"}
    assert fillers == {"msra"}


def rates(name, phase="train"):
    """Layer to the rates of its weights and biases, relative to the solver's."""
    return {layer.name: [param.lr_mult for param in layer.param] for layer in net(name, phase).layer if layer.param}


@pytest.mark.parametrize("name", ["voc-fcn16s-cvpr", "voc-fcn8s-cvpr"])
def test_intermediate_upsampling_is_learned_and_the_last_is_fixed(name):
    found = {layer: values for layer, values in rates(name).items() if "up" in layer}
    last = f"upscore{ROWS[name].stride}"
    assert found.pop(last) == [0]
    assert found
    assert set(map(tuple, found.values())) == {(1,)}


@pytest.mark.parametrize("name", ["voc-fcn32s-fixed", "voc7-fcn16s-squeezenet-fixed"])
def test_a_net_of_fixed_features_learns_its_scores_alone(name):
    found = rates(name)
    assert {layer for layer, values in found.items() if any(values)} == {"score_fr" + "_7cls" * ("7" in name)}
    assert {len(found[layer.name]) for layer in net(name, "train").layer if layer.type == "Convolution"} == {2}


def test_on_an_image_at_half_its_size_a_net_sees_twice_as_far_and_its_lower_layers_keep_their_weights():
    nets = (net(f"voc7-fcn16s-squeezenet{end}", "deploy") for end in ("-half", ""))
    half, whole = (geometry.receptive_field(each, "score_fr_7cls") for each in nets)
    assert half.stride == 2 * whole.stride
    assert half.size == 2 * (whole.size - 1) + 3
    learning = {layer for layer, values in rates("voc7-fcn16s-squeezenet-half").items() if any(values)}
    unnamed = {layer.name for layer in net("voc7-fcn16s-squeezenet-half", "train").layer if not layer.param}
    convolutions = {layer for layer in own_counts("voc7-fcn16s-squeezenet-half") if "upscore" not in layer}
    assert {layer.split("/")[0] for layer in convolutions & (learning | unnamed)} == {
        "fire6",
        "fire7",
        "fire8",
        "fire9",
        "score_fr_7cls",
        "score_fire5_7cls",
    }


def test_a_recipe_may_have_another_rule_than_sgd():
    solver = ROWS["voc7-fcn16s-squeezenet-half"].solver()
    assert (solver.type, solver.iter_size, solver.lr_policy) == ("Adam", 8, "poly")
    assert not ROWS["voc7-fcn16s-squeezenet"].solver().HasField("type")


@pytest.mark.parametrize("number", [5, 4, 3])
def test_a_single_level_sees_nothing_of_those_above_it(number):
    name = f"voc-fcn-pool{number}"
    found = own_counts(name)
    assert list(found)[-2:] == [f"score_pool{number}", "upscore"]
    assert not [layer for layer in found if layer.startswith((f"conv{number + 1}", "fc"))]
    assert geometry.receptive_field(net(name, "deploy"), "data").stride == 1
    assert geometry.receptive_field(net(name, "deploy"), f"score_pool{number}").stride == ROWS[name].stride


def test_late_fusion_averages_the_scores_of_two_trunks():
    layers = {layer.name: layer for layer in net("nyud-fcn16s-color-hha", "deploy").layer}
    for level, fused in (("fr", "score_fused"), ("pool4", "score_pool4_fused")):
        assert list(layers[fused].bottom) == [f"score_{level}color", f"score_{level}hha"]
        assert list(layers[fused].eltwise_param.coeff) == [0.5, 0.5]
    assert list(layers["score_pool4c"].bottom) == ["score_pool4_fused", "upscore2"]


CAMVID = data_set({"voc_dir": "data/camvid"}, ("train", 367), ("test", 233), Head(11))


def weighted_scores(row):
    return [name for name in counts(row.net("deploy")) if "score" in name]


def test_another_number_of_classes_renames_what_depends_on_it():
    row = adapt(ROWS["voc-fcn8s"], "camvid-8s", CAMVID, 11)
    assert weighted_scores(row) == [
        "score_fr_11cls",
        "upscore2_11cls",
        "score_pool4_11cls",
        "upscore_pool4_11cls",
        "score_pool3_11cls",
        "upscore8_11cls",
    ]
    assert geometry.shapes(row.net("deploy"))["score"][1] == 11
    assert row.solver().test_iter[0] == 233


def test_the_same_number_of_classes_keeps_the_published_names():
    row = adapt(ROWS["voc-fcn32s"], "mine", CAMVID, 21)
    assert weighted_scores(row) == ["score_fr", "upscore"]


def test_a_net_of_two_heads_is_not_adapted():
    with pytest.raises(ValueError, match="siftflow-fcn8s has 2 heads"):
        adapt(ROWS["siftflow-fcn8s"], "mine", CAMVID, 5)


def test_settings_of_a_data_set_of_ones_own():
    data = data_set({"voc_dir": "d", "mean": [1, 2, 3], "classes": [0, 8]}, ("a", 1), ("b", 2), Head(2))
    assert data.val.params == {"voc_dir": "d", "mean": [1, 2, 3], "classes": [0, 8], "split": "b", "seed": 1337}
