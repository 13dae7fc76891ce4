"""Which boxes are right, and the mean average precision that the solver makes of it, against forms box by box."""

import logging

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.forks import detection_evaluate
from caffe.solver.average_precision import average_precision, of_classes
from tests.forks.forms import layer, net_of
from tests.forks.test_types import overlap


def in_pixels(box, size):
    return [side * size[1 - k % 2] for k, side in enumerate(np.clip(box, 0, 1))]


def pixels_overlap(a, b):
    wide, high = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1))
    if wide < 0 or high < 0:
        return 0
    shared = (wide + 1) * (high + 1)
    return shared / (sum((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)) - shared)


def judged(detections, truth, classes, threshold=0.5, difficult=True, sizes=None):
    rows = []
    for label in range(1, classes):
        counted = [row for row in truth if row[0] >= 0 and row[1] == label and (difficult or not row[7])]
        rows.append([-1, label, len(counted), -1, -1])
    for image in sorted({row[0] for row in detections if row[1] != -1}):
        for label in range(1, classes):
            taken = set()
            ours = [row for row in detections if row[0] == image and row[1] == label]
            true = [row for row in truth if row[0] == image and row[1] == label]
            for row in sorted(ours, key=lambda row: -row[2]) if true else ours:
                if sizes:
                    size = sizes[int(image)]
                    shares = [pixels_overlap(in_pixels(row[3:7], size), in_pixels(each[3:7], size)) for each in true]
                else:
                    shares = [overlap(row[3:7], each[3:7]) for each in true]
                best = max(range(len(shares)), key=lambda k, shares=shares: shares[k], default=None)
                if best is None or shares[best] < threshold or best in taken:
                    status = (0, 1)
                elif not difficult and true[best][7]:
                    status = (0, 0)
                else:
                    status = (1, 0)
                    taken.add(best)
                if best is not None and shares[best] >= threshold and not difficult and true[best][7]:
                    status = (0, 0)
                rows.append([*row[:3], *status])
    return np.array(rows)


def drawn(images=3, classes=3, seed=0):
    """True boxes of some images, and detections near them and elsewhere."""
    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for image in range(images - 1):
        for count in range(4):
            corner = rng.uniform(0, 0.5, 2)
            box = [*corner, *(corner + rng.uniform(0.2, 0.4, 2))]
            truth.append([image, 1 + count % (classes - 1), count, *box, count == 2])
            for _ in range(2):
                near = np.array(box) + rng.normal(size=4) * 0.04
                detections.append([image, 1 + count % (classes - 1), rng.uniform(), *near])
    for image in range(images):
        corner = rng.uniform(0, 0.5, 2)
        detections.append([image, 1, rng.uniform(), *corner, *(corner + 0.3)])
    return np.float32(sorted(detections, key=lambda row: (row[0], row[1], -row[2]))), np.float32(truth)


def evaluated(detections, truth, settings="", times=1):
    classes = "" if "num_classes" in settings else "num_classes: 3"
    text = layer("DetectionEvaluate", f"detection_evaluate_param {{ {classes} {settings} }}")
    net = net_of(text, [detections[None, None], truth[None, None]])
    return [net.forward()["y"][0, 0] for _ in range(times)][-1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ("", {}),
        ("overlap_threshold: 0.7", {"threshold": 0.7}),
        ("evaluate_difficult_gt: false", {"difficult": False}),
    ],
)
def test_a_detection_is_right_if_it_overlaps_a_true_box_that_has_no_better_one(settings, given, seed):
    detections, truth = drawn(seed=seed)
    found = evaluated(detections, truth, settings)
    assert np.allclose(found, judged(detections, truth, 3, **given))
    assert {0, 1} <= set(found[2:, 3])


def test_boxes_are_compared_in_pixels_where_the_sizes_of_the_images_are_known(tmp_path):
    sizes = [(12, 20), (9, 7), (30, 5)]
    (tmp_path / "sizes.txt").write_text("".join(f"image{k} {h} {w}\n" for k, (h, w) in enumerate(sizes)))
    detections, truth = drawn()
    settings = f"name_size_file: '{tmp_path}/sizes.txt' overlap_threshold: 0.6"
    wanted = judged(detections, truth, 3, 0.6, sizes=sizes)
    assert np.allclose(evaluated(detections, truth, settings), wanted)
    assert np.allclose(evaluated(detections, truth, settings, times=3), wanted)
    assert not np.allclose(wanted, judged(detections, truth, 3, 0.6))


