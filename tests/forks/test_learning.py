"""Nets like those of the forks learn on the demo's painted images, fed by the forks' own data layers."""

import numpy as np
import pytest

import caffe
from fcn_caffe.demo.data import write_segmentation

pytestmark = pytest.mark.slow(reason="trains two nets for some 20 seconds each")
CLASSES, CROP, MEAN = 6, 96, "mean_value: [110, 110, 110]"


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """The folder with 48 images to train on and 12 to validate; lists of pairs."""
    folder = tmp_path_factory.mktemp("painted")
    write_segmentation(folder, 1, {"train": 48, "val": 12})
    for split in ("train", "val"):
        names = (folder / f"ImageSets/Segmentation/{split}.txt").read_text().split()
        pairs = [f"/JPEGImages/{name}.jpg /SegmentationClass/{name}.png\n" for name in names]
        (folder / f"{split}.txt").write_text("".join(pairs))
    return folder


def layer(name, type_, bottoms, tops, body=""):
    ends = "".join(f' bottom: "{each}"' for each in bottoms) + "".join(f' top: "{each}"' for each in tops)
    return f'layer {{ name: "{name}" type: "{type_}"{ends} {body} }}\n'


def convolution(name, bottom, outputs, body="", param=""):
    settings = f"num_output: {outputs} weight_filler {{ type: 'msra' }} {body or 'kernel_size: 3 pad: 1'}"
    return layer(name, "Convolution", [bottom], [name], f"convolution_param {{ {settings} }} {param}")


def segnet(folder):
    """SegNet: pools that say where their maxima were, and unpooling by that; BN by the batch; weighted classes."""
    text = "".join(
        layer(
            "data", "DenseImageData", [], ["data", "label"],
            f"dense_image_data_param {{ source: '{folder}/{split}.txt' root_folder: '{folder}' batch_size: {batch} "
            f"{extra} crop_height: {CROP} crop_width: {CROP} }} include {{ phase: {phase} }}",
        )
        for split, phase, batch, extra in (("train", "TRAIN", 4, "shuffle: true mirror: true"), ("val", "TEST", 12, ""))
    )  # fmt: skip
    text += layer("less", "Power", ["data"], ["less"], "power_param { scale: 0.02 shift: -2.2 }")
    bottom = "less"
    for stage, outputs in enumerate((16, 24, 32), 1):
        text += convolution(f"conv{stage}", bottom, outputs)
        text += layer(f"bn{stage}", "BN", [f"conv{stage}"], [f"conv{stage}"], "bn_param { scale_filler { value: 1 } }")
        text += layer(f"relu{stage}", "ReLU", [f"conv{stage}"], [f"conv{stage}"])
        text += layer(f"pool{stage}", "Pooling", [f"conv{stage}"], [f"pool{stage}", f"mask{stage}"],
                      "pooling_param { kernel_size: 2 stride: 2 }")  # fmt: skip
        bottom = f"pool{stage}"
    for stage, outputs in ((3, 24), (2, 16), (1, 16)):
        text += layer(f"up{stage}", "Upsample", [bottom, f"mask{stage}"], [f"up{stage}"], "upsample_param { scale: 2 }")
        bottom = f"decode{stage}"
        text += convolution(bottom, f"up{stage}", outputs)
        text += layer(f"bnd{stage}", "BN", [bottom], [bottom], "bn_param { scale_filler { value: 1 } }")
        text += layer(f"relud{stage}", "ReLU", [bottom], [bottom])
    text += convolution("score", bottom, CLASSES, "kernel_size: 1")
    weights = " ".join(f"class_weighting: {each}" for each in (0.5, 2, 2, 2, 2, 2))
    loss = f"loss_param {{ ignore_label: 255 weight_by_label_freqs: true {weights} }}"
    return text + layer("loss", "SoftmaxWithLoss", ["score", "label"], ["loss"], loss)


def deeplab(folder):
    """DeepLab: holes in place of strides, two scales by Interp on one set of weights, the higher score of both."""
    text = "".join(
        layer(
            "data", "ImageSegData", [], ["data", "label", "dims"],
            f"image_data_param {{ source: '{folder}/{split}.txt' root_folder: '{folder}' batch_size: {batch} "
            f"label_type: PIXEL shuffle: {shuffle} }} include {{ phase: {phase} }} "
            f"transform_param {{ {MEAN} scale: 0.02 crop_size: {CROP + 1} {extra} }}",
        )
        for split, phase, batch, shuffle, extra in (
            ("train", "TRAIN", 3, "true", "mirror: true scale_factors: [0.75, 1, 1.25]"),
            ("val", "TEST", 12, "false", ""),
        )
    )  # fmt: skip
    half = CROP // 2 + 1
    text += layer("silence", "Silence", ["dims"], [])
    text += layer("half", "Interp", ["data"], ["half"], f"interp_param {{ height: {half} width: {half} }}")
    for scale, bottom in (("", "data"), ("_half", "half")):
        for stage, (outputs, body) in enumerate(
            ((16, "kernel_size: 3 pad: 1 stride: 2"), (24, "kernel_size: 3 pad: 1 stride: 2"),
             (32, "kernel_size: 3 pad: 2 hole: 2"), (32, "kernel_size: 3 pad: 4 hole: 4")), 1,
        ):  # fmt: skip
            name = f"conv{stage}{scale}"
            shared = f"param {{ name: 'w{stage}' }} param {{ name: 'b{stage}' }}"
            text += convolution(name, bottom, outputs, body, shared)
            text += layer(f"relu{stage}{scale}", "ReLU", [name], [name])
            bottom = name
        text += convolution(f"fc{scale}", bottom, CLASSES, "kernel_size: 1", "param { name: 'w' } param { name: 'b' }")
    text += layer("larger", "Interp", ["fc_half", "fc"], ["larger"])
    text += layer("higher", "Eltwise", ["fc", "larger"], ["higher"], "eltwise_param { operation: MAX }")
    text += layer("score", "Interp", ["higher"], ["score"], "interp_param { zoom_factor: 4 }")
    return text + layer("loss", "SoftmaxWithLoss", ["score", "label"], ["loss"], "loss_param { ignore_label: 255 }")


def accuracies(net):
    """Pixel accuracy, mean accuracy and mean IU of the net's only validation batch, as SegAccuracy counts them."""
    net.forward()
    return net.blobs["accuracy"].data.ravel().copy()


@pytest.mark.parametrize(
    ("make", "iterations", "rate", "wanted"), [(segnet, 200, 0.05, 0.22), (deeplab, 300, 0.05, 0.3)]
)
def test_a_net_of_a_fork_learns_to_segment(make, iterations, rate, wanted, painted, tmp_path):
    text = make(painted) + layer("accuracy", "SegAccuracy", ["score", "label"], ["accuracy"],
                                 "seg_accuracy_param { ignore_label: 255 } include { phase: TEST }")  # fmt: skip
    (tmp_path / "net.prototxt").write_text(text, encoding="utf-8")
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: {rate} momentum: 0.9 lr_policy: 'poly' power: 0.9 "
        f"max_iter: {iterations} test_iter: 1 test_interval: 10000 test_initialization: false weight_decay: 0.0005 "
        "random_seed: 1",
        encoding="utf-8",
    )
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    test = solver.test_nets[0]
    test.share_with(solver.net)
    before = accuracies(test)
    solver.step(iterations)
    after = accuracies(test)
    background = 1 / CLASSES * float(np.mean(test.blobs["label"].data == 0))
    assert before[2] < 0.2, before
    assert after[2] > max(wanted, 2 * background), (before, after)
