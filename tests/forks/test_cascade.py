"""Cascade R-CNN's layers against loops that were written from their formulas."""

import math

import numpy as np
import pytest

from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import distinct, layer, loops, net_of

RNG = np.random.default_rng(3)
FIELDS = {16: [(40, 20), (60, 60)], 32: [(90, 50)]}
GROUPS = "".join(
    f"box_group_param {{ stride: {step} {' '.join(f'field_w: {w} field_h: {h}' for w, h in fields)} }} "
    for step, fields in FIELDS.items()
)
MEAN, STD = [0.1, 0, 0.2, 0], [0.1, 0.2, 0.1, 0.2]


def shared(a, b, kind):
    wide, high = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1))
    area = (wide + 1) * (high + 1) if wide >= 0 and high > 0 else 0
    mine, theirs = ((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
    return area / {"IOU": mine + theirs - area, "IOMU": min(mine, theirs), "IOFU": mine}[kind]


def proposals(maps, images, least, threshold, kind="IOU", first=0, last=0, smallest=15, whr=2, xyr=2):
    rows = []
    for image in range(images):
        boxes = []
        for (step, fields), (shares, moves) in zip(FIELDS.items(), maps, strict=True):
            for group, (w, h) in enumerate(fields):
                number = image * len(fields) + group
                for y, x in np.ndindex(*shares.shape[2:]):
                    score = 1 - shares[number, 0, y, x]
                    d = moves[number, :, y, x] * STD + MEAN
                    right, down = (min(max(each, -1 / xyr), 1 / xyr) for each in d[:2])
                    wide, high = (math.exp(min(max(each, -math.log(whr)), math.log(whr))) for each in d[2:])
                    left = right * w + (x + 0.5) * step - w * wide / 2
                    top = down * h + (y + 0.5) * step - h * high / 2
                    box = [
                        max(left, 0), max(top, 0),
                        min(left + w * wide - 1, shares.shape[3] * step),
                        min(top + h * high - 1, shares.shape[2] * step),
                    ]  # fmt: skip
                    if score >= least and min(box[2] - box[0], box[3] - box[1]) + 1 >= smallest:
                        boxes.append([*box, score])
        boxes.sort(key=lambda box: -box[4])
        kept = []
        for box in boxes[: first or None]:
            if all(shared(other, box, kind) <= threshold for other in kept):
                kept.append(box)
        rows += [[image, *box] for box in kept[: last or None]]
    return np.array(rows)


def maps_of(images=2):
    found = []
    for (_, fields), size in zip(FIELDS.items(), ((3, 4), (2, 2)), strict=True):
        count = images * len(fields)
        shares = RNG.permutation(count * 3 * size[0] * size[1]).reshape(count, 3, *size)
        found.append((shares / shares.size, RNG.normal(size=(count, 4, *size)) * 3))
    return found


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ("", {}),
        ("max_nms_num: 12 max_post_nms_num: 5", {"first": 12, "last": 5}),
        ('nms_type: "IOMU"', {"kind": "IOMU"}),
        ('nms_type: "IOFU" min_size: 40', {"kind": "IOFU", "smallest": 40}),
        ("field_whr: 1.5 field_xyr: 4", {"whr": 1.5, "xyr": 4}),
    ],
)
def test_proposals_come_from_every_size_at_every_place_of_every_map(body, settings):
    maps = maps_of()
    means = " ".join(f"bbox_mean: {m} bbox_std: {s}" for m, s in zip(MEAN, STD, strict=True))
    text = layer(
        "BoxGroupOutput",
        f"box_group_output_param {{ fg_thr: 0.3 iou_thr: 0.4 {GROUPS} {body} }} bbox_reg_param {{ {means} }}",
    )
    found = net_of(text, [each for pair in maps for each in pair], 2).forward()
    wanted = proposals(maps, 2, 0.3, 0.4, **settings)
    assert len(wanted) > 1
    assert np.allclose(found["y1"].reshape(-1, 6), wanted, atol=1e-3)
    assert np.allclose(found["y"].reshape(-1, 5), wanted[:, :5], atol=1e-3)


def test_where_nothing_is_found_there_is_one_region_to_pool():
    text = layer("BoxGroupOutput", f"box_group_output_param {{ fg_thr: 2 {GROUPS} }}")
    found = net_of(text, [each for pair in maps_of() for each in pair], 2).forward()
    assert found["y"].ravel().tolist() == [0, 1, 1, 10, 10]
    assert not found["y1"].any()


