"""MSCNN's and Cascade R-CNN's boxes, MSCNN's wider regions, against forms box by box."""

import math

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import distinct, layer, net_of
from tests.forks.test_types import REGIONS, pooled_regions

SIZES, RATES = [(6, 7), (3, 4)], (8, 16)
FIELDS = ((40, 30), (80, 60))
"""Width and height for each map."""


def boxes(maps, threshold=0, share=0.5, kind="IOU", whr=2, xyr=2, first=None, last=None, least=15, mean=0, std=1):
    rows = []
    for n in range(len(maps[0])):
        found = []
        for values, rate, (wide, high) in zip(maps, RATES, FIELDS, strict=True):
            for i, j in np.ndindex(values.shape[2:]):
                score = max(values[n, 1:-4, i, j]) - values[n, 0, i, j]
                dx, dy, dw, dh = values[n, -4:, i, j] * std + mean
                x = min(max(dx, -1 / xyr), 1 / xyr) * wide + (j + 0.5) * rate
                y = min(max(dy, -1 / xyr), 1 / xyr) * high + (i + 0.5) * rate
                w, h = (
                    side * math.exp(min(max(d, -math.log(whr)), math.log(whr))) for side, d in ((wide, dw), (high, dh))
                )
                left, top = max(x - w / 2, 0), max(y - h / 2, 0)
                w, h = min(w, values.shape[3] * rate - left), min(h, values.shape[2] * rate - top)
                if score >= threshold and w >= least and h >= least:
                    found.append((n, left, top, left + w, top + h, score))
        kept = []
        for box in sorted(found, key=lambda row: -row[5])[:first]:
            if all(shared(better, box, kind) <= share for better in kept):
                kept.append(box)
        rows += kept[:last]
    return np.array(rows)


def shared(a, b, kind):
    wide, high = min(a[3], b[3]) - max(a[1], b[1]), min(a[4], b[4]) - max(a[2], b[2])
    if wide <= 0 or high <= 0:
        return 0
    areas = [(c[3] - c[1]) * (c[4] - c[2]) for c in (a, b)]
    return wide * high / {"IOU": sum(areas) - wide * high, "IOMU": min(areas), "IOFU": areas[0]}[kind]


def fed(settings, arrays, tops=2):
    per_map = " ".join(
        f"field_w: {w} field_h: {h} downsample_rate: {rate}" for (w, h), rate in zip(FIELDS, RATES, strict=True)
    )
    head, _, rest = settings.partition("|")
    return net_of(layer("BoxOutput", f"box_output_param {{ {per_map} {head} }} {rest}"), arrays, tops)


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ("", {}),
        ("fg_thr: 0.8 iou_thr: 0.3 max_post_nms_num: 4", {"threshold": 0.8, "share": 0.3, "last": 4}),
        ("nms_type: 'IOMU' max_nms_num: 20 min_size: 25", {"kind": "IOMU", "first": 20, "least": 25}),
        ("nms_type: 'IOFU' field_whr: 3 field_xyr: 1", {"kind": "IOFU", "whr": 3, "xyr": 1}),
        ("| bbox_reg_param { bbox_mean: [0.1, 0, 0.2, 0] bbox_std: [0.5, 0.5, 0.2, 0.2] }",
         {"mean": np.array([0.1, 0, 0.2, 0]), "std": np.array([0.5, 0.5, 0.2, 0.2])}),
    ],
)  # fmt: skip
def test_boxes_of_several_maps_are_mscnn_s(settings, given):
    arrays = [np.random.default_rng(k).normal(size=(2, 7, *size)).astype(np.float32) for k, size in enumerate(SIZES)]
    found, wanted = fed(settings, arrays).forward(), boxes(arrays, **given)
    assert len(wanted) > 2
    assert found["y"].shape == (len(wanted), 5, 1, 1)
    assert np.allclose(found["y1"][..., 0, 0], wanted, atol=1e-3)
    assert np.allclose(found["y"][..., 0, 0], wanted[:, :5], atol=1e-3)


