"""The Python layers of py-faster-rcnn's training, which serve where no module of their names is found."""

import ast
import math

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.data.annotated.writer import write
from caffe.errors import CaffeError
from caffe.forks.regions import shifted
from caffe.proto import caffe_pb2
from tests.forks.forms import net_of
from tests.forks.test_python_modules import python

TRUTH = np.float32([[20, 30, 90, 120, 2], [100, 10, 180, 60, 1], [5, 100, 40, 140, 3]])
IMAGE = np.float32([[160, 208, 1.5]])


def overlap(a, b):
    wide, high = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) + 1 for k in (0, 1))
    if wide <= 0 or high <= 0:
        return 0
    return wide * high / (sum((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)) - wide * high)


def move(box, wanted):
    wide, high = box[2] - box[0] + 1, box[3] - box[1] + 1
    new_wide, new_high = wanted[2] - wanted[0] + 1, wanted[3] - wanted[1] + 1
    right = (wanted[0] + new_wide / 2 - box[0] - wide / 2) / wide
    down = (wanted[1] + new_high / 2 - box[1] - high / 2) / high
    return [right, down, math.log(new_wide / wide), math.log(new_high / high)]


def the_anchors(height, width, stride, scales):
    """By cell, then ratio, then scale: py-faster-rcnn's numbers for the first cell, as it prints them."""
    base = {0.5: (23, 12), 1: (16, 16), 2: (11, 22)}
    found = []
    for row in range(height):
        for column in range(width):
            for wide, high in base.values():
                for scale in scales:
                    x, y = 7.5 + column * stride, 7.5 + row * stride
                    a, b = (wide * scale - 1) / 2, (high * scale - 1) / 2
                    found.append([x - a, y - b, x + a, y + b])
    return found


def targets(settings, truth=TRUTH, size=(10, 13), border=0):
    scores = np.zeros((1, 18, *size), np.float32)
    text = python("rpn.anchor_target_layer", "AnchorTargetLayer", f"{{'feat_stride': 16, {settings}}}")
    net = net_of(text, [scores, truth, IMAGE], 4)
    caffe.set_random_seed(1)
    return net.forward()


def flat(blob, per_anchor):
    """(1, …, H, W) → by cell and anchor."""
    values = blob.reshape(9, per_anchor, *blob.shape[2:]) if per_anchor > 1 else blob.reshape(9, 1, 10, 13)
    return values.transpose(2, 3, 0, 1).reshape(-1, per_anchor)


SCALES = "'scales': [2, 4, 6]"


@pytest.mark.parametrize(
    "settings",
    [
        SCALES,
        f"{SCALES}, 'allowed_border': 30",
        f"{SCALES}, 'rpn_positive_overlap': 0.4",
        f"{SCALES}, 'rpn_clobber_positives': True, 'rpn_negative_overlap': 0.6",
    ],
)
def test_anchors_are_objects_or_background_by_their_overlaps(settings):
    found = targets(f"{settings}, 'rpn_batchsize': 100000")
    given = ast.literal_eval(f"{{{settings}}}")
    border = given.get("allowed_border", 0)
    labels, moves = flat(found["y"], 1).ravel(), flat(found["y1"], 4)
    inside, outside = flat(found["y2"], 4), flat(found["y3"], 4)
    boxes = the_anchors(10, 13, 16, [2, 4, 6])
    fits = [b[0] >= -border and b[1] >= -border and b[2] < 208 + border and b[3] < 160 + border for b in boxes]
    shares = [[overlap(box, row) if fit else -1 for row in TRUTH] for box, fit in zip(boxes, fits, strict=True)]
    best = [max(column) for column in zip(*shares, strict=True)]
    for index, (box, fit) in enumerate(zip(boxes, fits, strict=True)):
        wanted = -1
        if fit:
            most, low = max(shares[index]), given.get("rpn_negative_overlap", 0.3)
            is_best = any(abs(share - top) < 1e-9 for share, top in zip(shares[index], best, strict=True))
            wanted = 0 if most < low else -1
            wanted = 1 if is_best or most >= given.get("rpn_positive_overlap", 0.7) else wanted
            wanted = 0 if given.get("rpn_clobber_positives") and most < low else wanted
            assert np.allclose(moves[index], move(box, TRUTH[int(np.argmax(shares[index]))]), atol=1e-5)
        else:
            assert not moves[index].any()
        assert labels[index] == wanted
    assert {-1, 0, 1} <= set(labels)
    assert np.array_equal(inside, np.repeat((labels == 1)[:, None], 4, axis=1))
    assert np.allclose(outside, np.repeat((labels >= 0)[:, None] / (labels >= 0).sum(), 4, axis=1))