BOXES = np.array([[0, 0, 0, 9, 9], [0, 5, 5, 104, 24], [1, 0, 0, 199, 199], [0, 9, 9, 0, 0], [0, 0, 0, 99, 35]])


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("low_scale: 44", [1, 2, 4]),
        ("high_scale: 60", [0, 1, 3]),
        ("low_scale: 10 high_scale: 60", [0, 1]),
        ("low_scale: 300", [2]),
        ("low_scale: 70 high_scale: 150", [4]),
        ("", [0, 1, 2, 3, 4]),
    ],
)
def test_regions_are_kept_by_their_size_or_the_nearest_one(body, kept):
    others = distinct(5, 2, 3)
    found = net_of(layer("ScaleRoute", f"scale_route_param {{ {body} }}"), [BOXES, others], 2).forward()
    assert np.array_equal(found["y"], BOXES[kept].astype(np.float32))
    assert np.array_equal(found["y1"], others[kept].astype(np.float32))


def at_corners(x, regions, scale=0.5, bins=(2, 3), pad=0.1):
    def value(r, c, i, j):
        image, left, top, right, bottom = regions[r]
        wide, high = (right - left + 1) * pad, (bottom - top + 1) * pad
        left, right, top, bottom = ((e * scale) - 0.5 for e in (left - wide, right + wide, top - high, bottom + high))
        if right <= left or bottom <= top:
            return 0
        row, column = top + i * (bottom - top) / bins[0], left + j * (right - left) / bins[1]
        height, width = x.shape[2:]
        if not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
            return 0
        row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
        total = 0
        for a in (math.floor(row), math.floor(row) + 1):
            for b in (math.floor(column), math.floor(column) + 1):
                if a < height and b < width:
                    total += x[int(image), c, a, b] * (1 - abs(row - a)) * (1 - abs(column - b))
        return total

    return loops((len(regions), x.shape[1], bins[0] + 1, bins[1] + 1), value)


REGIONS = np.array([[0, 1.3, 2.1, 8.2, 7.7], [1, 0, 0, 11, 9], [0, 5, 5, 1, 1], [1, -9, 2, 30, 6]])
CASES = {
    "ROIAlign of Cascade R-CNN": (
        layer("ROIAlign", "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 pad_ratio: 0.1 }"),
        [(2, 3, 5, 6), (4, 5)],
        {"values": [distinct(2, 3, 5, 6), REGIONS], "expected": at_corners},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_at_the_corners_of_bins_are_bilinear(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("BoxGroupOutput"), [(1, 2, 2, 2), (1, 4, 2, 2)], "2 bottoms, 0 box_group_param"),
        (layer("BoxGroupOutput", f"box_group_output_param {{ {GROUPS} nms_type: 'X' }}"), [(2, 2, 2, 2)] * 4,
         "nms_type 'X'"),
        (layer("BoxGroupOutput", f"box_group_output_param {{ {GROUPS} field_whr: 0 }}"), [(2, 2, 2, 2)] * 4,
         "field_whr is 0"),
        (layer("BoxGroupOutput", f"box_group_output_param {{ {GROUPS} }}"), [(2, 2, 2, 2)] * 4, "with G of 2, 1"),
        (layer("BoxGroupOutput", f"box_group_output_param {{ {GROUPS} }}"),
         [(3, 2, 2, 2), (3, 4, 2, 2), (1, 2, 2, 2), (1, 4, 2, 2)], "with G of 2, 1"),
        (layer("ScaleRoute", "scale_route_param { low_scale: 0 }"), [(2, 5)], "expected low_scale above 0"),
        (layer("ScaleRoute", "scale_route_param { low_scale: 9 high_scale: 3 }"), [(2, 5)], "at most high_scale"),
        (layer("ScaleRoute"), [(2, 4)], "expected .R, 5."),
        (layer("ScaleRoute", "scale_route_param { low_scale: 9 }"), [(0, 5)], "no region of 0 has a size"),
        (layer("ROIAlign", "roi_pooling_param { pooled_h: 2 }"), [(1, 1, 2, 2), (1, 5)], "they must be > 0"),
        (layer("ROIAlign", "roi_pooling_param { pooled_h: 2 pooled_w: 2 } roi_align_param { pooled_h: 2 }"),
         [(1, 1, 2, 2), (1, 5)], "either roi_pooling_param"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        net_of(text, [np.zeros(shape) for shape in shapes]).forward()
    assert "layer 'layer'" in str(error.value)
