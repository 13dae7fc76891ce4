"""AnnotatedData: images with boxes out of a database, and what becomes of both."""

import colorsys
import io
import math

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.data.annotated import distortion, resizing, sampling
from caffe.data.annotated.writer import write
from caffe.data.random import Random
from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.proto import caffe_pb2
from tests.forks.forms import layer, net_of
from tests.forks.test_types import overlap

ROWS = [
    [[1, 0, 0.12, 0.2, 0.5, 0.6, 0], [2, 0, 0.5, 0.5, 1.0, 0.9, 1], [1, 1, 0.0, 0.0, 0.2, 0.3, 0]],
    [],
    [[2, 0, 0.25, 0.25, 0.75, 0.5, 0]],
]
BY_GROUP = [0, 2, 1]
"""Boxes of a class are stored together."""


def raw(image):
    return caffe_pb2.Datum(
        channels=image.shape[2], height=image.shape[0], width=image.shape[1], data=image.transpose(2, 0, 1).tobytes()
    )


def encoded(image):
    content = io.BytesIO()
    Image.fromarray(image[..., ::-1]).save(content, "PNG")
    return caffe_pb2.Datum(data=content.getvalue(), encoded=True)


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    found = [rng.integers(0, 255, (8, 10, 3), np.uint8) for _ in ROWS]
    write(tmp_path / "db", [(f"{k}.png", encoded(image), ROWS[k]) for k, image in enumerate(found)])
    return [image.transpose(2, 0, 1).astype(np.float32) for image in found]


def reading(tmp_path, settings="", *, batch=1, annotated="", phase=caffe.TRAIN, tops=2, backend="LMDB"):
    text = f"""data_param {{ source: '{tmp_path}/db' backend: {backend} batch_size: {batch} }}
        annotated_data_param {{ {annotated} }} transform_param {{ {settings} }}"""
    return net_of(layer("AnnotatedData", text), [], tops, phase)


def tops_of(net):
    net.forward()
    return [blob.data.copy() for blob in net.blobs.values()]


def test_a_batch_has_the_images_less_their_mean_and_all_their_boxes(tmp_path, images):
    net = reading(tmp_path, "mean_value: [4, 5, 6] scale: 0.5", batch=3)
    assert net.blobs["y"].data.shape == (3, 3, 8, 10)
    data, rows = tops_of(net)
    assert np.allclose(data, (np.array(images) - np.reshape([4, 5, 6], (3, 1, 1))) / 2)
    wanted = [[0, *ROWS[0][k]] for k in BY_GROUP] + [[2, *ROWS[2][0]]]
    assert rows.shape == (1, 1, 4, 8)
    assert np.allclose(rows[0, 0], wanted)
    assert np.allclose(tops_of(net)[1], rows)


def test_a_batch_without_a_box_has_one_row_that_says_so(tmp_path, images):
    net = reading(tmp_path)
    assert tops_of(net)[1].shape == (1, 1, 3, 8)
    assert tops_of(net)[1].tolist() == [[[[-1] * 8]]]
    assert tops_of(net)[1][0, 0, 0, 0] == 0


def test_a_mirrored_image_has_its_boxes_mirrored(tmp_path, images):
    net = reading(tmp_path, "mirror: true", batch=3)
    seen = set()
    for _ in range(12):
        data, rows = tops_of(net)
        for image, row in ((0, rows[0, 0, 0]), (2, rows[0, 0, 3])):
            turned = not np.array_equal(data[image], images[image])
            assert np.array_equal(data[image], images[image][:, :, ::-1] if turned else images[image])
            left, right = ROWS[image][0][2], ROWS[image][0][4]
            assert np.allclose(row[[3, 5]], (1 - right, 1 - left) if turned else (left, right), atol=1e-6)
            seen.add(turned)
    assert seen == {True, False}


def test_boxes_are_cut_off_at_a_crop_and_dropped_outside_of_it(tmp_path, images):
    data, rows = tops_of(reading(tmp_path, "crop_size: 4", phase=caffe.TEST))
    assert np.array_equal(data[0], images[0][:, 2:6, 3:7])
    wanted = [[0, 1, 0, 0, 0, 0.5, 0.7, 0], [0, 2, 0, 0.5, 0.5, 1, 1, 1]]
    assert np.allclose(rows[0, 0], wanted, atol=1e-6)  # 0.12 … 0.5 of 10 pixels is 1.2 … 5, in 3 … 7 it is 0 … 2 of 4


