"""Layer types of forks, against forms in NumPy that were written from their formulas, element by element."""

import math

import numpy as np
import pytest

from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import RNG, distinct, layer, loops, net_of


def relu6(slope):
    return lambda x: np.minimum(np.where(x > 0, x, slope * x), 6)


def shuffled(group):
    def form(x):
        each = x.shape[1] // group
        return loops(x.shape, lambda n, c, h, w: x[n, (c % group) * each + c // group, h, w])

    return form


def depthwise(x, weights, bias):
    def value(n, c, h, w):
        total = bias[c]
        for i, j in np.ndindex(3, 3):
            row, column = 2 * h + i - 1, 2 * w + j - 1
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                total += weights[c, 0, i, j] * x[n, c, row, column]
        return total

    return loops((*x.shape[:2], (x.shape[2] - 1) // 2 + 1, (x.shape[3] - 1) // 2 + 1), value)


def interpolated(height, width, begin=0, end=0):
    def form(x, *_):
        x = x[:, :, begin : x.shape[2] - end, begin : x.shape[3] - end]

        def at(size, wanted, place):
            position = place * (size - 1) / (wanted - 1) if wanted > 1 else 0
            first = min(int(position), size - 1)
            return first, min(first + 1, size - 1), position - first

        def value(n, c, h, w):
            top, bottom, down = at(x.shape[2], height, h)
            left, right, across = at(x.shape[3], width, w)
            upper = x[n, c, top, left] * (1 - across) + x[n, c, top, right] * across
            lower = x[n, c, bottom, left] * (1 - across) + x[n, c, bottom, right] * across
            return upper * (1 - down) + lower * down

        return loops((*x.shape[:2], height, width), value)

    return form


def normalized(x, mean, variance, eps, scale, shift):
    each = [np.asarray(value).reshape(1, -1, 1, 1) for value in (mean, variance, scale, shift)]
    return each[2] * (x - each[0]) / np.sqrt(each[1] + eps) + each[3]


def by_batch(eps):
    return lambda x, scale, shift, *_: normalized(x, x.mean((0, 2, 3)), x.var((0, 2, 3)), eps, scale, shift)


def unpooled(x, mask):
    y = np.zeros((*x.shape[:2], x.shape[2] * 2, x.shape[3] * 2))
    for n, c, h, w in np.ndindex(*x.shape):
        place = int(mask[n, c, h, w])
        y[n, c, place // y.shape[3], place % y.shape[3]] = x[n, c, h, w]
    return y


def masks(n, c, h, w):
    """Where the maximum of each 2 × 2 window might lie."""
    inside = RNG.integers(0, 2, size=(2, n, c, h, w))
    return loops((n, c, h, w), lambda *at: (2 * at[2] + inside[(0, *at)]) * 2 * w + 2 * at[3] + inside[(1, *at)])


def ssds_normal(across, shared):
    def form(x, scale):
        axes = (1, 2, 3) if across else 1
        lengths = np.sqrt((x**2).sum(axes, keepdims=True) + 1e-10)
        return x / lengths * (scale if shared else scale.reshape(1, -1, 1, 1))

    return form


def faces_normal(x):
    lengths = np.sqrt((x**2).sum(1, keepdims=True) + 1e-6)
    return [x / lengths, lengths]


def pooled_regions(x, regions, scale=0.5, bins=2):
    def away(value):
        return int(math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1))

    def value(r, c, i, j):
        image, left, top, right, bottom = regions[r]
        left, top, right, bottom = (away(each * scale) for each in (left, top, right, bottom))
        high, wide = max(bottom - top + 1, 1) / bins, max(right - left + 1, 1) / bins
        rows = range(max(math.floor(i * high) + top, 0), min(math.ceil((i + 1) * high) + top, x.shape[2]))
        columns = range(max(math.floor(j * wide) + left, 0), min(math.ceil((j + 1) * wide) + left, x.shape[3]))
        seen = [x[int(image), c, row, column] for row in rows for column in columns]
        return max(seen, default=0)

    return loops((len(regions), x.shape[1], bins, bins), value)


REGIONS = np.array([[0, 0, 0, 6, 8], [1, 3, 1, 9, 5], [0, 4, 4, 4, 4], [1, -3, -3, 1, 40], [1, 30, 30, 40, 40]])


def reorganized(x, s=2):
    count, channels, height, width = x.shape
    inner, flat = channels // s**2, x.reshape(count, -1)
    y = np.zeros_like(flat)
    for b, (c, j, i) in enumerate(np.ndindex(channels, height, width)):
        o = c // inner
        y[:, b] = flat[:, i * s + o % s + width * s * (j * s + o // s + height * s * (c % inner))]
    return y.reshape(count, channels * s**2, height // s, width // s)


PARAMS = "param {} param {} param {} param {}"
FOUR = [np.array(values).reshape(1, 3, 1, 1) for values in ([2, 3, 4], [0, 1, -1], [0.5, 0, -0.5], [1, 2, 3])]
CASES = {
    "ReLU6": (layer("ReLU6"), [(2, 3, 4, 5)], {"values": [distinct(2, 3, 4, 5)], "expected": relu6(0)}),
    "ReLU6 with a slope": (
        layer("ReLU6", "relu6_param { negative_slope: 0.5 }"),
        [(2, 3, 8)],
        {"values": [3 * distinct(2, 3, 8)], "expected": relu6(0.5)},
    ),
    "ShuffleChannel": (
        layer("ShuffleChannel", "shuffle_channel_param { group: 3 }"),
        [(2, 6, 2, 2)],
        {"expected": shuffled(3)},
    ),
    "Axpy": (
        layer("Axpy"),
        [(2, 3), (2, 3, 2, 4), (2, 3, 2, 4)],
        {"expected": lambda s, a, b: s[..., None, None] * a + b},
    ),
    "Axpy of maps of one pixel": (
        layer("Axpy"),
        [(2, 3, 1, 1), (2, 3, 2, 4), (2, 3, 2, 4)],
        {"expected": lambda s, a, b: s * a + b},
    ),
    **{
        name: (
            layer(name, f"convolution_param {{ num_output: 3 kernel_size: 3 stride: 2 pad: 1 {group} }}"),
            [(2, 3, 5, 6)],
            {"expected": depthwise},
        )
        for name, group in (("DepthwiseConvolution", ""), ("ConvolutionDepthwise", "group: 3"))
    },
    "Interp to a size": (
        layer("Interp", "interp_param { height: 7 width: 3 }"),
        [(2, 3, 4, 5)],
        {"expected": interpolated(7, 3)},
    ),
    "Interp to one row": (
        layer("Interp", "interp_param { height: 1 width: 3 }"),
        [(1, 2, 4, 5)],
        {"expected": interpolated(1, 3)},
    ),
    "Interp by a zoom": (
        layer("Interp", "interp_param { zoom_factor: 2 }"),
        [(1, 2, 3, 4)],
        {"expected": interpolated(5, 7)},
    ),
    "Interp by a shrinkage": (
        layer("Interp", "interp_param { shrink_factor: 2 }"),
        [(1, 2, 6, 7)],
        {"expected": interpolated(3, 4)},
    ),
    "Interp by both": (
        layer("Interp", "interp_param { shrink_factor: 2 zoom_factor: 3 }"),
        [(1, 2, 6, 7)],
        {"expected": interpolated(7, 10)},
    ),
    "Interp of what is left": (
        layer("Interp", "interp_param { height: 5 width: 5 pad_beg: -1 pad_end: -2 }"),
        [(1, 2, 6, 7)],
        {"expected": interpolated(5, 5, 1, 2)},
    ),
    "Interp to another's size": (layer("Interp"), [(1, 2, 3, 4), (1, 1, 5, 6)], {"expected": interpolated(5, 6)}),
    "Upsample by a mask": (
        layer("Upsample", "upsample_param { scale: 2 }"),
        [(2, 3, 2, 3), (2, 3, 2, 3)],
        {"values": [distinct(2, 3, 2, 3), masks(2, 3, 2, 3)], "expected": unpooled},
    ),
    "Upsample to a size": (
        layer("Upsample", "upsample_param { scale: 2 upsample_h: 4 upsample_w: 6 }"),
        [(2, 3, 2, 3), (2, 3, 2, 3)],
        {"values": [distinct(2, 3, 2, 3), masks(2, 3, 2, 3)], "expected": unpooled},
    ),
    "Upsample to the nearest": (
        layer("Upsample", "upsample_param { scale: 3 }"),
        [(2, 1, 2, 3)],
        {"expected": lambda x: loops((2, 1, 6, 9), lambda n, c, h, w: x[n, c, h // 3, w // 3])},
    ),
    "BN of SegNet": (layer("BN", "bn_param { scale_filler {} }"), [(2, 3, 4, 5)], {"expected": by_batch(1e-9)}),
    "BN of SegNet in TEST": (
        layer("BN", "bn_param { bn_mode: LEARN }"),
        [(2, 3, 4, 5)],
        {"expected": by_batch(1e-9), "train": False},
    ),
    "BN of SegNet, folded": (
        layer("BN", "bn_param { bn_mode: INFERENCE }"),
        [(2, 3, 4, 5)],
        {"expected": lambda x, scale, shift: scale * x + shift},
    ),
    "BN of PSPNet": (
        layer("BN", f"{PARAMS} bn_param {{ momentum: 0.95 }}"),
        [(2, 3, 4, 5)],
        {"expected": by_batch(1e-5), "params": FOUR},
    ),
    "BN of PSPNet in TEST": (
        layer("BN", PARAMS),
        [(2, 3, 4, 5)],
        {"train": False, "params": FOUR, "expected": lambda x, s, b, m, v: normalized(x, m, v, 1e-5, s, b)},
    ),
    "BN of PSPNet, frozen": (
        layer("BN", "bn_param { frozen: true eps: 0.001 }"),
        [(2, 3, 4, 5)],
        {"params": FOUR, "expected": lambda x, s, b, m, v: normalized(x, m, v, 1e-3, s, b)},
    ),
    "Permute": (
        layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
        [(2, 3, 4, 5)],
        {"expected": lambda x: loops((2, 4, 5, 3), lambda n, h, w, c: x[n, c, h, w])},
    ),
    "Permute with axes left out": (
        layer("Permute", "permute_param { order: 2 }"),
        [(2, 3, 4)],
        {"expected": lambda x: loops((4, 2, 3), lambda k, i, j: x[i, j, k])},
    ),
    **{
        f"Normalize of SSD, {across}, {shared}": (
            layer(
                "Normalize",
                f"norm_param {{ across_spatial: {across} channel_shared: {shared} }}".lower(),
            ),
            [(2, 3, 4, 5)],
            {"expected": ssds_normal(across, shared)},
        )
        for across in (True, False)
        for shared in (True, False)
    },
    "Normalize of NormFace": (
        layer("Normalize", "normalize_param {}"),
        [(2, 3)],
        {"tops": 2, "expected": faces_normal},
    ),
    "ROIPooling": (
        layer("ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 }"),
        [(2, 3, 5, 6), (5, 5)],
        {"values": [distinct(2, 3, 5, 6), REGIONS], "expected": pooled_regions},
    ),
    "Reorg": (layer("Reorg", "reorg_param { stride: 2 }"), [(2, 8, 4, 6)], {"expected": reorganized}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


def priors(height, width, image, sizes, largest, ratios, variance, step=None, clip=False, offset=0.5):
    rows = []
    for h, w in np.ndindex(height, width):
        x, y = ((w + offset) * (step or image[1] / width), (h + offset) * (step or image[0] / height))
        for s, big in zip(sizes, largest or [None] * len(sizes), strict=True):
            boxes = [(s, s)] + ([(math.sqrt(s * big),) * 2] if big else [])
            for ratio in ratios:
                boxes += [(s * math.sqrt(r), s / math.sqrt(r)) for r in (ratio, 1 / ratio)]
            rows += [(x - a / 2, y - b / 2, x + a / 2, y + b / 2) for a, b in boxes]
    found = np.array(rows) / (image[1], image[0], image[1], image[0])
    found = found.clip(0, 1) if clip else found
    return np.stack([found.reshape(-1), np.tile(variance, len(found))])[None]


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        (
            "min_size: 30 max_size: 60 aspect_ratio: 2 aspect_ratio: 3 variance: 0.1 variance: 0.1 variance: 0.2 "
            "variance: 0.2 step: 8",
            {"sizes": [30], "largest": [60], "ratios": [2, 3], "variance": [0.1, 0.1, 0.2, 0.2], "step": 8},
        ),
        ("min_size: 10.7 min_size: 20 clip: true", {"sizes": [10, 20], "largest": [], "ratios": [], "clip": True}),
        ("min_size: 9 aspect_ratio: 2 aspect_ratio: 0.5 offset: 0", {"sizes": [9], "ratios": [2], "offset": 0}),
    ],
    ids=["SSD's", "sizes cut to whole numbers, clipped", "a ratio once"],
)
def test_priors_are_ssds(body, settings):
    settings = {"largest": None, "variance": [0.1] * 4} | settings
    wanted = priors(2, 3, (40, 60), **settings)
    text = layer("PriorBox", f"prior_box_param {{ {body} }}")
    check_layer(text, [(1, 4, 2, 3), (1, 3, 40, 60)], expected=lambda *_: wanted, gradient=False)


def overlap(a, b):
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0
    return wide * high / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high)


def detections(classes, share, code, threshold, top_k, keep, score):
    def form(locations, scores, given):
        boxes, variances = given.reshape(2, -1, 4)
        rows = []
        for image in range(len(locations)):
            found = []
            for label in range(1, classes):
                where = locations[image].reshape(len(boxes), -1, 4)[:, 0 if share else label]
                decoded = [decode(code, *each) for each in zip(where, boxes, variances, strict=True)]
                confident = scores[image].reshape(len(boxes), classes)[:, label]
                order = sorted((i for i in range(len(boxes)) if confident[i] > score), key=lambda i: -confident[i])
                kept = []
                for i in order[:top_k]:
                    if all(overlap(decoded[i], decoded[k]) <= threshold for k in kept):
                        kept.append(i)
                found += [(label, confident[i], *decoded[i]) for i in kept]
            best = sorted(found, key=lambda row: -row[1])[: keep if keep > -1 else None]
            rows += [(image, *row) for row in sorted(best, key=lambda row: (row[0], -row[1]))]
        return np.array(rows)[None, None] if rows else None

    return form


def decode(code, where, prior, variance):
    wide, high = prior[2] - prior[0], prior[3] - prior[1]
    shift = where * variance
    if code == "CORNER":
        return prior + shift
    if code == "CORNER_SIZE":
        return prior + shift * (wide, high, wide, high)
    x, y = shift[0] * wide + (prior[0] + prior[2]) / 2, shift[1] * high + (prior[1] + prior[3]) / 2
    wide, high = math.exp(shift[2]) * wide, math.exp(shift[3]) * high
    return np.array((x - wide / 2, y - high / 2, x + wide / 2, y + high / 2))


def detecting(count, classes, sets):
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 0.7, size=(count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.3, size=(count, 2))], axis=1)
    scores = rng.uniform(size=(2, count, classes))
    return [
        rng.normal(size=(2, count * sets * 4)) * 0.5,
        (scores / scores.sum(2, keepdims=True)).reshape(2, -1),
        np.stack([boxes.reshape(-1), np.tile([0.1, 0.1, 0.2, 0.2], count)])[None],
    ]


@pytest.mark.parametrize("code", ["CORNER", "CENTER_SIZE", "CORNER_SIZE"])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("keep", [-1, 5])
def test_detections_are_ssds(code, share, keep):
    values = detecting(30, 3, 1 if share else 3)
    body = f"num_classes: 3 share_location: {share} code_type: {code} keep_top_k: {keep} confidence_threshold: 0.3 "
    text = layer("DetectionOutput", f"detection_output_param {{ {body.lower().replace(code.lower(), code)} "
                 "nms_param { nms_threshold: 0.3 top_k: 12 } }")  # fmt: skip
    net = net_of(text, values)
    wanted = detections(3, share, code, 0.3, 12, keep, 0.3)(*(each.astype(np.float32) for each in values))
    found = net.forward()["y"]
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, atol=1e-5)


def test_where_nothing_is_detected_each_image_has_a_row_that_says_so():
    text = layer("DetectionOutput", "detection_output_param { num_classes: 3 confidence_threshold: 2 }")
    found = net_of(text, detecting(4, 3, 1)).forward()["y"]
    assert found.tolist() == [[[[0, -1, -1, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1, -1]]]]


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("Permute", "permute_param { order: 1 order: 1 }"), [(2, 3)], "expected each axis once"),
        (layer("ShuffleChannel", "shuffle_channel_param { group: 2 }"), [(1, 3)], "expected channels in equal groups"),
        (layer("DepthwiseConvolution", "convolution_param { num_output: 6 kernel_size: 1 }"), [(1, 3, 2, 2)],
         "num_output equal to the channels"),
        (layer("Interp"), [(1, 1, 2, 2)], "no size is given"),
        (layer("Interp", "interp_param { height: 2 width: 2 pad_beg: 1 }"), [(1, 1, 2, 2)], "non-pos padding"),
        (layer("BN", "bn_param { slope_filler {} scale_filler {} }"), [(1, 1, 2, 2)], "Keep those of one"),
        (layer("BN", "bn_param { decay: 0.9 }"), [(1, 1, 2, 2)], "ParseNet's BN is not implemented"),
        (layer("Upsample"), [(1, 1, 2, 2), (1, 1, 2, 3)], "expected a mask of the first one's shape"),
        (layer("PriorBox", "prior_box_param {}"), [(1, 1, 2, 2), (1, 1, 2, 2)], "expected positive ones"),
        (layer("DetectionOutput"), [(1, 4), (1, 2), (1, 2, 4)], "Must specify num_classes"),
        (layer("ROIPooling"), [(1, 1, 2, 2), (1, 5)], "they must be > 0"),
        (layer("Reorg", "reorg_param { stride: 2 reverse: true }"), [(1, 4, 2, 2)], "`reverse` is not implemented"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        check_layer(text, shapes)
    assert "layer 'layer'" in str(error.value)


def test_a_mask_that_points_outside_is_refused():
    with pytest.raises(CaffeError, match="Upsample top index out of range"):
        check_layer(
            layer("Upsample"), [(1, 1, 1, 1), (1, 1, 1, 1)], values=[np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 4)]
        )


def test_bn_of_pspnet_keeps_running_averages():
    message = layer("BN", "bn_param { momentum: 0.75 }")
    net = net_of(message, [distinct(2, 3, 4, 5)])
    assert [blob.data.shape for blob in net.params["layer"]] == [(1, 3, 1, 1)] * 4
