"""Types that pool over regions, propose them, or make boxes of YOLO's maps, and unpooling, against forms in NumPy."""

import math

import numpy as np
import pytest

from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import RNG, distinct, layer, loops, net_of


def away(value):
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def by_place(x, regions, outputs, group, scale):
    def value(r, d, i, j):
        image, *corners = regions[r]
        left, top = (away(v) * scale for v in corners[:2])
        right, bottom = ((away(v) + 1) * scale for v in corners[2:])
        high, wide = max(bottom - top, 0.1) / group, max(right - left, 0.1) / group
        rows = range(max(math.floor(i * high + top), 0), min(math.ceil((i + 1) * high + top), x.shape[2]))
        columns = range(max(math.floor(j * wide + left), 0), min(math.ceil((j + 1) * wide + left), x.shape[3]))
        seen = [x[int(image), (d * group + i) * group + j, row, column] for row in rows for column in columns]
        return np.mean(seen) if seen else 0

    return loops((len(regions), outputs, group, group), value)


def read(x, row, column):
    """Bilinear, as Mask R-CNN reads; x (H, W)."""
    if not (-1 <= row <= x.shape[0] and -1 <= column <= x.shape[1]):
        return 0
    row, column = (min(max(at, 0), size - 1) for at, size in zip((row, column), x.shape, strict=True))
    top, left = int(row), int(column)
    bottom, right = min(top + 1, x.shape[0] - 1), min(left + 1, x.shape[1] - 1)
    v, u = row - top, column - left
    return (x[top, left] * (1 - u) + x[top, right] * u) * (1 - v) + (
        x[bottom, left] * (1 - u) + x[bottom, right] * u
    ) * v


def aligned(bins, scale, sampling):
    def form(x, regions):
        def value(r, c, i, j):
            image, left, top, right, bottom = regions[r] * (1, scale, scale, scale, scale)
            high, wide = max(bottom - top, 1) / bins[0], max(right - left, 1) / bins[1]
            down, across = sampling or math.ceil(high), sampling or math.ceil(wide)
            places = [
                (top + high * (i + (a + 0.5) / down), left + wide * (j + (b + 0.5) / across))
                for a, b in np.ndindex(down, across)
            ]
            return np.mean([read(x[int(image), c], *place) for place in places])

        return loops((len(regions), x.shape[1], *bins), value)

    return form


def covered(height, width, kernel, stride, pad, share, *, mean):
    """Every value at the pixels of its window; divided by the window's size (share), by the count of windows (mean)."""

    def form(x):
        y, counts = np.zeros((*x.shape[:2], height, width)), np.zeros((height, width))
        for i, j in np.ndindex(*x.shape[2:]):
            starts = [at * stride - pad for at in (i, j)]
            ends = [min(begin + kernel, size + pad) for begin, size in zip(starts, (height, width), strict=True)]
            size = math.prod(end - begin for begin, end in zip(starts, ends, strict=True))
            window = tuple(slice(max(begin, 0), end) for begin, end in zip(starts, ends, strict=True))
            y[(..., *window)] += x[:, :, i, j, None, None] / (size if share else 1)
            counts[window] += 1
        return y / np.maximum(counts, 1) if mean else y

    return form


