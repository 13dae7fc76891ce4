"""C3D's, FlowNet's and OpenPose's types, against forms in NumPy that were written from their formulas."""

import math

import numpy as np
import pytest

from caffe.errors import CaffeError
from caffe.formats import binaryproto
from caffe.testing import check_layer
from tests.forks.forms import RNG, distinct, layer, loops, net_of


def windows(size, pad, kernel, stride, *, ceil):
    room = size + 2 * pad - kernel
    return (math.ceil(room / stride) if ceil else room // stride) + 1


def convolved(stride, pad):
    """stride and pad: (time, space)."""

    def form(x, weights, bias=None):
        outputs, _, *kernel = weights.shape
        steps, pads = (stride[0], stride[1], stride[1]), (pad[0], pad[1], pad[1])
        sizes = [windows(*each, ceil=False) for each in zip(x.shape[2:], pads, kernel, steps, strict=True)]

        def value(n, o, *at):
            total = bias[0, 0, 0, 0, o] if bias is not None else 0
            for c, *k in np.ndindex(x.shape[1], *kernel):
                place = [p * s - q + i for p, s, q, i in zip(at, steps, pads, k, strict=True)]
                if all(0 <= i < size for i, size in zip(place, x.shape[2:], strict=True)):
                    total += weights[(o, c, *k)] * x[(n, c, *place)]
            return total

        return loops((x.shape[0], outputs, *sizes), value)

    return form


def pooled(method, kernel, stride, pad=(0, 0)):
    """kernel, stride and pad: (time, space)."""

    def form(x):
        kernels, steps, pads = ((each[0], each[1], each[1]) for each in (kernel, stride, pad))
        sizes = [windows(*each, ceil=True) for each in zip(x.shape[2:], pads, kernels, steps, strict=True)]

        def value(n, c, *at):
            starts = [p * s - q for p, s, q in zip(at, steps, pads, strict=True)]
            ends = [min(b + k, s + q) for b, k, s, q in zip(starts, kernels, x.shape[2:], pads, strict=True)]
            share = math.prod(end - begin for begin, end in zip(starts, ends, strict=True))
            seen = x[(n, c, *(slice(max(begin, 0), end) for begin, end in zip(starts, ends, strict=True)))]
            return seen.max() if method == "MAX" else seen.sum() / share

        return loops((*x.shape[:2], *sizes), value)

    return form


def correlated(kernel, reach, pad, stride, step, *, subtract=False):
    def form(a, b):
        a, b = (np.pad(each, ((0, 0), (0, 0), (pad, pad), (pad, pad))) for each in (a, b))
        grid, radius = reach // step, (kernel - 1) // 2
        sizes = [math.ceil((size - 2 * (reach + radius)) / stride) for size in a.shape[2:]]

        def value(n, channel, i, j):
            down, right = (channel // (2 * grid + 1) - grid) * step, (channel % (2 * grid + 1) - grid) * step
            row, column = i * stride + reach, j * stride + reach
            here = a[n, :, row : row + kernel, column : column + kernel]
            there = b[n, :, row + down : row + down + kernel, column + right : column + right + kernel]
            return (np.abs(here - there) if subtract else here * there).sum() / (kernel**2 * a.shape[1])

        return loops((len(a), (2 * grid + 1) ** 2, *sizes), value)

    return form


def warped(fill):
    def form(x, flow):
        def value(n, c, i, j):
            across, down = j + flow[n, 0, i, j], i + flow[n, 1, i, j]
            if not (0 <= across < x.shape[3] and 0 <= down < x.shape[2]):
                return fill
            left, top = int(across), int(down)
            right, bottom = min(left + 1, x.shape[3] - 1), min(top + 1, x.shape[2] - 1)
            u, v = across - left, down - top
            upper = x[n, c, top, left] * (1 - u) + x[n, c, top, right] * u
            lower = x[n, c, bottom, left] * (1 - u) + x[n, c, bottom, right] * u
            return upper * (1 - v) + lower * v

        return loops(x.shape, value)

    return form


def triangle(t):
    return max(1 - abs(t), 0)


def cubic(t):
    t = abs(t)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0


def resampled(height, width, kernel, *, antialias=True):
    def form(x, *_):
        fy, fx = x.shape[2] / height, x.shape[3] / width
        ay, ax = (1 / fy, 1 / fx) if antialias and max(fy, fx) > 1 else (1, 1)

        def value(n, c, i, j):
            across, down = j * fx + fy / 2 - 0.5, i * fy + fx / 2 - 0.5
            total = weight = 0
            for row, column in np.ndindex(*x.shape[2:]):
                w = kernel(ax * (across - column)) * kernel(ay * (down - row))
                total, weight = total + w * x[n, c, row, column], weight + w
            return total / weight if weight else 0

        return loops((*x.shape[:2], height, width), value)

    return form


def nearest(height, width):
    def form(x):
        fy, fx = x.shape[2] / height, x.shape[3] / width

        def value(n, c, i, j):
            row, column = (math.floor(at) for at in (i * fy + fx / 2, j * fx + fy / 2))
            return x[n, c, min(row, x.shape[2] - 1), min(column, x.shape[3] - 1)]

        return loops((*x.shape[:2], height, width), value)

    return form


def downsampled(height, width):
    def form(x, *_):
        sy, sx = (x.shape[2] - 1) / (height - 1), (x.shape[3] - 1) / (width - 1)

        def value(n, c, i, j):
            total = weight = lost = 0
            for row, column in np.ndindex(*x.shape[2:]):
                w = triangle((row - i * sy) / sy) * triangle((column - j * sx) / sx)
                if np.isnan(x[n, c, row, column]):
                    lost += w
                else:
                    total, weight = total + w * x[n, c, row, column], weight + w
            return np.nan if weight == 0 or lost / weight > 0.5 else total / weight

        return loops((*x.shape[:2], height, width), value)

    return form


def corner_upon_corner(x, height, width):
    def value(n, c, i, j):
        down, across = i * (x.shape[2] - 1) / (height - 1), j * (x.shape[3] - 1) / (width - 1)
        return sum(
            triangle(down - row) * triangle(across - column) * x[n, c, row, column]
            for row, column in np.ndindex(*x.shape[2:])
        )

    return loops((*x.shape[:2], height, width), value)


def joined(height, width):
    return lambda *maps: np.concatenate([corner_upon_corner(x, height, width) for x in maps], axis=1)


def polynomial(values, t):
    a, b, c, d = values
    return (
        (-0.5 * a + 1.5 * b - 1.5 * c + 0.5 * d) * t**3 + (a - 2.5 * b + 2 * c - 0.5 * d) * t**2 + (c - a) / 2 * t + b
    )


def heat(height, width, start=1.0, gap=0.1):
    def form(x):
        def of_scale(n, c, i, j):
            cut = [max(math.floor(size // 2 * (1 - start + n * gap)), 0) for size in x.shape[2:]]
            part = x[n, c, cut[0] : x.shape[2] - cut[0], cut[1] : x.shape[3] - cut[1]]
            places = [
                (at + 0.5) * size / want - 0.5
                for at, size, want in zip((i, j), part.shape, (height, width), strict=True)
            ]
            first = [max(int(place + 1e-5), 0) for place in places]
            near = [
                [min(max(f + k, 0), size - 1) for k in (-1, 0, 1, 2)] for f, size in zip(first, part.shape, strict=True)
            ]
            rows = [polynomial([part[row, column] for column in near[1]], places[1] - first[1]) for row in near[0]]
            return polynomial(rows, places[0] - first[0])

        return loops(
            (1, x.shape[1], height, width), lambda _, c, i, j: np.mean([of_scale(n, c, i, j) for n in range(len(x))])
        )

    return form


def missing(*shape):
    """Distinct numbers, every fifth of them NaN."""
    values = distinct(*shape)
    values.reshape(-1)[::5] = np.nan
    return values


def flows(*shape):
    """Between pixels, some out of the image."""
    return RNG.integers(-2, 3, size=shape) + RNG.uniform(0.2, 0.8, size=shape)


def subtracted(x):
    return 2 * (x - 0.5 * np.array([1, 2, 1, 2]).reshape(1, 4, 1, 1))


CORRELATION = "correlation_param { kernel_size: 1"
TWO = "kernel_size: 2 kernel_depth: 2 stride: 2 temporal_stride: 2"
THREE = "kernel_size: 3 kernel_depth: 2 stride: 2 temporal_stride: 1"
CASES = {
    "Convolution3D of C3D 1.1": (
        layer("Convolution3D", f"convolution3d_param {{ num_output: 2 {THREE} pad: 1 temporal_pad: 1 }}"),
        [(2, 2, 3, 4, 5)],
        {"expected": convolved((1, 2), (1, 1))},
    ),
    "Convolution3D of C3D 1.0": (
        layer("Convolution3D", f"convolution_param {{ num_output: 2 {THREE} bias_term: false }}"),
        [(1, 2, 3, 5, 4)],
        {"expected": convolved((1, 2), (0, 0))},
    ),
    **{
        f"Pooling3D {method}, {name}": (
            layer("Pooling3D", f"{message} {{ pool: {method} {TWO} {pad} }}"),
            [(1, 2, 3, 4, 4)],
            {"values": [distinct(1, 2, 3, 4, 4)], "expected": pooled(method, (2, 2), (2, 2), pads)},
        )
        for method in ("MAX", "AVE")
        for name, message, pad, pads in (
            ("C3D 1.1", "pooling3d_param", "", (0, 0)),
            ("C3D 1.0", "pooling_param", "", (0, 0)),
            ("with a pad", "pooling3d_param", "pad: 1", (0, 1)),
        )
    },
    "Correlation": (
        layer("Correlation", "correlation_param { kernel_size: 1 max_displacement: 2 pad: 2 stride_2: 2 }"),
        [(2, 3, 4, 5), (2, 3, 4, 5)],
        {"expected": correlated(1, 2, 2, 1, 2)},
    ),
    "Correlation of patches": (
        layer("Correlation", "correlation_param { kernel_size: 3 max_displacement: 1 pad: 2 stride_1: 2 }"),
        [(1, 2, 5, 6), (1, 2, 5, 6)],
        {"expected": correlated(3, 1, 2, 2, 1)},
    ),
    "Correlation by differences": (
        layer("Correlation", f"{CORRELATION} max_displacement: 1 pad: 1 correlation_type: SUBTRACT }}"),
        [(1, 2, 3, 4), (1, 2, 3, 4)],
        {
            "values": [distinct(1, 2, 3, 4), distinct(1, 2, 3, 4) + 0.03],
            "expected": correlated(1, 1, 1, 1, 1, subtract=True),
        },
    ),
    "FlowWarp": (
        layer("FlowWarp"),
        [(2, 3, 4, 5), (2, 2, 4, 5)],
        {"values": [distinct(2, 3, 4, 5), flows(2, 2, 4, 5)], "expected": warped(0)},
    ),
    "FlowWarp with NaN outside": (
        layer("FlowWarp", "flow_warp_param { fill_value: NOT_A_NUMBER }"),
        [(1, 2, 4, 5), (1, 2, 4, 5)],
        {"values": [distinct(1, 2, 4, 5), flows(1, 2, 4, 5)], "expected": warped(np.nan), "gradient": False},
    ),
    "ChannelNorm": (
        layer("ChannelNorm"),
        [(2, 3, 2, 4)],
        {"expected": lambda x: np.sqrt((x**2).sum(1, keepdims=True))},
    ),
    "NegReLU": (
        layer("NegReLU", "relu_param { negative_slope: 0.25 }"),
        [(2, 3, 4)],
        {"values": [distinct(2, 3, 4)], "expected": lambda x: np.minimum(x, 0) + 0.25 * np.maximum(x, 0)},
    ),
    "Mean of values": (
        layer("Mean", "mean_param { operation: SUBTRACT value: 1 value: 2 mean_scale: 0.5 output_scale: 2 }"),
        [(2, 4, 2, 3)],
        {"expected": subtracted},
    ),
    "Resample, smaller": (
        layer("Resample", "resample_param { height: 3 width: 2 }"),
        [(1, 2, 6, 5)],
        {"expected": resampled(3, 2, triangle)},
    ),
    "Resample, larger, by factor": (
        layer("Resample", "resample_param { factor: 2 }"),
        [(1, 2, 3, 4)],
        {"expected": resampled(6, 8, triangle)},
    ),
    "Resample, cubic": (
        layer("Resample", "resample_param { height: 5 width: 3 type: CUBIC }"),
        [(1, 2, 4, 6)],
        {"expected": resampled(5, 3, cubic)},
    ),
    "Resample, not antialiased, to another's size": (
        layer("Resample", "resample_param { antialias: false }"),
        [(1, 2, 6, 5), (1, 1, 3, 3)],
        {"expected": resampled(3, 3, triangle, antialias=False)},
    ),
    "Resample to the nearest": (
        layer("Resample", "resample_param { height: 3 width: 2 type: NEAREST }"),
        [(1, 2, 7, 5)],
        {"expected": nearest(3, 2)},
    ),
    "Downsample": (
        layer("Downsample", "downsample_param { top_height: 3 top_width: 2 }"),
        [(1, 2, 6, 5)],
        {"expected": downsampled(3, 2)},
    ),
    "Downsample with NaN, to another's size": (
        layer("Downsample"),
        [(1, 2, 6, 5), (1, 1, 3, 3)],
        {"values": [missing(1, 2, 6, 5), np.zeros((1, 1, 3, 3))], "expected": downsampled(3, 3), "gradient": False},
    ),
    "Accum": (layer("Accum"), [(2, 2, 3, 4), (2, 1, 5, 6)], {"expected": joined(5, 6)}),
    "Accum to a multiple": (
        layer("Accum", "accum_param { size_divisible_by: 4 }"),
        [(1, 2, 3, 2), (1, 1, 5, 3)],
        {"expected": joined(8, 4)},
    ),
    "Accum to a reference": (
        layer("Accum", "accum_param { have_reference: true }"),
        [(1, 2, 3, 4), (1, 1, 2, 5)],
        {"expected": lambda x, _: joined(2, 5)(x)},
    ),
    "DataAugmentation, the stored colour": (
        layer("DataAugmentation", "augmentation_param { recompute_mean: 2 mean_per_pixel: false mirror {} }"),
        [(2, 3, 4, 5)],
        {
            "params": [[[[[9]]]], RNG.normal(size=(1, 3, 4, 5)), RNG.normal(size=(1, 3, 1, 1))],
            "expected": lambda x, count, image, colour: x - colour,
            "train": False,
            "gradient": False,
        },
    ),
    "DataAugmentation, the middle, less the stored image": (
        layer("DataAugmentation", "augmentation_param { recompute_mean: 2 crop_height: 2 crop_width: 3 }"),
        [(2, 3, 4, 5)],
        {
            "params": [[[[[9]]]], RNG.normal(size=(1, 3, 2, 3)), RNG.normal(size=(1, 3, 1, 1))],
            "expected": lambda x, count, image, colour: x[:, :, 1:3, 1:4] - image,
            "train": False,
            "gradient": False,
        },
    ),
    "ImResize by factor": (
        layer("ImResize", "imresize_param { factor: 3 }"),
        [(1, 2, 3, 4)],
        {"expected": heat(9, 12)},
    ),
    "ImResize of two scales": (
        layer("ImResize", "imresize_param { target_spatial_height: 7 target_spatial_width: 5 scale_gap: 0.5 }"),
        [(2, 2, 6, 8)],
        {"expected": heat(7, 5, gap=0.5)},
    ),
    "Nms": (
        layer("Nms", "nms_param { threshold: 0.5 max_peaks: 3 num_parts: 2 }"),
        [(1, 3, 9, 10)],
        {"values": [RNG.normal(size=(1, 3, 9, 10))], "expected": lambda x: peaks(x, 0.5, 3, 2), "gradient": False},
    ),
}  # fmt: skip


def peaks(x, threshold, most, parts):
    y = np.zeros((len(x), parts, most + 1, 3))
    for n, c in np.ndindex(len(x), parts):
        found = []
        for row in range(1, x.shape[2] - 1):
            for column in range(1, x.shape[3] - 1):
                around = x[n, c, row - 1 : row + 2, column - 1 : column + 2]
                value = x[n, c, row, column]
                if value > threshold and (around < value).sum() == 8:
                    places = [
                        (i, j, x[n, c, i, j])
                        for i in range(max(row - 3, 1), min(row + 4, x.shape[2]))
                        for j in range(max(column - 3, 1), min(column + 4, x.shape[3]))
                        if x[n, c, i, j] > 0
                    ]
                    total = sum(score for _, _, score in places)
                    found.append(
                        (sum(j * s for _, j, s in places) / total, sum(i * s for i, _, s in places) / total, value)
                    )
        y[n, c, 0, 0] = len(found)
        y[n, c, 1 : 1 + len(found[:most])] = np.reshape(found[:most], (-1, 3))
    return y


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


def test_a_crop_as_large_as_the_image_reads_its_last_row_and_column_a_little_before_the_end():
    x = distinct(1, 3, 3, 4)
    net = net_of(layer("DataAugmentation", "augmentation_param { crop_height: 3 crop_width: 4 }"), [x])
    y = net.forward()["y"]
    assert np.allclose(y[:, :, :2, :3], x[:, :, :2, :3], atol=1e-5)
    assert np.allclose(y[:, :, 0, 3], 0.95 * x[:, :, 0, 3] + 0.05 * x[:, :, 0, 2], atol=1e-5)


def test_the_mean_is_taken_of_the_first_passes_and_stays_then():
    net = net_of(
        layer("DataAugmentation", "augmentation_param { recompute_mean: 2 mean_per_pixel: false }"),
        [distinct(2, 3, 2, 2)],
    )
    seen = []
    for _ in range(4):
        x = distinct(2, 3, 2, 2)
        net.blobs["x0"].data[...] = x
        net.forward()
        seen.append(x)
    count, image, colour = (blob.data for blob in net.params["layer"])
    assert count == 4
    mean = np.mean(seen[:2], axis=(0, 1))
    assert np.allclose(image[0], mean, atol=1e-5)
    assert np.allclose(colour[0, :, 0, 0], mean.mean((1, 2)), atol=1e-5)


def test_a_stored_mean_image_of_another_size_becomes_its_colour(tmp_path):
    text = layer("DataAugmentation", "augmentation_param { recompute_mean: 2 }")
    trained = net_of(text, [distinct(1, 3, 4, 5)])
    trained.params["layer"][0].data[...] = 9
    trained.params["layer"][1].data[...] = distinct(1, 3, 4, 5)
    trained.save(str(tmp_path / "w.caffemodel"))
    x = distinct(1, 3, 6, 2)
    net = net_of(text, [x])
    net.copy_from(str(tmp_path / "w.caffemodel"))
    colour = trained.params["layer"][1].data.mean((2, 3), keepdims=True)
    assert np.allclose(net.forward()["y"], x - colour, atol=1e-5)


def test_a_mean_is_read_from_a_file(tmp_path):
    image = distinct(1, 2, 2, 3)
    binaryproto.write(tmp_path / "mean.binaryproto", image.astype(np.float32))
    text = layer("Mean", f"mean_param {{ operation: ADD file: '{tmp_path}/mean.binaryproto' }}")
    x = distinct(1, 4, 2, 3)
    assert np.allclose(net_of(text, [x]).forward()["y"], x + np.tile(image, (1, 2, 1, 1)), atol=1e-5)


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("Convolution3D"), [(1, 1, 2, 2, 2)], "no message of settings is given"),
        (layer("Pooling3D", "pooling3d_param { kernel_size: 2 }"), [(1, 1, 2, 2, 2)], "Set kernel_size"),
        (layer("Pooling3D", "pooling3d_param { kernel_size: 2 kernel_depth: 1 }"), [(1, 1, 2, 2)], "length, height"),
        (layer("Correlation", "correlation_param { kernel_size: 2 }"), [(1, 1, 4, 4)] * 2, "odd kernel"),
        (layer("Correlation", f"{CORRELATION} max_displacement: 4 }}"), [(1, 1, 4, 4)] * 2, "more pad"),
        (layer("FlowWarp"), [(1, 1, 2, 2), (1, 1, 2, 2)], "a flow of 2 channels"),
        (layer("Mean", "mean_param { operation: ADD }"), [(1, 1, 2, 2)], "either `value` or `file`"),
        (layer("Resample"), [(1, 1, 2, 2)], "Set height and width"),
        (layer("Resample", "resample_param { type: AREA }"), [(1, 1, 2, 2)], "only CUBIC, LINEAR and NEAREST"),
        (layer("Downsample"), [(1, 1, 4, 4)], "Correct top_height and top_width"),
        (layer("Accum"), [(1, 1, 2, 2), (2, 1, 2, 2)], "same number of images"),
        (layer("DataAugmentation", "augmentation_param { mirror {} crop_width: 1 crop_height: 1 }"), [(1, 3, 2, 2)],
         "mirror: random augmentation is not implemented"),
        (layer("ImResize", "imresize_param { factor: 0.1 }"), [(1, 1, 2, 2)], "at least one pixel"),
        (layer("Nms", "nms_param { num_parts: 4 }"), [(1, 3, 4, 4)], "num_parts is 4, with 3 channels"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        check_layer(text, shapes)
    assert "layer 'layer'" in str(error.value)
