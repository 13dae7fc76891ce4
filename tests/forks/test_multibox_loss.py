"""MultiBoxLoss, against a form in NumPy that goes box by box."""

import math

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import layer, net_of
from tests.forks.test_types import decode, overlap

DEFAULTS = {
    "num_classes": 3, "match_type": "PER_PREDICTION", "overlap_threshold": 0.5, "use_prior_for_matching": True,
    "background_label_id": 0, "use_difficult_gt": True, "neg_pos_ratio": 3, "neg_overlap": 0.5, "code_type": "CORNER",
    "encode_variance_in_target": False, "map_object_to_agnostic": False, "ignore_cross_boundary_bbox": False,
    "bp_inside": False, "mining_type": "MAX_NEGATIVE", "sample_size": 64, "loc_loss_type": "SMOOTH_L1",
    "conf_loss_type": "SOFTMAX", "loc_weight": 1, "share_location": True, "normalization": "VALID",
    "nms_threshold": None, "top_k": None, "use_prior_for_nms": False,
}  # fmt: skip
PRIORS = 14


def encode(code, box, prior, variance):
    wide, high = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CORNER":
        return (box - prior) / variance
    if code == "CORNER_SIZE":
        return (box - prior) / (wide, high, wide, high) / variance
    middle = [(box[i] + box[i + 2] - prior[i] - prior[i + 2]) / 2 for i in (0, 1)]
    sizes = (math.log((box[2] - box[0]) / wide), math.log((box[3] - box[1]) / high))
    return np.array((middle[0] / wide, middle[1] / high, *sizes)) / variance


def pairs(boxes, rows, given):
    """{box: row}, and the largest overlap of each box; boxes that are ignored have −1."""
    shares = {(i, j): overlap(box, row[3:7]) for i, box in enumerate(boxes) for j, row in enumerate(rows)}
    most = [max((shares[i, j] for j in range(len(rows))), default=0) for i in range(len(boxes))]
    if given["ignore_cross_boundary_bbox"]:
        for i, box in enumerate(boxes):
            if min(box) < 0 or max(box) > 1:
                most[i] = -1
    free = {(i, j): share for (i, j), share in shares.items() if share > 1e-6 and most[i] >= 0}
    found = {}
    while free:
        i, j = max(free, key=free.get)
        found[i] = j
        free = {pair: share for pair, share in free.items() if pair[0] != i and pair[1] != j}
    if given["match_type"] == "PER_PREDICTION":
        for i in range(len(boxes)):
            best = max(range(len(rows)), key=lambda j, i=i: shares[i, j])
            if i not in found and most[i] >= 0 and shares[i, best] >= given["overlap_threshold"]:
                found[i] = best
    return found, most


def smooth(away, given):
    return sum(d * d / 2 if given["loc_loss_type"] == "L2" or abs(d) < 1 else abs(d) - 0.5 for d in away)


def of_scores(scores, labels, given):
    if given["conf_loss_type"] == "SOFTMAX":
        return math.log(np.exp(scores).sum()) - scores[min(labels)]
    return sum(
        -math.log(1 / (1 + math.exp(-score))) if k in labels else -math.log(1 - 1 / (1 + math.exp(-score)))
        for k, score in enumerate(scores)
    )