def test_at_most_so_many_anchors_count_and_half_of_them_are_objects():
    found = targets(f"{SCALES}, 'rpn_batchsize': 20, 'rpn_positive_overlap': 0.3")
    labels = found["y"].ravel()
    assert (labels == 1).sum() == 10
    assert (labels == 0).sum() == 10
    assert np.isclose(found["y3"].sum(), 4)


def test_the_moves_of_anchors_lead_to_the_true_boxes():
    found = targets(f"{SCALES}, 'rpn_batchsize': 100000")
    labels, moves = flat(found["y"], 1).ravel(), flat(found["y1"], 4)
    boxes = np.array(the_anchors(10, 13, 16, [2, 4, 6]))[labels == 1]
    x = shifted(boxes, moves[labels == 1])
    for box in x:
        away = np.abs((box + (0, 0, -1, -1)) - TRUTH[:, :4]).max(axis=1)  # py-faster-rcnn's boxes end a pixel later
        assert away.min() < 1e-3


def proposals(settings="", truth=TRUTH, seed=0, count=60, classes=4):
    rng = np.random.default_rng(seed)
    near = truth[rng.integers(0, len(truth), count), :4] + rng.normal(size=(count, 4)) * rng.choice([2, 40], (count, 1))
    near = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:])], axis=1)
    regions = np.insert(near, 0, 0, axis=1).astype(np.float32)
    text = python("rpn.proposal_target_layer", "ProposalTargetLayer", f"{{'num_classes': {classes}, {settings}}}")
    return net_of(text, [regions, truth], 5).forward(), regions


@pytest.mark.parametrize("settings", ["", "'batch_size': -1", "'bbox_normalize_targets_precomputed': False"])
def test_regions_are_of_the_class_that_they_overlap_and_true_boxes_are_among_them(settings):
    found, regions = proposals(settings)
    rois, labels = found["y"], found["y1"].ravel().astype(int)
    shapes = [found[name].shape for name in ("y2", "y3", "y4")]
    assert shapes == [(len(rois), 16)] * 3
    every = np.concatenate([regions, np.insert(TRUTH[:, :4], 0, 0, axis=1)])
    assert all((np.abs(every - roi).max(axis=1) < 1e-4).any() for roi in rois)
    assert all((np.abs(rois[:, 1:] - row[:4]).max(axis=1) < 1e-4).any() for row in TRUTH)
    stds = np.ones(4) if "False" in settings else np.array([0.1, 0.1, 0.2, 0.2])
    objects = 0
    for roi, label, where, inside, outside in zip(rois, labels, found["y2"], found["y3"], found["y4"], strict=True):
        shares = [overlap(roi[1:], row) for row in TRUTH]
        best = TRUTH[int(np.argmax(shares))]
        assert label == (best[4] if max(shares) >= 0.5 else 0)
        wanted = np.zeros((4, 4))
        if label:
            wanted[label] = move(roi[1:], best) / stds
            objects += 1
        assert np.allclose(where.reshape(4, 4), wanted, atol=1e-4)
        assert np.array_equal(inside.reshape(4, 4).any(axis=1), np.arange(4) == (label or -1))
        assert np.array_equal(inside, outside)
    assert 3 < objects < len(rois)


def test_at_most_so_many_regions_are_kept_a_quarter_of_them_objects():
    found, _ = proposals("'batch_size': 16", count=200)
    assert found["y"].shape == (16, 5)
    assert (found["y1"].ravel() > 0).tolist() == [True] * 4 + [False] * 12


@pytest.fixture
def database(tmp_path):
    rng = np.random.default_rng(0)
    items = []
    for number, size in enumerate([(40, 80), (60, 50), (30, 30)]):
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(image[..., ::-1]).save(tmp_path / f"{number}.png")
        datum = caffe_pb2.Datum(data=(tmp_path / f"{number}.png").read_bytes(), encoded=True)
        rows = [[1 + number, 0, 0.25, 0.1, 0.5, 0.6, 0]] if number < 2 else []
        items.append((f"{number}.png", datum, rows))
    write(tmp_path / "db", items)
    return tmp_path


def data_of(net):
    found = net.forward()
    return found["y"][0], found["y1"].ravel(), found["y2"]


def loading(settings):
    text = python("roi_data_layer.layer", "RoIDataLayer", f"{{'num_classes': 4, {settings}}}")
    return net_of(text, [], 3)


def test_images_of_a_database_come_in_their_order_scaled_with_their_boxes(database):
    net = loading(f"'source': '{database}/db', 'scales': [80], 'max_size': 120, 'flip': False")
    for size, scale, label in (((60, 120), 1.5, 1), ((96, 80), 1.6, 2), ((60, 120), 1.5, 1)):
        data, info, boxes = data_of(net)
        assert data.shape == (3, *size)
        assert np.allclose(info, [*size, scale])
        height, width = (side / scale for side in size)
        wanted = [0.25 * width, 0.1 * height, 0.5 * width - 1, 0.6 * height - 1]
        assert np.allclose(boxes, [[*(scale * np.array(wanted)), label]], atol=1e-4)