@pytest.mark.parametrize("size", [(10, 40), (40, 10)])
def test_pads_of_the_net_s_data_are_taken_off_before_boxes_are_compared(tmp_path, size):
    """In a net's 20 × 20, an image of 10 × 40 is 5 × 20, with 7.5 above and below."""
    (tmp_path / "sizes.txt").write_text(f"image {size[0]} {size[1]}\n")
    box = np.array([0.2, 0.3, 0.9, 0.8])
    long = int(size[0] > size[1])
    padded = box.copy()
    padded[1 - long :: 2] = (7.5 + 5 * box[1 - long :: 2]) / 20
    detection = np.float32([[0, 1, 0.5, *padded]])
    truth = np.float32([[0, 1, 0, *padded, 0]])
    settings = f"""num_classes: 2 name_size_file: '{tmp_path}/sizes.txt'
        resize_param {{ resize_mode: FIT_LARGE_SIZE_AND_PAD height: 20 width: 20 }}"""
    text = layer("DetectionEvaluate", f"detection_evaluate_param {{ {settings} }}")
    net = net_of(text, [detection[None, None], truth[None, None]])
    assert net.forward()["y"][0, 0, 1, 3:].tolist() == [1, 0]
    resize = net.nodes[-1].layer.param.resize_param
    assert np.allclose(detection_evaluate.in_pixels(padded[None], size, resize)[0], in_pixels(box, size), atol=1e-4)


def test_images_without_a_detection_have_no_row():
    truth = np.float32([[1, 2, 0, 0.1, 0.1, 0.5, 0.5, 0]])
    nothing = np.float32([[0, -1, -1, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1, -1]])
    assert evaluated(nothing, truth).tolist() == [[-1, 1, 0, -1, -1], [-1, 2, 1, -1, -1]]