def multibox(**settings):
    given = DEFAULTS | settings
    code, mines, background = given["code_type"], given["mining_type"] != "NONE", given["background_label_id"]

    def in_image(where, scores, boxes, variances, rows):
        """Σ of the locations, Σ of the scores, how many matches."""
        sets = [0] if given["share_location"] else [k for k in range(given["num_classes"]) if k != background]
        if not len(rows):
            everything = sum(of_scores(s, [background] if given["conf_loss_type"] == "SOFTMAX" else [], given)
                             for s in scores)  # fmt: skip
            return 0, 0 if mines else everything, 0
        target_variances = np.ones_like(variances) if given["encode_variance_in_target"] else variances
        decoded = {s: np.array([decode(code, *each) for each in zip(where[:, s], boxes, target_variances, strict=True)])
                   for s in sets}  # fmt: skip
        matches, most = [], None
        for s in sets:
            mine = [j for j in range(len(rows)) if given["share_location"] or rows[j, 1] == s]
            if given["use_prior_for_matching"]:
                found, most = pairs(boxes, rows, given)
                found = {i: j for i, j in found.items() if j in mine}
            elif mine:
                found, most = pairs(decoded[s], rows[mine], given)
                found = {i: mine[j] for i, j in found.items()}
            else:
                found = {}
            matches += [(i, s, j) for i, j in found.items()]
        label_of = {i: (background + 1 if given["map_object_to_agnostic"] else int(rows[j, 1])) for i, _, j in matches}
        locations = {}
        for i, s, j in matches:
            away = where[i, s] / (variances[i] / target_variances[i]) - encode(code, rows[j, 3:7], boxes[i],
                                                                               variances[i])  # fmt: skip
            if given["bp_inside"]:
                shown = boxes[i] if given["use_prior_for_matching"] else decoded[s][i]
                away = [d if 0 <= side <= 1 else 0 for d, side in zip(away, shown, strict=True)]
            locations[i, s] = smooth(away, given)
        background_labels = [background]
        if not mines:
            background_labels = [background] if given["conf_loss_type"] == "SOFTMAX" else []
            negatives = [i for i in range(len(boxes)) if i not in label_of]
        else:
            losses = [of_scores(scores[i], [label_of.get(i, background)], given) for i in range(len(boxes))]
            if given["mining_type"] == "HARD_EXAMPLE":
                losses = [loss + locations.get((i, 0), 0) for i, loss in enumerate(losses)]
                among, count = range(len(boxes)), given["sample_size"]
            else:
                among = [i for i in range(len(boxes)) if i not in label_of and 0 <= most[i] < given["neg_overlap"]]
                count = min(int(len(label_of) * given["neg_pos_ratio"]), len(among))
            order = sorted(among, key=lambda i: -losses[i])
            if given["nms_threshold"]:
                seen, kept = boxes if given["use_prior_for_nms"] else decoded[0], []
                for i in order[: given["top_k"]]:
                    sides = np.maximum(seen[i][2:] - seen[i][:2], 0)
                    if sides.prod() >= 1e-5 and all(overlap(seen[i], seen[k]) <= given["nms_threshold"] for k in kept):
                        kept.append(i)
                order = kept
            chosen = set(order[:count])
            negatives = [i for i in chosen if i not in label_of and most[i] >= 0]
            if given["mining_type"] == "HARD_EXAMPLE":
                label_of = {i: label for i, label in label_of.items() if i in chosen}
                locations = {pair: loss for pair, loss in locations.items() if pair[0] in chosen}
        every = {i: {label} for i, label in label_of.items()}
        if given["conf_loss_type"] == "LOGISTIC" and not given["map_object_to_agnostic"]:
            for i, _, j in matches:
                every.get(i, set()).add(int(rows[j, 1]))
        total = sum(of_scores(scores[i], labels, given) for i, labels in every.items())
        total += sum(of_scores(scores[i], background_labels, given) for i in negatives)
        return sum(locations.values()), total, len(locations)

    def form(locations, scores, priors, truth):
        boxes, variances = priors.reshape(2, -1, 4).astype(np.float64)
        rows = truth.reshape(-1, 8).astype(np.float64)
        rows = rows if given["use_difficult_gt"] else rows[rows[:, 7] == 0]
        parts = [
            in_image(
                locations[n].reshape(len(boxes), -1, 4).astype(np.float64),
                scores[n].reshape(len(boxes), -1).astype(np.float64),
                boxes, variances, rows[rows[:, 0] == n],
            )
            for n in range(len(locations))
        ]  # fmt: skip
        near, right, count = (sum(part[k] for part in parts) for k in range(3))
        normalizers = {"VALID": count, "FULL": len(locations) * len(boxes), "BATCH_SIZE": len(locations), "NONE": 1}
        return np.array((given["loc_weight"] * near + right) / max(normalizers[given["normalization"]], 1))

    return form