def test_where_no_box_is_found_one_region_is_told_all_the_same():
    arrays = [np.zeros((1, 6, *size), np.float32) for size in SIZES]
    found = fed("fg_thr: 1", arrays).forward()
    assert found["y"].ravel().tolist() == [0, 1, 1, 10, 10]
    assert found["y1"].ravel().tolist() == [0] * 6


def moved(moves, regions, mean, std):
    rows = []
    for move, (image, left, top, right, low) in zip(moves[:, 4:], regions, strict=True):
        d = move * std + mean
        wide, high = right - left + 1, low - top + 1
        x, y = d[0] * wide + (left + right) / 2, d[1] * high + (top + low) / 2
        w, h = wide * math.exp(d[2]), high * math.exp(d[3])
        rows.append([image, x - (w - 1) / 2, y - (h - 1) / 2, x + (w - 1) / 2, y + (h - 1) / 2])
    return np.array(rows)


@pytest.mark.parametrize(
    ("settings", "mean", "std"),
    [
        ("", 0, 1),
        ("bbox_mean: [0, 0, 0, 0] bbox_std: [0.1, 0.1, 0.2, 0.2]", 0, np.array([0.1, 0.1, 0.2, 0.2])),
        ("bbox_mean: [0.1, -0.1, 0.2, 0] bbox_std: [1, 1, 1, 1]", np.array([0.1, -0.1, 0.2, 0]), 1),
    ],
)
def test_regions_are_moved_by_the_object_s_four_numbers(settings, mean, std):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 50, size=(6, 2))
    regions = np.column_stack([rng.integers(0, 2, 6), corner, corner + rng.uniform(5, 30, size=(6, 2))])
    moves = rng.normal(size=(6, 8))
    text = layer("DecodeBBox", f"bbox_reg_param {{ {settings} }}")
    found = net_of(text, [moves.astype(np.float32), regions.astype(np.float32)]).forward()["y"]
    assert np.allclose(found, moved(moves, regions, mean, std), rtol=1e-4, atol=1e-3)


def test_in_training_regions_that_end_before_they_begin_are_dropped():
    regions = np.float32([[0, 0, 0, 9, 9], [0, 5, 5, 14, 14]])
    moves = np.zeros((2, 8), np.float32)
    moves[0, 6] = -5  # a tenth of a pixel: the end lies before the begin
    nets = [net_of(layer("DecodeBBox"), [moves, regions], phase=phase) for phase in (caffe.TEST, caffe.TRAIN)]
    assert [len(net.forward()["y"]) for net in nets] == [2, 1]
    assert np.allclose(nets[1].blobs["y"].data, regions[1:])


@pytest.mark.parametrize("ratio", [0.25, 0.1])
def test_regions_are_made_wider_by_pad_ratio_before_they_are_pooled(ratio):
    x, wide = distinct(2, 3, 5, 6), REGIONS.astype(np.float64)
    sides = wide[:, 3:] - wide[:, 1:3] + 1
    wide[:, 1:3] -= ratio * sides
    wide[:, 3:] += ratio * sides
    check_layer(
        layer("ROIPooling", f"roi_pooling_param {{ pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 pad_ratio: {ratio} }}"),
        [(2, 3, 5, 6), (5, 5)],
        values=[x, REGIONS],
        expected=lambda x, _: pooled_regions(x, wide),
    )


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("BoxOutput"), [(1, 6, 2, 2)], "1 bottoms, with 0 field_h"),
        (layer("BoxOutput", "box_output_param { field_h: 1 field_w: 1 downsample_rate: 1 nms_type: 'X' }"),
         [(1, 6, 2, 2)], "nms_type 'X'"),
        (layer("BoxOutput", "box_output_param { field_h: 1 field_w: 1 downsample_rate: 1 }"), [(1, 5, 2, 2)],
         "at least 2 scores"),
        (layer("DecodeBBox", "bbox_reg_param { bbox_mean: 0 bbox_std: 1 }"), [(1, 8), (1, 5)], "expected 4 of each"),
        (layer("DecodeBBox"), [(1, 4), (1, 5)], r"expected \(R, 8\)"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words) as error:
        check_layer(text, shapes)
    assert "layer 'layer'" in str(error.value)