@pytest.mark.parametrize(("constraint", "labels"), [
    ("emit_type: CENTER", [1]),
    ("emit_type: MIN_OVERLAP emit_overlap: 0.3", [1]),
    ("emit_type: MIN_OVERLAP emit_overlap: 0.1", [1, 2]),
])  # fmt: skip
def test_boxes_of_which_too_little_is_left_are_not_told(tmp_path, images, constraint, labels):
    settings = f"crop_size: 4 emit_constraint {{ {constraint} }}"
    rows = tops_of(reading(tmp_path, settings, phase=caffe.TEST))[1]
    assert rows[0, 0, :, 1].tolist() == labels


BRIGHT = "mean_value: 0 "
RESIZE = "resize_param { height: 48 width: 60 %s }"
SAMPLER = """batch_sampler { sampler { min_scale: 0.3 max_scale: 0.9 min_aspect_ratio: 0.5 max_aspect_ratio: 2 }
    sample_constraint { min_object_coverage: 1 } max_sample: 1 max_trials: 200 }"""


@pytest.mark.parametrize(
    ("settings", "annotated", "tolerance"),
    [
        (RESIZE % "", "", 1.5),
        (RESIZE % "resize_mode: FIT_LARGE_SIZE_AND_PAD", "", 1.5),
        (RESIZE.replace("60", "20") % "resize_mode: FIT_LARGE_SIZE_AND_PAD", "", 1.5),
        (RESIZE % "resize_mode: FIT_SMALL_SIZE", "", 1.5),
        (RESIZE % "interp_mode: [LINEAR, AREA, NEAREST, CUBIC, LANCZOS4]" + " mirror: true", "", 2),
        (RESIZE % "" + " expand_param { prob: 1 max_expand_ratio: 3 } mirror: true", "", 2.5),
        (RESIZE % "", SAMPLER, 5),  # parts are cut to whole pixels, each up to 2.7 in the end
        (RESIZE % "" + " expand_param { prob: 0.7 max_expand_ratio: 2 } mirror: true", SAMPLER, 5),
        (RESIZE % "" + " crop_size: 44 mirror: true", "", 2),
    ],
)
def test_a_box_goes_where_its_pixels_go(tmp_path, settings, annotated, tolerance):
    """A bright rectangle on black, with its box: whatever is done, the box lies around what is bright."""
    image = np.zeros((40, 64, 3), np.uint8)
    image[12:30, 22:38] = 255
    write(tmp_path / "db", [("a", raw(image), [[1, 0, 22 / 64, 12 / 40, 38 / 64, 30 / 40, 0]])])
    net = reading(tmp_path, BRIGHT + settings, annotated=annotated)
    places = set()
    for _ in range(8):
        data, rows = tops_of(net)
        assert rows.shape == (1, 1, 1, 8)
        bright = data[0, 0] > 127
        height, width = bright.shape
        down, right = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        box = [right[0], down[0], right[-1] + 1, down[-1] + 1]
        places.add(tuple(box))
        assert np.abs(rows[0, 0, 0, 3:7] * (width, height, width, height) - box).max() <= tolerance
    random = any(word in settings + annotated for word in ("mirror", "expand", "sampler", "crop"))
    assert len(places) > 1 if random else len(places) == 1


def test_pads_are_filled_as_they_are_told(tmp_path):
    image = np.full((10, 20, 3), 200, np.uint8)
    write(tmp_path / "db", [("a", raw(image), [])])
    resize = "resize_param { height: 20 width: 20 resize_mode: FIT_LARGE_SIZE_AND_PAD %s }"
    data = tops_of(reading(tmp_path, resize % "pad_value: [1, 2, 3]"))[0][0]
    assert data[:, 0, 0].tolist() == [1, 2, 3]
    assert (data[:, 5:15] == 200).all()
    assert data[:, 19, 19].tolist() == [1, 2, 3]
    assert (tops_of(reading(tmp_path, resize % "pad_mode: REPEAT_NEAREST"))[0] == 200).all()
    assert (tops_of(reading(tmp_path, resize % "pad_mode: MIRRORED"))[0] == 200).all()


def test_a_larger_ground_has_the_colour_of_the_mean(tmp_path):
    write(tmp_path / "db", [("a", raw(np.full((10, 20, 3), 200, np.uint8)), [])])
    net = reading(tmp_path, "mean_value: [10, 20, 30] resize_param { height: 50 width: 50 interp_mode: NEAREST } "
                  "expand_param { prob: 1 max_expand_ratio: 4 }")  # fmt: skip
    values = {tuple(pixel) for _ in range(4) for pixel in tops_of(net)[0][0].reshape(3, -1).T.tolist()}
    assert values == {(0, 0, 0), (190, 180, 170)}


def test_labels_of_a_database_without_boxes_are_its_datums(tmp_path):
    from caffe.data.database import new_database

    with new_database(tmp_path / "db", "lmdb") as database:
        for label in (7, 3):
            datum = raw(np.zeros((2, 2, 3), np.uint8))
            datum.label = label
            database.put(str(label).encode(), caffe_pb2.AnnotatedDatum(datum=datum).SerializeToString())
    assert tops_of(reading(tmp_path, batch=2))[1].tolist() == [3, 7]