def values(sets=1, classes=3, seed=0, truth="two images", images=3):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-0.1, 0.6, size=(PRIORS, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.2, 0.5, size=(PRIORS, 2))], axis=1)
    rows = []
    for image in (0, 2) if truth else ():
        for count in range(3):
            where = boxes[3 * count + image] + rng.normal(size=4) * 0.03
            rows.append([image, 1 + count % (classes - 1), count, *where, count == 1])
    variances = np.tile([0.1, 0.1, 0.2, 0.2], PRIORS)
    return [
        rng.normal(size=(images, PRIORS * sets * 4)),
        rng.normal(size=(images, PRIORS * classes)),
        np.stack([boxes.reshape(-1), variances])[None],
        np.array(rows or [[-1] * 8]).reshape(1, 1, -1, 8),
    ]


def case(name, *, given=None, **settings):
    """A row of the table: the settings of the layer, and the form with the same."""
    words = []
    for key, value in settings.items():
        text = str(value).lower() if isinstance(value, bool) else value
        if key not in ("normalization", "nms_threshold", "top_k"):
            words.append(f"{key}: {text}")
    if "nms_threshold" in settings:
        top_k = f"top_k: {settings['top_k']}" if "top_k" in settings else ""
        words.append(f"nms_param {{ nms_threshold: {settings['nms_threshold']} {top_k} }}")
    loss = f"loss_param {{ normalization: {settings['normalization']} }}" if "normalization" in settings else ""
    classes = settings.get("num_classes", 3)
    arrays = values(1 if settings.get("share_location", True) else classes, classes, **(given or {}))
    text = layer("MultiBoxLoss", f"multibox_loss_param {{ num_classes: {classes} {' '.join(words)} }} {loss}".replace(
        f"num_classes: {classes} num_classes: {classes}", f"num_classes: {classes}"))  # fmt: skip
    return name, (text, [each.shape for each in arrays], {"values": arrays, "expected": multibox(**settings)})


CASES = dict([
    case("MultiBoxLoss"),
    case("MultiBoxLoss as SSD's nets set it", code_type="CENTER_SIZE", overlap_threshold=0.4, neg_pos_ratio=2),
    case("MultiBoxLoss L2, LOGISTIC, all priors", loc_loss_type="L2", conf_loss_type="LOGISTIC", mining_type="NONE"),
    case("MultiBoxLoss LOGISTIC", conf_loss_type="LOGISTIC", normalization="BATCH_SIZE", loc_weight=2.5),
    case("MultiBoxLoss BIPARTITE", match_type="BIPARTITE", code_type="CORNER_SIZE", normalization="FULL"),
    case("MultiBoxLoss with locations of each class", share_location=False, mining_type="NONE",
         encode_variance_in_target=True, code_type="CENTER_SIZE"),
    case("MultiBoxLoss that matches predicted boxes", use_prior_for_matching=False, overlap_threshold=0.2),
    case("MultiBoxLoss that matches predicted boxes of each class", use_prior_for_matching=False, share_location=False,
         mining_type="NONE", overlap_threshold=0.2, normalization="NONE", conf_loss_type="LOGISTIC"),
    case("MultiBoxLoss HARD_EXAMPLE", mining_type="HARD_EXAMPLE", sample_size=5, code_type="CENTER_SIZE"),
    case("MultiBoxLoss apart from each other", nms_threshold=0.3, top_k=8, use_prior_for_nms=True),
    case("MultiBoxLoss of predictions apart from each other", nms_threshold=0.2, encode_variance_in_target=True),
    case("MultiBoxLoss inside the image", bp_inside=True, ignore_cross_boundary_bbox=False),
    case("MultiBoxLoss without boxes across the border", ignore_cross_boundary_bbox=True, neg_overlap=0.3),
    case("MultiBoxLoss without difficult boxes", use_difficult_gt=False),
    case("MultiBoxLoss of objects whatever they are", num_classes=2, map_object_to_agnostic=True),
    case("MultiBoxLoss without a true box", given={"truth": ""}),
    case("MultiBoxLoss of all priors, without a true box", given={"truth": ""}, mining_type="NONE"),
])  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