def test_pixels_are_less_the_mean_and_interpolated(database):
    picture = np.asarray(Image.open(database / "1.png"))[..., ::-1].astype(np.float32)
    same = loading(f"'source': '{database}/db', 'scales': [40], 'max_size': 80, 'flip': False")
    assert np.allclose(data_of(same)[0][:, 0, 0] + (102.9801, 115.9465, 122.7717),
                       np.asarray(Image.open(database / "0.png"))[0, 0, ::-1], atol=1e-3)  # fmt: skip
    net = loading(
        f"'source': '{database}/db', 'scales': [100], 'max_size': 120, 'pixel_means': [0, 0, 0], 'flip': False"
    )
    data_of(net)
    data, _, _ = data_of(net)
    assert data.shape == (3, 120, 100)
    assert np.allclose(
        data[:, 1, 1], (picture[:2, :2] * np.outer((3, 1), (3, 1))[..., None]).sum((0, 1)) / 16, atol=1e-3
    )


def test_mirrored_images_have_mirrored_boxes(database):
    caffe.set_random_seed(2)
    net = loading(f"'source': '{database}/db', 'scales': [40], 'max_size': 80")
    plain = np.asarray(Image.open(database / "0.png"))[..., ::-1].transpose(2, 0, 1)
    seen = set()
    for _ in range(16):
        data, _, boxes = data_of(net)
        if data.shape != plain.shape:
            continue
        pixels = data + np.reshape((102.9801, 115.9465, 122.7717), (3, 1, 1))
        turned = not np.allclose(pixels, plain, atol=1e-3)
        assert np.allclose(pixels, plain[:, :, ::-1] if turned else plain, atol=1e-3)
        assert np.allclose(boxes[0], [40, 4, 59, 23, 1] if turned else [20, 4, 39, 23, 1], atol=1e-4)
        seen.add(turned)
    assert seen == {True, False}


def test_a_script_may_set_the_images_as_py_faster_rcnn_s_does(database):
    net = loading("'scales': [40], 'max_size': 80")
    entry = {"image": str(database / "0.png"), "boxes": np.array([[1, 2, 30, 20], [5, 5, 9, 9]], np.uint16),
             "gt_classes": np.array([2, 0]), "flipped": False}  # fmt: skip
    net.layers[0].set_roidb([entry, {**entry, "flipped": True, "boxes": np.array([[49, 2, 78, 20], [5, 5, 9, 9]])}])
    boxes = sorted(tuple(data_of(net)[2][0]) for _ in range(2))
    assert boxes == [(1, 2, 30, 20, 2), (49, 2, 78, 20, 2)]


@pytest.mark.parametrize(
    ("module", "cls", "text", "arrays", "tops", "words"),
    [
        ("rpn.anchor_target_layer", "AnchorTargetLayer", "{}", [np.zeros((1, 18, 2, 2)), TRUTH, IMAGE], 4,
         "expected 'feat_stride'"),
        ("rpn.anchor_target_layer", "AnchorTargetLayer", "'feat_stride': 16, 'wibble': 1",
         [np.zeros((1, 18, 2, 2)), TRUTH, IMAGE], 4, "param_str has wibble; known are"),
        ("rpn.anchor_target_layer", "AnchorTargetLayer", "'feat_stride': 16",
         [np.zeros((2, 18, 2, 2)), TRUTH, IMAGE], 4, "Only single item batches"),
        ("rpn.proposal_target_layer", "ProposalTargetLayer", "{}", [np.zeros((1, 5)), TRUTH], 5, "'num_classes': 21"),
        ("rpn.proposal_target_layer", "ProposalTargetLayer", "'num_classes': 4", [np.ones((1, 5)), TRUTH], 5,
         "Only single item batches"),
        ("rpn.proposal_target_layer", "ProposalTargetLayer", "'num_classes': 3", [np.zeros((1, 5)), TRUTH], 5,
         "a true box is of class 3"),
        ("roi_data_layer.layer", "RoIDataLayer", "'num_classes': 3", [], 3, "there are no images"),
        ("roi_data_layer.layer", "RoIDataLayer", "'num_classes': 3", [], 6, "6 tops; expected data, im_info"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_by_layer(module, cls, text, arrays, tops, words):
    with pytest.raises(CaffeError, match=words) as error:
        net_of(python(module, cls, text), arrays, tops).forward()
    assert str(error.value).startswith("layer 'layer' (Python): ")