@pytest.mark.parametrize(
    ("settings", "change", "words"),
    [
        ("num_classes: 0", None, "Must provide num_classes"),
        ("overlap_threshold: 0", None, "overlap_threshold must be above 0"),
        ("name_size_file: 'nothing.txt'", None, "Failed to open name size file: nothing.txt"),
        ("resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD }", None, "no height and width"),
        ("", 0, "has class 0"),
        ("", 3, "has class 3; expected 0 … 2 without 0"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_by_layer(settings, change, words):
    detections, truth = drawn()
    if change is not None:
        truth[1, 1] = change
    with pytest.raises(CaffeError, match=words) as error:
        evaluated(detections, truth, settings)
    assert "layer 'layer'" in str(error.value)


def curve(scores, right, positives):
    order = sorted(range(len(scores)), key=lambda k: -scores[k])
    hits, precisions, recalls = 0, [], []
    for place, k in enumerate(order, start=1):
        hits += right[k]
        precisions.append(hits / place)
        recalls.append(np.float32(hits / positives))
    return precisions, recalls


def by_formula(scores, right, positives, version):
    precisions, recalls = curve(scores, right, positives)
    count = len(precisions)
    if version == "11point":
        return sum(
            max((p for p, r in zip(precisions, recalls, strict=True) if float(r) >= step / 10), default=0)
            for step in range(11)
        ) / 11  # fmt: skip
    total, before = 0, 0
    for k in range(count):
        best = precisions[k] if version == "Integral" else max(precisions[max(k - 1, 0) :])
        total += best * (recalls[k] - before)
        before = recalls[k]
    return total


@pytest.mark.parametrize("version", ["11point", "MaxIntegral", "Integral"])
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_the_formula_s(version, seed):
    rng = np.random.default_rng(seed)
    scores, right = rng.uniform(size=25), rng.uniform(size=25) < 0.6
    positives = int(right.sum()) + seed
    found = average_precision(scores, right, positives, version)
    assert found == pytest.approx(by_formula(scores, right, positives, version), abs=1e-6)


@pytest.mark.parametrize("version", ["11point", "MaxIntegral", "Integral"])
def test_average_precision_is_one_where_all_is_found_and_nothing_else(version):
    assert average_precision(np.array([3.0, 2, 1]), np.array([True] * 3), 3, version) == pytest.approx(1)
    assert average_precision(np.array([3.0, 2, 1]), np.array([False] * 3), 3, version) == 0
    assert average_precision(np.zeros(0), np.zeros(0, bool), 3, version) == 0


def test_a_detection_of_a_difficult_box_counts_neither_way():
    rows = np.array([[-1, 1, 2, -1, -1], [0, 1, 0.9, 1, 0], [0, 1, 0.8, 0, 0], [0, 1, 0.7, 1, 0]])
    assert of_classes(rows, "Integral") == {1: pytest.approx(1)}


NET = """
layer {{ name: "data" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: [1, 1] }} }}
    include {{ phase: TRAIN }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 1
    weight_filler {{ type: "xavier" }} }} include {{ phase: TRAIN }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "x" include {{ phase: TRAIN }} }}
layer {{ name: "found" type: "Input" top: "found" input_param {{ shape {{ dim: [1, 1, {found}, 7] }} }}
    include {{ phase: TEST }} }}
layer {{ name: "true" type: "Input" top: "true" input_param {{ shape {{ dim: [1, 1, {true}, 8] }} }}
    include {{ phase: TEST }} }}
layer {{ name: "detection_eval" type: "DetectionEvaluate" bottom: "found" bottom: "true" top: "detection_eval"
    detection_evaluate_param {{ num_classes: 3 }} include {{ phase: TEST }} }}
"""


def told(tmp_path, caplog, extra, found, true):
    (tmp_path / "net.prototxt").write_text(NET.format(found=len(found), true=len(true)))
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: 0.1 lr_policy: 'fixed' test_iter: 2 test_interval: 10 "
        f"snapshot_prefix: '{tmp_path}/s' {extra}"
    )
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    solver.test_nets[0].blobs["found"].data[...] = found
    solver.test_nets[0].blobs["true"].data[...] = true
    caplog.clear()
    with caplog.at_level(logging.INFO):
        solver.test_all()
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("version", ["11point", "MaxIntegral", "Integral"])
def test_the_solver_tells_the_mean_over_the_classes_and_each_class_if_asked(tmp_path, caplog, version):
    found, true = drawn()
    lines = told(tmp_path, caplog, f"eval_type: 'detection' ap_version: '{version}' show_per_class_result: true",
                   found, true)  # fmt: skip
    rows = judged(found, true, 3)
    by_class = []
    for label in (1, 2):
        mine = np.concatenate([rows[(rows[:, 0] >= 0) & (rows[:, 1] == label)]] * 2)
        by_class.append(by_formula(mine[:, 2], mine[:, 3], 2 * rows[label - 1, 2], version))
    assert f"class1: {by_class[0]:g}" in lines
    assert f"class2: {by_class[1]:g}" in lines
    assert lines[-1] == f"    Test net output #0: detection_eval = {np.mean(by_class):g}"


def test_a_class_of_which_nothing_is_found_is_told_and_counts_as_zero(tmp_path, caplog):
    true = np.float32([[0, 1, 0, 0, 0, 0.5, 0.5, 0], [0, 2, 0, 0, 0, 0.5, 0.5, 0]])
    found = np.float32([[0, 1, 0.9, 0, 0, 0.5, 0.5]])
    lines = told(tmp_path, caplog, "eval_type: 'detection'", found, true)
    assert "Missing true_pos for label: 2" in lines
    assert lines[-1] == "    Test net output #0: detection_eval = 0.5"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("eval_type: 'segmentation'", "Unknown evaluation type"),
        ("ap_version: '12point'", "Unknown ap_version: 12point"),
    ],
)
def test_an_evaluation_that_nobody_knows_is_refused(tmp_path, caplog, extra, words):
    with pytest.raises(CaffeError, match=words):
        told(tmp_path, caplog, extra, np.zeros((1, 7)), np.zeros((1, 8)))


def test_an_output_of_another_kind_is_named_where_detections_are_evaluated(tmp_path, caplog):
    text = NET + 'layer {{ name: "more" type: "Reduction" bottom: "found" top: "more" include {{ phase: TEST }} }}'
    (tmp_path / "net.prototxt").write_text(text.format(found=1, true=1))
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: 0.1 lr_policy: 'fixed' test_iter: 1 test_interval: 10 "
        f"eval_type: 'detection' snapshot_prefix: '{tmp_path}/s'"
    )
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    solver.test_nets[0].blobs["found"].data[...] = -1
    solver.test_nets[0].blobs["true"].data[...] = -1
    with pytest.raises(CaffeError, match="the output 'more' of the test net is one number"):
        solver.test_all()