def placed(height, width, place):
    def form(x, *masks):
        y = np.zeros((*x.shape[:2], height, width))
        for n, c, i, j in np.ndindex(*x.shape):
            at = int(masks[0][n, c, i, j]) if masks else place(i, j)
            y[n, c, at // width, at % width] = x[n, c, i, j]
        return y

    return form


def masks(n, c, h, w):
    """Where the maximum of each 2 × 2 window of a map of 2h × 2w might lie."""
    return loops((n, c, h, w), lambda _, __, i, j: (2 * i + RNG.integers(2)) * 2 * w + 2 * j + RNG.integers(2))


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


REGIONS = np.array([[0, 0, 0, 6, 8], [1, 3, 1, 9, 5], [0, 4, 4, 4, 4], [1, -3, -3, 1, 40], [1, 30.5, 30, 40, 40]])
PLACE = "psroi_pooling_param { spatial_scale: 0.5 output_dim: 2 group_size: 2 }"
SQUARE = "unpooling_param { kernel_size: 3 stride: 2"
CASES = {
    "PSROIPooling": (
        layer("PSROIPooling", PLACE),
        [(2, 8, 5, 6), (5, 5)],
        {"values": [distinct(2, 8, 5, 6), REGIONS], "expected": lambda x, r: by_place(x, r, 2, 2, 0.5)},
    ),
    **{
        f"ROIAlign, {sampling} places": (
            layer("ROIAlign", f"roi_align_param {{ pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 {body} }}"),
            [(2, 3, 5, 6), (5, 5)],
            {"values": [distinct(2, 3, 5, 6), REGIONS], "expected": aligned((2, 3), 0.5, sampling)},
        )
        for sampling, body in ((0, ""), (2, "sampling_ratio: 2"), (1, "sample_num: 1"))
    },
    "Unpooling by a mask": (
        layer("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 6 }"),
        [(2, 3, 3, 3), (2, 3, 3, 3)],
        {"values": [distinct(2, 3, 3, 3), masks(2, 3, 3, 3)], "expected": placed(6, 6, None)},
    ),
    "Unpooling to the first pixel": (
        layer("Unpooling", "unpooling_param { kernel_h: 2 kernel_w: 3 stride: 2 }"),
        [(1, 2, 2, 3)],
        {"expected": placed(5, 7, lambda i, j: 2 * i * 7 + 2 * j)},
    ),
    "Unpooling AVE": (
        layer("Unpooling", f"{SQUARE} unpool: AVE }}"),
        [(2, 2, 3, 2)],
        {"expected": covered(7, 5, 3, 2, 0, True, mean=False)},
    ),
    "Unpooling TILE": (
        layer("Unpooling", f"{SQUARE} unpool: TILE unpool_h: 6 unpool_w: 4 }}"),
        [(2, 2, 3, 2)],
        {"expected": covered(6, 4, 3, 2, 0, False, mean=False), "smooth": False},
    ),
    "UnPooling FIXED": (
        layer("UnPooling", "unpooling_param { unpool: FIXED out_kernel_size: 3 out_stride: 2 out_pad: 1 }"),
        [(2, 2, 3, 2)],
        {"expected": placed(5, 3, lambda i, j: 2 * i * 3 + 2 * j)},
    ),
    **{
        f"UnPooling {name}": (
            layer("UnPooling", f"unpooling_param {{ unpool: {name} out_kernel_size: 3 out_stride: 2 out_pad: 1 }}"),
            [(2, 2, 3, 2)],
            {"expected": covered(5, 3, 3, 2, 1, name == "DIV", mean=True)},
        )
        for name in ("DIV", "REP")
    },
    "UnPooling to another's size": (
        layer("UnPooling", "unpooling_param { unpool: REP }"),
        [(2, 2, 3, 1), (2, 1, 7, 4)],
        {"expected": lambda x, _: np.repeat(covered(7, 1, 3, 3, 1, False, mean=True)(x), 4, axis=3)},
    ),
    "Padding": (
        layer("Padding", "padding_param { pad_beg: 1 pad_end: 2 }"),
        [(2, 3, 2, 4)],
        {"expected": lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 2)))},
    ),
    "Padding that cuts off": (
        layer("Padding", "padding_param { pad_beg: -1 pad_end: -2 }"),
        [(2, 3, 4, 5)],
        {"expected": lambda x: x[:, :, 1:-2, 1:-2]},
    ),
    "Mish": (layer("Mish"), [(2, 3, 4)], {"expected": mish}),
    "HardSwish": (
        layer("HardSwish"),
        [(2, 3, 16)],
        {"values": [distinct(2, 3, 16)], "expected": lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6},
    ),
    "Round": (
        layer("Round"),
        [(2, 3, 8)],
        {"values": [np.arange(-24, 24) / 2], "expected": np.vectorize(away), "smooth": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


def test_the_gradient_of_tiles_is_the_mean_over_the_window():
    x = distinct(1, 1, 2, 2)
    net = net_of(layer("Unpooling", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_size: 4 }"), [x],
                 force_backward=True)  # fmt: skip
    net.forward()
    given = distinct(1, 1, 4, 4)
    net.blobs["y"].diff[...] = given
    net.backward()
    assert np.allclose(net.blobs["x0"].diff, given.reshape(1, 1, 2, 2, 2, 2).mean((3, 5)), atol=1e-6)


def test_rounding_has_no_gradient():
    net = net_of(layer("Round"), [distinct(2, 3)], force_backward=True)
    net.forward()
    net.blobs["y"].diff[...] = 1
    net.backward()
    assert not net.blobs["x0"].diff.any()


def overlap(a, b, more):
    wide, high = min(a[2], b[2]) - max(a[0], b[0]) + more, min(a[3], b[3]) - max(a[1], b[1]) + more
    if wide <= 0 or high <= 0:
        return 0
    areas = [(box[2] - box[0] + more) * (box[3] - box[1] + more) for box in (a, b)]
    return wide * high / (sum(areas) - wide * high)


def proposals(scores, deltas, image, ratios, scales, smallest, before, after, threshold):
    shapes = []
    for ratio in ratios:
        width = round(math.sqrt(256 / ratio))
        shapes += [(width * scale, round(width * ratio) * scale) for scale in scales]
    rows = []
    for n in range(len(scores)):
        found = []
        for h, w in np.ndindex(*scores.shape[2:]):
            for a, (wide, high) in enumerate(shapes):
                dx, dy, dw, dh = deltas[n, 4 * a : 4 * a + 4, h, w]
                x, y = 16 * w + 7.5 + 0.5 + dx * wide, 16 * h + 7.5 + 0.5 + dy * high
                wide, high = wide * math.exp(dw), high * math.exp(dh)
                box = [min(max(x - wide / 2, 0), image[1] - 1), min(max(y - high / 2, 0), image[0] - 1),
                       min(max(x + wide / 2, 0), image[1] - 1), min(max(y + high / 2, 0), image[0] - 1)]  # fmt: skip
                if min(box[2] - box[0], box[3] - box[1]) + 1 >= smallest * image[2]:
                    found.append((scores[n, len(shapes) + a, h, w], box))
        kept = []
        for score, box in sorted(found, key=lambda each: -each[0])[:before]:
            if all(overlap(box, other, 1) <= threshold for _, other in kept):
                kept.append((score, box))
        rows += [(score, n, *box) for score, box in kept[:after]]
    return np.array(rows)


def test_proposals_are_faster_r_cnns():
    rng = np.random.default_rng(1)
    scores, deltas = rng.uniform(size=(2, 8, 3, 4)), rng.normal(size=(2, 16, 3, 4)) / 4
    image = np.array([[48, 64, 1.5]])
    body = "ratio: 0.5 ratio: 2 scale: 1 scale: 2 min_size: 12 pre_nms_topn: 30 post_nms_topn: 5 nms_thresh: 0.4"
    net = net_of(layer("Proposal", f"proposal_param {{ {body} }}"), [scores, deltas, image], tops=2)
    found = net.forward()
    scores, deltas = scores.astype(np.float32), deltas.astype(np.float32)
    wanted = proposals(scores, deltas, image[0], [0.5, 2], [1, 2], 12, 30, 5, 0.4)
    assert len(wanted) == 10
    assert np.allclose(found["y"], wanted[:, 1:], atol=1e-3)
    assert np.allclose(found["y1"], wanted[:, 0])


def sigma(x):
    return 1 / (1 + math.exp(-x))


def yolo(maps, sizes_of, scales, classes, threshold, overlap_at, *, soft):
    found = []
    for x, sizes, scale in zip(maps, sizes_of, scales, strict=True):
        for n, row, column in np.ndindex(len(x), *x.shape[2:]):
            for index, (wide, high) in enumerate(sizes):
                tx, ty, tw, th, known, *each = x[n, index * (5 + classes) : (index + 1) * (5 + classes), row, column]
                cx, cy = (column + sigma(tx)) / x.shape[3], (row + sigma(ty)) / x.shape[2]
                w, h = math.exp(tw) * wide / (x.shape[3] * scale), math.exp(th) * high / (x.shape[2] * scale)
                box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
                if soft:
                    best = int(np.argmax(each))
                    score = sigma(known) * math.exp(each[best]) / sum(math.exp(e) for e in each)
                    found += [(best + 1, score, *box)] if score >= threshold else []
                else:
                    scores = [sigma(known) * sigma(e) for e in each]
                    found += [(k + 1, score, *box) for k, score in enumerate(scores) if score > threshold]
    kept = []
    for row in sorted(found, key=lambda each: -each[1]):
        if all(overlap(row[2:], other[2:], 0) < overlap_at for other in kept):
            kept.append(row)
    return np.array([(0, *row) for row in kept])[None, None]


def test_boxes_of_yolo_v2_are_its_formulas():
    x = np.random.default_rng(2).normal(size=(2, 14, 3, 4)).astype(np.float32)
    body = "num_classes: 2 num_box: 2 biases: 1 biases: 2 biases: 0.5 biases: 0.7 confidence_threshold: 0.2"
    net = net_of(layer("YoloDetectionOutput", f"yolo_detection_output_param {{ {body} nms_threshold: 0.3 }}"), [x])
    wanted = yolo([x], [[(1, 2), (0.5, 0.7)]], [1], 2, 0.2, 0.3, soft=True)
    found = net.forward()["y"]
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, atol=1e-5)


def test_boxes_of_yolo_v3_are_its_formulas():
    rng = np.random.default_rng(3)
    maps = [rng.normal(size=shape).astype(np.float32) for shape in ((1, 14, 2, 3), (1, 14, 4, 6))]
    biases = [(10, 14), (23, 27), (37, 58), (81, 82)]
    body = " ".join(f"biases: {wide} biases: {high}" for wide, high in biases)
    body += " mask: 2 mask: 3 mask: 0 mask: 1 anchors_scale: 32 anchors_scale: 16 confidence_threshold: 0.3"
    text = layer("Yolov3DetectionOutput", f"yolov3_detection_output_param {{ num_classes: 2 num_box: 2 {body} }}")
    wanted = yolo(maps, [biases[2:], biases[:2]], [32, 16], 2, 0.3, 0.45, soft=False)
    found = net_of(text, maps).forward()["y"]
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, atol=1e-5)