def message(name, text):
    return prototxt.parse(text, getattr(caffe_pb2, name)())


@pytest.mark.parametrize("kind", ["jaccard_overlap", "sample_coverage", "object_coverage"])
@pytest.mark.parametrize(("low", "high"), [(0.3, None), (None, 0.1), (0.1, 0.6)])
def test_sampled_parts_keep_their_constraint_on_some_box(kind, low, high):
    boxes = np.float32([[0.1, 0.1, 0.6, 0.5], [0.5, 0.4, 0.95, 0.9]])
    limits = " ".join(f"{end}_{kind}: {value}" for end, value in (("min", low), ("max", high)) if value is not None)
    sampler = message("BatchSampler", f"""sampler {{ min_scale: 0.2 max_scale: 0.9 min_aspect_ratio: 0.5
        max_aspect_ratio: 2 }} sample_constraint {{ {limits} }} max_sample: 5 max_trials: 500""")  # fmt: skip
    parts = sampling.samples([sampler], boxes, Random(1))
    assert len(parts) == 5
    for part in parts:
        assert (part >= 0).all()
        assert (part <= 1 + 1e-6).all()
        sides = part[2:] - part[:2]
        assert 0.2 - 1e-6 <= math.sqrt(sides.prod()) <= 0.9 + 1e-6
        assert 0.5 - 1e-5 <= sides[0] / sides[1] <= 2 + 1e-5
        shares = []
        for box in boxes:
            shared = np.prod(np.maximum(np.minimum(part[2:], box[2:]) - np.maximum(part[:2], box[:2]), 0))
            own = {"sample_coverage": sides.prod(), "object_coverage": np.prod(box[2:] - box[:2])}
            shares.append(overlap(part, box) if kind == "jaccard_overlap" else shared / own[kind])
        assert any((low or 0) - 1e-6 <= share <= (high or 1) + 1e-6 for share in shares)


def test_a_constraint_that_nothing_meets_gives_no_part():
    sampler = message("BatchSampler", "sample_constraint { min_jaccard_overlap: 0.9 } max_sample: 1 max_trials: 20")
    assert sampling.samples([sampler], np.float32([[0, 0, 0.1, 0.1]]), Random(1)) == []
    assert sampling.samples([sampler], np.zeros((0, 4), np.float32), Random(1)) == []


