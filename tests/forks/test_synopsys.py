"""Nets of Synopsys' Caffe: what its fields make of Caffe's types, and TensorFlow's functions as layers."""

import math

import numpy as np
import pytest

import caffe
from caffe.cli import main
from caffe.errors import CaffeError
from caffe.export.model import exported
from caffe.formats import prototxt
from caffe.proto import caffe_pb2
from caffe.testing import check_layer
from tests.forks.forms import distinct, layer, loops, net_of


def at(x, n, c, h, w):
    return x[n, c, h, w] if 0 <= h < x.shape[2] and 0 <= w < x.shape[3] else None


def convolved(top, bottom, left, right, stride):
    def form(x, weights, bias):
        high, wide = weights.shape[2:]
        sizes = [(x.shape[2] + top + bottom - high) // stride + 1, (x.shape[3] + left + right - wide) // stride + 1]

        def value(n, o, h, w):
            total = bias[o]
            for c, i, j in np.ndindex(*weights.shape[1:]):
                total += weights[o, c, i, j] * (at(x, n, c, h * stride + i - top, w * stride + j - left) or 0)
            return total

        return loops((len(x), len(weights), *sizes), value)

    return form


def pooled(method, top, bottom, left, right, kernel=3, stride=2, floor=False, same=False, where=False):
    def count(size, before, after):
        if same:
            return -(-size // stride)
        number = (math.floor if floor else math.ceil)((size + before + after - kernel) / stride) + 1
        hangs = (top or bottom or left or right) and (number - 1) * stride >= size + before
        return number - 1 if hangs else number

    def form(x):
        def places(h, w):
            rows, columns = (range(p * stride - b, p * stride - b + kernel) for p, b in ((h, top), (w, left)))
            return [(r, c) for r in rows for c in columns]

        def value(n, c, h, w):
            inside = [(r, k) for r, k in places(h, w) if at(x, n, c, r, k) is not None]
            seen = [x[n, c, r, k] for r, k in inside]
            if where:
                row, column = inside[int(np.argmax(seen))]
                return row * x.shape[3] + column
            if method == "MAX":
                return max(seen)
            in_pad = [1 for r, k in places(h, w) if r < x.shape[2] + bottom and k < x.shape[3] + right]
            return sum(seen) / len(in_pad if method == "AVE" else seen)

        return loops((*x.shape[:2], count(x.shape[2], top, bottom), count(x.shape[3], left, right)), value)

    return form


SIDES = "pad_t: {} pad_b: {} pad_l: {} pad_r: {}"
WINDOW = "kernel_size: 3 stride: 2"
UNEVEN = [(0, 1, 0, 1), (1, 2, 0, 1), (2, 0, 1, 0), (1, 1, 1, 1)]
CASES = {
    **{
        f"Convolution with pads {sides}": (
            layer("Convolution", f"convolution_param {{ num_output: 2 {WINDOW} {SIDES.format(*sides)} }}"),
            [(1, 2, 5, 6)],
            {"expected": convolved(*sides, 2)},
        )
        for sides in UNEVEN
    },
    **{
        f"Pooling {method} with pads {sides}": (
            layer("Pooling", f"pooling_param {{ pool: {method} {WINDOW} {SIDES.format(*sides)} }}"),
            [(1, 2, 5, 6)],
            {"values": [distinct(1, 2, 5, 6)], "expected": pooled(method, *sides)},
        )
        for sides in UNEVEN
        for method in ("MAX", "AVE", "AVE_EXC_PAD")
    },
    "Pooling AVE_TF with a pad": (
        layer("Pooling", f"pooling_param {{ pool: AVE_TF {WINDOW} pad: 1 }}"),
        [(1, 2, 6, 5)],
        {"expected": pooled("AVE_TF", 1, 1, 1, 1)},
    ),
    "Pooling AVE_EXC_PAD, rounded down": (
        layer("Pooling", f"pooling_param {{ pool: AVE_EXC_PAD {WINDOW} ceil_mode: false pad_l: 1 }}"),
        [(1, 2, 6, 6)],
        {"expected": pooled("AVE_EXC_PAD", 0, 0, 1, 0, floor=True)},
    ),
    "Pooling AVE_EXC_PAD of the whole map": (
        layer("Pooling", "pooling_param { pool: AVE_EXC_PAD global_pooling: true }"),
        [(2, 3, 4, 5)],
        {"expected": lambda x: x.mean((2, 3), keepdims=True)},
    ),
    "Pooling as TensorFlow pads": (
        layer("Pooling", "pooling_param { kernel_size: 2 stride: 1 pad_type: 1 }"),
        [(1, 2, 4, 5)],
        {"values": [distinct(1, 2, 4, 5)], "expected": pooled("MAX", 0, 1, 0, 1, kernel=2, stride=1, same=True)},
    ),
    "Pooling that tells where, with pads of each side": (
        layer("Pooling", f"pooling_param {{ {WINDOW} {SIDES.format(0, 1, 1, 0)} }}"),
        [(1, 2, 5, 6)],
        {
            "values": [distinct(1, 2, 5, 6)],
            "tops": 2,
            "expected": lambda x: [pooled("MAX", 0, 1, 1, 0)(x), pooled("MAX", 0, 1, 1, 0, where=True)(x)],
        },
    ),
    "ReLU of at most 6": (
        layer("ReLU", "relu_param { relu6: true negative_slope: 0.5 }"),
        [(2, 3, 8)],
        {"values": [3 * distinct(2, 3, 8)], "expected": lambda x: np.minimum(np.where(x > 0, x, x / 2), 6)},
    ),
    "BatchNorm with eps after the root": (
        layer("BatchNorm", "batch_norm_param { add_eps_before_sqrt: false eps: 0.1 }"),
        [(3, 2, 4)],
        {
            "train": False,
            "params": [np.array([1.0, 2.0]), np.array([4.0, 9.0]), np.array([2.0])],
            "expected": lambda x, mean, variance, count: (
                (x - (mean / count)[:, None]) / (np.sqrt(variance / count)[:, None] + 0.1)
            ),
        },
    ),
    "BN of ICNet in Synopsys' Caffe": (
        layer("BN", "bn_param { icnet: true eps: 0.5 }"),
        [(2, 2, 3, 3)],
        {
            "train": False,
            "params": [np.array(each).reshape(1, 2, 1, 1) for each in ([2, 3], [0, 1], [0.5, 0], [1, 2])],
            "expected": lambda x, scale, shift, mean, variance: scale * (x - mean) / np.sqrt(variance + 0.5) + shift,
        },
    ),
    "Reshape that makes pixels of channels": (
        layer("Reshape", "reshape_param { pixelshuffler: 2 }"),
        [(1, 8, 2, 3)],
        {"expected": lambda x: loops((1, 2, 4, 6), lambda n, c, h, w: x[n, 4 * c + h % 2 * 2 + w % 2, h // 2, w // 2])},
    ),
    "Squeeze": (layer("Squeeze"), [(1, 3, 1, 2)], {"expected": lambda x: x.reshape(3, 2)}),
    "Squeeze of some axes": (
        layer("Squeeze", "squeeze_param { axis: 2 axis: -1 }"),
        [(1, 3, 1, 1)],
        {"expected": lambda x: x.reshape(1, 3)},
    ),
    "Mul": (layer("Mul"), [(2, 3, 4, 5), (2, 3, 1, 1)], {"expected": lambda a, b: a * b}),
    "Mul by what is stored": (
        layer("Mul", "mul_param { mul_shape: 3 mul_shape: 1 }"),
        [(2, 3, 4)],
        {"expected": lambda a, b: a * b.reshape(1, 3, 1)},
    ),
    "Add": (layer("Add"), [(3, 1), (2, 3, 4)], {"expected": lambda a, b: a[None] + b}),
    "Pad": (
        layer("Pad", "pad_param { paddings: [0, 1, 2, 0, 1, 1] constant_values: 3 }"),
        [(1, 2, 3)],
        {"expected": lambda x: np.pad(x, [(0, 1), (2, 0), (1, 1)], constant_values=3)},
    ),
    "UpsampleDarknet": (
        layer("UpsampleDarknet", "upsample_darknet_param { stride: 2 }"),
        [(1, 2, 2, 3)],
        {"expected": lambda x: x.repeat(2, 2).repeat(2, 3)},
    ),
}


def nearest(kind):
    def place(p, size, wanted):
        step = size / wanted if kind != "align_corners" or wanted == 1 else (size - 1) / (wanted - 1)
        found = {
            "": p * step,
            "align_corners": p * step + 0.5,
            "half_pixel_centers": (p + 0.5) * step,
            "half_pixel_onnx": (p + 0.5) * step - 0.5,
        }
        return min(max(math.floor(found[kind]), 0), size - 1)

    return lambda x: loops((1, 2, 5, 4), lambda n, c, h, w: x[n, c, place(h, 3, 5), place(w, 8, 4)])


def bilinear(kind, height, width):
    def parts(p, size, wanted):
        step = size / wanted if kind != "align_corners" or wanted == 1 else (size - 1) / (wanted - 1)
        place = (p + 0.5) * step - 0.5 if "half" in kind else p * step
        place = -0.5 if kind == "pytorch_half_pixel" and wanted == 1 else place
        low, high = max(math.floor(place), 0), min(math.ceil(place), size - 1)
        return (low, 1 - place + math.floor(place)), (high, place - math.floor(place))

    def form(x):
        def value(n, c, h, w):
            rows, columns = parts(h, x.shape[2], height), parts(w, x.shape[3], width)
            return sum(x[n, c, row, column] * a * b for row, a in rows for column, b in columns)

        return loops((*x.shape[:2], height, width), value)

    return form


def to_batch(x):
    """Of blocks of 2 × 3, with a row before and two columns behind, in NHWC."""
    x = np.pad(x, [(0, 0), (1, 0), (0, 2), (0, 0)])
    shape = (len(x) * 6, x.shape[1] // 2, x.shape[2] // 3, x.shape[3])
    return loops(shape, lambda n, h, w, c: x[n % 2, 2 * h + n // 2 // 3, 3 * w + n // 2 % 3, c])


def from_batch(x):
    whole = loops((2, 4, 6, 2), lambda n, h, w, c: x[(h % 2 * 3 + w % 3) * 2 + n, h // 2, w // 3, c])
    return whole[:, 1:, :-2]


CASES |= {
    **{
        f"ResizeNearestNeighbor {kind}": (
            layer(
                "ResizeNearestNeighbor",
                'resize_nearest_neighbor_param { data_format: "NCHW" output_height: 5 scale_width: 0.5 '
                f"{kind}{': true' if kind else ''} }}",
            ),
            [(1, 2, 3, 8)],
            {"expected": nearest(kind)},
        )
        for kind in ("", "align_corners", "half_pixel_centers", "half_pixel_onnx")
    },
    **{
        f"ResizeBilinear {kind} to {height} × {width}": (
            layer(
                "ResizeBilinear",
                f'resize_bilinear_param {{ data_format: "NCHW" output_height: {height} output_width: {width} '
                f"{kind}{': true' if kind else ''} }}",
            ),
            [(1, 2, 3, 6)],
            {"expected": bilinear(kind, height, width)},
        )
        for kind in ("", "align_corners", "half_pixel_centers", "pytorch_half_pixel")
        for height, width in ((5, 4), (1, 7))
    },
    "ResizeBilinear of channels that come last": (
        layer("ResizeBilinear", "resize_bilinear_param { output_height: 5 output_width: 4 }"),
        [(1, 3, 6, 2)],
        {"expected": lambda x: bilinear("", 5, 4)(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)},
    ),
    "SpaceToBatchND": (
        layer("SpaceToBatchND", "space_to_batch_nd_param { block_shape: [2, 3] paddings: [1, 0, 0, 2] }"),
        [(2, 3, 4, 2)],
        {"expected": to_batch},
    ),
    "BatchToSpaceND": (
        layer("BatchToSpaceND", "batch_to_space_nd_param { block_shape: [2, 3] crops: [1, 0, 0, 2] }"),
        [(12, 2, 2, 2)],
        {"expected": from_batch},
    ),
    "DepthToSpace of channels that come last": (
        layer("DepthToSpace", "depth_to_space_param { block_size: 2 }"),
        [(1, 2, 3, 8)],
        {
            "expected": lambda x: loops(
                (1, 4, 6, 2), lambda n, h, w, c: x[n, h // 2, w // 2, (h % 2 * 2 + w % 2) * 2 + c]
            )
        },
    ),
    "DepthToSpace of channels that come second": (
        layer("DepthToSpace", 'depth_to_space_param { block_size: 2 data_format: "NCHW" }'),
        [(1, 8, 2, 3)],
        {
            "expected": lambda x: loops(
                (1, 2, 4, 6), lambda n, c, h, w: x[n, (h % 2 * 2 + w % 2) * 2 + c, h // 2, w // 2]
            )
        },
    ),
    "DepthToSpace in ONNX's other order": (
        layer("DepthToSpace", 'depth_to_space_param { block_size: 2 data_format: "CRD" }'),
        [(1, 8, 2, 3)],
        {"expected": lambda x: loops((1, 2, 4, 6), lambda n, c, h, w: x[n, 4 * c + h % 2 * 2 + w % 2, h // 2, w // 2])},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_field_of_synopsys_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("Convolution", "convolution_param { num_output: 1 kernel_size: 3 pad: 1 pad_l: 1 }"), [(1, 1, 4, 4)],
         "not both"),
        (layer("Convolution", "convolution_param { num_output: 1 kernel_size: 3 pad_l: -1 }"), [(1, 1, 4, 4)],
         "expected 0 or more each"),
        (layer("Convolution", "convolution_param { num_output: 1 kernel_size: 3 pad_l: 1 }"), [(1, 1, 4)],
         "only be used for 2D"),
        (layer("Convolution", "convolution_param { num_output: 1 kernel_size: 9 pad_l: 1 }"), [(1, 1, 4, 4)],
         "too small|larger bottom"),
        (layer("Pooling", "pooling_param { kernel_size: 2 pad_type: 1 pad: 1 }"), [(1, 1, 4, 4)], "not both"),
        (layer("Pooling", "pooling_param { kernel_size: 2 pool: STOCHASTIC pad_l: 1 }"), [(1, 1, 4, 4)],
         "only for average and max"),
        (layer("Pooling", "pooling_param { kernel_size: 0 pad_l: 1 }"), [(1, 1, 4, 4)], "expected at least 1"),
        (layer("Pooling", "pooling_param { kernel_size: 2 stride: 0 pad_l: 1 }"), [(1, 1, 4, 4)], "at least 1"),
        (layer("Reshape", "reshape_param { pixelshuffler: 2 }"), [(1, 6, 2, 2)], "multiple of 4 channels"),
        (layer("Reshape", "reshape_param { pixelshuffler: 0 }"), [(1, 4, 2, 2)], "expected 1 or more"),
        (layer("Squeeze", "squeeze_param { axis: 1 }"), [(1, 2)], "not shape 1"),
        (layer("Squeeze", "squeeze_param { axis: 5 }"), [(1, 2)], "not shape 1"),
        (layer("Mul"), [(2, 3), (2, 4)], "must be equal or 1"),
        (layer("Add"), [(2, 3), (4,)], "must be equal or 1"),
        (layer("Pad", "pad_param { paddings: 1 }"), [(1, 2)], "2 times of bottom"),
        (layer("ResizeBilinear", 'resize_bilinear_param { data_format: "NCHWD" }'), [(1, 1, 2, 2)], "data_format"),
        (layer("ResizeBilinear", "resize_bilinear_param { output_scale: 2 }"), [(1, 1, 2, 2)], "not implemented"),
        (layer("ResizeBilinear", "resize_bilinear_param { output_height: -1 }"), [(1, 1, 2, 2)], "a pixel at least"),
        (layer("ResizeNearestNeighbor", "resize_nearest_neighbor_param { align_corners: true half_pixel_onnx: true }"),
         [(1, 1, 2, 2)], "at most one of"),
        (layer("SpaceToBatchND", "space_to_batch_nd_param { block_shape: 2 paddings: [0, 0] }"), [(1, 3, 2)], "divide"),
        (layer("SpaceToBatchND"), [(1, 3, 2)], "two of paddings for each"),
        (layer("BatchToSpaceND", "batch_to_space_nd_param { block_shape: 2 crops: [4, 4] }"), [(2, 3, 2)], "divide"),
        (layer("DepthToSpace"), [(1, 4, 2, 2)], "block_size is 0"),
        (layer("DepthToSpace", "depth_to_space_param { block_size: 2 }"), [(1, 2, 2, 3)], "multiple of 4 channels"),
        (layer("UpsampleDarknet", "upsample_darknet_param { stride: 0 }"), [(1, 1, 2, 2)], "expected 1 or more"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        check_layer(text, shapes)
    assert "layer 'layer'" in str(error.value)


@pytest.mark.parametrize("method", ["DEF", "RCM", "LOWRES"])
def test_ways_to_pool_that_nobody_wrote_are_still_refused(method):
    with pytest.raises(CaffeError, match=f"pool is {method}"):
        net_of(layer("Pooling", f"pooling_param {{ pool: {method} kernel_size: 2 }}"), [distinct(1, 1, 4, 4)])


@pytest.mark.parametrize("body", ["pad_l: 1 pad_t: 1", "pad_l: 1"])
def test_a_deconvolution_with_a_pad_of_each_side_is_still_refused(body):
    with pytest.raises(CaffeError, match="pad_l"):
        net_of(
            layer("Deconvolution", f"convolution_param {{ num_output: 1 kernel_size: 2 {body} }}"),
            [distinct(1, 1, 4, 4)],
        )


def net_text(convolution, pooling=""):
    return f"""
        layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: [1, 1, 9, 9] }} }} }}
        layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {{ {convolution} }} }}
        layer {{ name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param {{ kernel_size: 3 {pooling} }} }}
        layer {{ name: "crop" type: "Crop" bottom: "x" bottom: "p" top: "crop" }}"""


def test_a_crop_by_coordinates_counts_the_pad_before_a_map():
    parsed = prototxt.parse(
        net_text("num_output: 1 kernel_size: 5 pad_t: 1 pad_l: 2", "pad_t: 1 pad_l: 0"), caffe_pb2.NetParameter()
    )
    parsed.dialect = "crop"
    parsed.state.phase = caffe.TEST
    net = caffe.Net.from_message(parsed)
    layer = next(node.layer for node in net.nodes if node.layer.name == "crop")
    assert list(layer.offsets) == [5 // 2 - 1 + 3 // 2 - 1, 5 // 2 - 2 + 3 // 2 - 0]


def test_a_picture_says_how_such_a_pooling_pools(tmp_path):
    (tmp_path / "net.prototxt").write_text(net_text("num_output: 1 kernel_size: 3 pad_l: 1", "pool: AVE_EXC_PAD"))
    for options in ([], ["--compact"]):
        main(["draw_net", str(tmp_path / "net.prototxt"), str(tmp_path / "net.dot"), *options])
        assert "AVE_EXC_PAD" in (tmp_path / "net.dot").read_text()


@pytest.mark.parametrize("pad", ["pad_l: 1", "pad_l: 1 pad_r: 1 pad_t: 1 pad_b: 1"])
def test_such_a_convolution_is_not_exported_as_another(pad):
    pytest.importorskip("onnx")
    parsed = prototxt.parse(net_text(f"num_output: 1 kernel_size: 3 {pad}"), caffe_pb2.NetParameter())
    parsed.state.phase = caffe.TEST
    with pytest.raises(CaffeError, match="layer 'c' \\(Convolution\\): nobody has written it"):
        exported(caffe.Net.from_message(parsed), outputs=["c"])


def test_nets_of_synopsys_are_found_able_to_run(tmp_path, capsys):
    text = net_text("num_output: 1 kernel_size: 3 pad_l: 1 pad_r: 0", "pool: AVE_TF")
    (tmp_path / "net.prototxt").write_text(text)
    assert main(["check", str(tmp_path / "net.prototxt")]) == 0
    assert "can run" in capsys.readouterr().out