def test_where_yolo_finds_nothing_each_image_has_a_row_that_says_so():
    body = "num_classes: 2 num_box: 2 biases: [1, 1, 1, 1] confidence_threshold: 2"
    net = net_of(layer("YoloDetectionOutput", f"yolo_detection_output_param {{ {body} }}"), [np.zeros((2, 14, 1, 1))])
    assert net.forward()["y"][0, 0].tolist() == [[0] + [-1] * 6, [1] + [-1] * 6]


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("PSROIPooling"), [(1, 1, 2, 2), (1, 5)], "output_dim and group_size must be > 0"),
        (layer("PSROIPooling", PLACE), [(1, 4, 2, 2), (1, 5)], "expected 2 · 2² channels"),
        (layer("ROIAlign"), [(1, 1, 2, 2), (1, 5)], "they must be > 0"),
        (layer("Unpooling"), [(1, 1, 2, 2)], "filter dimensions and strides of at least 1"),
        (layer("Unpooling", "unpooling_param { kernel_size: 2 kernel_h: 2 }"), [(1, 1, 2, 2)], "not both"),
        (layer("Unpooling", f"{SQUARE} pad: 1 }}"), [(1, 1, 2, 2)], "only zero padding is allowed"),
        (layer("Unpooling", f"{SQUARE} unpool: REP }}"), [(1, 1, 2, 2)], "expected one of MAX, AVE, TILE"),
        (layer("UnPooling"), [(1, 1, 2, 2)], "expected FIXED, DIV or REP"),
        (layer("Padding", "padding_param { pad_beg: 1 pad_end: -1 }"), [(1, 1, 2, 2)], "both positive or negative"),
        (layer("Proposal"), [(1, 18, 2, 2), (1, 18, 2, 2), (1, 3)], "height, width and scale of the image"),
        (layer("YoloDetectionOutput"), [(1, 125, 2, 2)], "two biases for each box"),
        (layer("Yolov3DetectionOutput", "yolov3_detection_output_param { biases: [1, 1] }"), [(1, 75, 2, 2)],
         "a group of the mask and an anchors_scale for each bottom"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        check_layer(text, shapes)
    assert "layer 'layer'" in str(error.value)


@pytest.mark.parametrize(
    ("name", "body"), [("PSROIPooling", PLACE), ("ROIAlign", "roi_align_param { pooled_h: 1 pooled_w: 1 }")]
)
def test_a_region_of_an_image_that_the_batch_does_not_have_is_refused(name, body):
    with pytest.raises(CaffeError, match="the batch has 1"):
        net_of(layer(name, body), [np.zeros((1, 8, 2, 2)), np.array([[1, 0, 0, 1, 1]])]).forward()


def test_a_mask_that_points_outside_is_refused():
    values = [np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 4)]
    with pytest.raises(CaffeError, match="Correct unpool_size"):
        net_of(layer("Unpooling", "unpooling_param { kernel_size: 2 unpool_size: 2 }"), values).forward()