def test_hues_and_saturations_are_those_of_colorsys():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 10, 3), np.uint8)
    found = distortion.to_hsv(pixels)
    for (blue, green, red), (hue, saturation, value) in zip(pixels.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        wanted = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
        assert min(abs(int(hue) - 180 * wanted[0]), 180 - abs(int(hue) - 180 * wanted[0])) <= 0.51
        assert abs(int(saturation) - 255 * wanted[1]) <= 0.51
        assert value == max(red, green, blue)
    back = distortion.from_hsv(found)
    for hsv, bgr in zip(found.reshape(-1, 3), back.reshape(-1, 3), strict=True):
        rgb = colorsys.hsv_to_rgb(hsv[0] / 180, hsv[1] / 255, hsv[2] / 255)
        assert np.abs(255 * np.array(rgb[::-1]) - bgr).max() <= 0.51


@pytest.mark.parametrize(
    ("settings", "holds"),
    [
        ("brightness_prob: 1 brightness_delta: 32", lambda a, b: np.ptp((b - a)[(b > 0) & (b < 255)]) == 0),
        ("contrast_prob: 1 contrast_lower: 0.5 contrast_upper: 0.5", lambda a, b: np.abs(a / 2 - b).max() <= 0.5),
        ("saturation_prob: 1 saturation_lower: 0 saturation_upper: 0", lambda a, b: np.ptp(b, axis=2).max() == 0),
        ("hue_prob: 1 hue_delta: 18", lambda a, b: np.abs(a.max(2) - b.max(2)).max() == 0),
        ("random_order_prob: 1", lambda a, b: np.array_equal(np.sort(a, axis=2), np.sort(b, axis=2))),
    ],
)
def test_each_distortion_changes_what_it_names(settings, holds):
    image = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    param = message("DistortionParameter", settings)
    made = [distortion.distorted(image, param, Random(seed)) for seed in range(6)]
    assert all(holds(image.astype(float), each.astype(float)) for each in made)
    assert any(not np.array_equal(each, image) for each in made)
    assert np.array_equal(distortion.distorted(image, message("DistortionParameter", ""), Random(0)), image)


def interpolated(row, wanted, mode):
    """One row of numbers in another length, place by place."""
    scale, found = len(row) / wanted, []

    def at(k):
        return row[min(max(k, 0), len(row) - 1)]

    for place in range(wanted):
        middle = (place + 0.5) * scale - 0.5
        first = math.floor(middle)
        if mode == "NEAREST":
            found.append(row[int(place * scale)])
        elif mode == "AREA":
            low, high = place * scale, (place + 1) * scale
            found.append(sum(max(min(k + 1, high) - max(k, low), 0) * row[k] for k in range(len(row))) / scale)
        else:
            total = weights = 0
            for k in range(first - 3, first + 5):
                t = abs(middle - k)
                if mode == "CUBIC":
                    w = 1.25 * t**3 - 2.25 * t**2 + 1 if t <= 1 else 0
                    w = -0.75 * t**3 + 3.75 * t**2 - 6 * t + 3 if 1 < t < 2 else w
                else:
                    w = 1 if t == 0 else 0
                    if 0 < t < 4:
                        w = 4 * math.sin(math.pi * t) * math.sin(math.pi * t / 4) / (math.pi * t) ** 2
                total, weights = total + w * at(k), weights + w
            found.append(total / weights)
    return np.clip(np.rint(found), 0, 255)


@pytest.mark.parametrize("mode", ["NEAREST", "AREA", "CUBIC", "LANCZOS4"])
@pytest.mark.parametrize("wanted", [7, 12])
def test_images_are_interpolated_by_the_formula(mode, wanted):
    row = np.random.default_rng(0).integers(0, 256, 15, np.uint8)
    number = resizing.Resize.Interp_mode.Value(mode)
    for image in (row[None, :, None], row[:, None, None]):
        size = [wanted if side > 1 else 1 for side in image.shape[:2]]
        found = resizing.interpolated(image, *size, number).ravel()
        assert np.abs(found - interpolated(row.astype(float), wanted, mode)).max() <= 1


@pytest.mark.parametrize(("size", "wanted"), [(4, 6), (5, 12), (3, 4)])
def test_where_an_image_grows_area_gives_each_new_pixel_what_it_reaches_into(size, wanted):
    row = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    found = resizing.interpolated(row[None, :, None], 1, wanted, resizing.Resize.AREA).ravel()
    for place in range(wanted):
        first = place * size // wanted
        border = (first + 1) * wanted / size  # of the pixel, in new pixels
        share = max(place + 1 - border, 0)
        near, far = int(row[first]), int(row[min(first + 1, size - 1)])
        assert abs(found[place] - (near + (far - near) * share)) <= 0.51


@pytest.mark.parametrize(
    ("settings", "annotated", "batch", "words"),
    [
        ("resize_param { height: 4 }", "", 1, "Set both"),
        ("resize_param { height: 4 width: 4 resize_mode: FIT_SMALL_SIZE }", "", 2, "Only support batch size of 1"),
        ("resize_param { height: 4 width: 4 } resize_param {}", "", 1, "expected one at most"),
        ("noise_param { prob: 1 }", "", 1, "noise_param is not implemented"),
        ("expand_param { max_expand_ratio: 0.5 }", "", 1, "expected at least 1"),
        ("distort_param { hue_delta: -1 }", "", 1, "must be non-negative"),
        ("distort_param { contrast_prob: 1 contrast_lower: 2 contrast_upper: 1 }", "", 1, "Upper must be >= lower"),
        ("", "batch_sampler { sampler { min_scale: 0 } }", 1, "expected scales above 0"),
        ("", "yolo_data_type: 1", 1, "of YOLO's ports"),
        ("resize_param { height: 4 width: 4 pad_value: [1, 2] }", "", 1, "Specify either 1 pad_value"),
        ("crop_h: 3 crop_w: 3", "", 1, "crop_h is 3"),
        ("crop_size: 40", "", 1, "crop_size is 40"),
        ("", "", 0, "Positive batch size required"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_layer(tmp_path, images, settings, annotated, batch, words):
    with pytest.raises(CaffeError, match=words) as error:
        reading(tmp_path, settings, annotated=annotated, batch=batch)
    assert "layer 'layer'" in str(error.value)


def test_a_database_of_another_kind_is_told(tmp_path):
    from caffe.data.database import new_database

    with new_database(tmp_path / "db", "lmdb") as database:
        database.put(b"0", raw(np.zeros((2, 2, 3), np.uint8)).SerializeToString())
    with pytest.raises(CaffeError, match="it is no AnnotatedDatum"):
        reading(tmp_path)


def test_an_error_leaves_no_database_behind(tmp_path):
    with pytest.raises(CaffeError, match="no images to write"):
        write(tmp_path / "db", [])
    assert not (tmp_path / "db").exists()