def loss_of(arrays, extra=""):
    text = layer("MultiBoxLoss", f"multibox_loss_param {{ num_classes: 3 }} {extra}")
    net = net_of(text, arrays, phase=caffe.TRAIN, force_backward=True)
    loss = float(net.forward()["y"])
    net.backward()
    return loss, [net.blobs[f"x{index}"].diff.copy() for index in range(2)]


def test_an_image_without_a_true_box_has_no_gradient():
    _, (locations, scores) = loss_of(values())
    assert locations[0].any()
    assert scores[2].any()
    assert not locations[1].any()
    assert not scores[1].any()


def test_the_order_of_the_true_boxes_changes_nothing():
    arrays = values()
    turned = [*arrays[:3], arrays[3][:, :, ::-1]]
    assert loss_of(arrays)[0] == pytest.approx(loss_of(turned)[0], rel=1e-6)


def test_a_term_that_is_not_propagated_is_left_out():
    arrays = values()
    whole, _ = loss_of(arrays)
    where, (_, scores) = loss_of(arrays, "propagate_down: [true, false, false, false]")
    what, (locations, _) = loss_of(arrays, "propagate_down: [false, true, false, false]")
    assert whole == pytest.approx(where + what, rel=1e-6)
    assert where > 0
    assert what > 0


def test_the_locations_that_a_detector_should_have_are_decoded_to_the_true_boxes():
    """A net that says what MultiBoxLoss wants is told by DetectionOutput to have found the true boxes."""
    for code in ("CORNER", "CENTER_SIZE", "CORNER_SIZE"):
        locations, scores, priors, truth = values(images=1)
        truth = truth[:, :, :3]
        text = layer("MultiBoxLoss", f"multibox_loss_param {{ num_classes: 3 code_type: {code} loc_loss_type: L2 "
                     "match_type: BIPARTITE } propagate_down: [true, false, false, false]")  # fmt: skip
        net = net_of(text, [locations, scores, priors, truth], phase=caffe.TRAIN, force_backward=True)
        net.forward()
        net.backward()
        away = net.blobs["x0"].diff * 3  # of L2, the gradient is the difference, over the matches
        sure = np.tile([1.0, 0, 0], PRIORS)[None]
        matched = np.flatnonzero(np.abs(away.reshape(PRIORS, 4)).sum(1))
        for place, row in zip(matched, sorted(truth[0, 0], key=lambda row: row[2]), strict=True):
            sure.reshape(PRIORS, 3)[place] = [0, row[1] == 1, row[1] == 2]
        said = layer("DetectionOutput", f"detection_output_param {{ num_classes: 3 code_type: {code} "
                     "confidence_threshold: 0.5 nms_param { nms_threshold: 0.99 } }")  # fmt: skip
        found = net_of(said, [locations - away, sure, priors]).forward()["y"][0, 0]
        for row in truth[0, 0]:
            assert np.abs(found[:, 3:] - row[3:7]).max(axis=1).min() < 1e-5


@pytest.mark.parametrize(
    ("body", "row", "words"),
    [
        ("", None, "Must provide num_classes"),
        ("num_classes: 3 background_label_id: 3", None, "should be within"),
        ("num_classes: 3 do_neg_mining: false", None, "do_neg_mining is deprecated"),
        ("num_classes: 3 share_location: false", None, "only support negative mining if share_location is true"),
        ("num_classes: 3 neg_pos_ratio: 0", None, "expected numbers above 0"),
        ("num_classes: 3 map_object_to_agnostic: true", None, "needs num_classes 2"),
        ("num_classes: 4", None, "Number of priors must match"),
        ("num_classes: 3", [0, 0], "Found background label in the dataset"),
        ("num_classes: 3", [0, 3], "expected images 0 … 2 and classes 0 … 2"),
        ("num_classes: 3", [3, 1], "a true box is of image 3"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_layer(body, row, words):
    arrays = values()
    if row:
        arrays[3][0, 0, 1, :2] = row
    with pytest.raises(CaffeError, match=words) as error:
        net_of(layer("MultiBoxLoss", f"multibox_loss_param {{ {body} }}"), arrays).forward()
    assert "layer 'layer'" in str(error.value)
