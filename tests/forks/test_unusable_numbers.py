"""Numbers and shapes with which a layer of a fork cannot work are refused by its name, or told in the log."""

import logging
import math

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from tests.forks.forms import distinct, layer, net_of

NAN, INF = math.nan, math.inf
X = distinct(1, 2, 4, 4)
PRIORS = np.array([[0.1, 0.1, 0.4, 0.4, 0.5, 0.5, 0.9, 0.9], [0.1] * 8])[None]
LOCATIONS, SCORES = np.zeros((1, 8)), np.array([[0.3, 0.7, 0.2, 0.8]])
RPN = (np.linspace(0, 1, 18 * 9).reshape(1, 18, 3, 3), np.zeros((1, 36, 3, 3)), np.array([[48, 64, 1.0]]))
REGION = np.array([[0, 0, 0, 3, 3.0]])
YOLO = distinct(1, 7, 2, 2)


def of(type_, message, body):
    return layer(type_, f"{message}_param {{ {body} }}")


def pooling(type_, body=""):
    body = body or ("spatial_scale: 1 output_dim: 2 group_size: 1" if "PS" in type_ else "pooled_h: 2 pooled_w: 2")
    return of(
        type_, {"ROIPooling": "roi_pooling", "ROIAlign": "roi_align", "PSROIPooling": "psroi_pooling"}[type_], body
    )


def output(body=""):
    return of("DetectionOutput", "detection_output", f"num_classes: 2 code_type: CENTER_SIZE {body}")


def yolo(body):
    return of("YoloDetectionOutput", "yolo_detection_output", f"num_classes: 2 num_box: 1 {body}")


POOLINGS = ("ROIPooling", "ROIAlign", "PSROIPooling")
REFUSED = [
    (of("PriorBox", "prior_box", "min_size: 10 step: -8"), [X, X], "step is -8; Either step or step_h and step_w"),
    (of("PriorBox", "prior_box", "min_size: 10 step_h: 8"), [X, X], "step_h is 8; Either step or"),
    (of("PriorBox", "prior_box", "min_size: 10 step: 4 step_h: 8 step_w: 8"), [X, X], "not both"),
    (of("PriorBox", "prior_box", "min_size: 10 img_size: 9 img_h: 8 img_w: 8"), [X, X], "Either img_size or img_h"),
    (of("PriorBox", "prior_box", "min_size: 0.5"), [X, X], "expected 1 or more"),
    (of("PriorBox", "prior_box", "min_size: inf"), [X, X], "expected 1 or more"),
    (of("PriorBox", "prior_box", "min_size: 10"), [np.zeros((1, 2, 0, 4)), X], "expected pixels in both"),
    (output(), [LOCATIONS, SCORES, PRIORS[:, :1]], "Number of priors"),
    (output(), [LOCATIONS, SCORES, np.concatenate([PRIORS, PRIORS])], "Number of priors"),
    (output(), [LOCATIONS, SCORES, np.zeros((1, 2, 9))], "Number of priors"),
    *[
        (of("Proposal", "proposal", body), RPN, "expected numbers above 0")
        for body in ("feat_stride: 0", "base_size: 0", "ratio: [0, 1, 2]", "ratio: [-1, 1, 2]", "scale: [0, 1, 2]",
                     "nms_thresh: -1")
    ],
    (layer("Proposal"), [*RPN[:2], np.array([[0, 64, 1.0]])], "expected numbers above 0"),
    (layer("Proposal"), [*RPN[:2], np.array([[48, NAN, 1.0]])], "expected numbers above 0"),
    (layer("Proposal"), [*RPN[:2], np.ones((2, 3))], "height, width and scale of the image"),
    *[(pooling(name), [np.zeros((1, 2, 0, 4)), REGION], "a map with pixels") for name in POOLINGS],
    *[(pooling(name), [X, np.array([[n, 0, 0, 3, 3]])], "the batch has 1") for name in POOLINGS for n in (-1, 1, NAN)],
    *[
        (pooling(name, "pooled_h: 2 pooled_w: 2 spatial_scale: 0"), [X, REGION], "spatial_scale 0[;,] they")
        for name in POOLINGS[:2]
    ],
    (yolo("biases: 0 biases: 1"), [YOLO], "expected numbers above 0"),
    (of("Yolov3DetectionOutput", "yolov3_detection_output", "num_classes: 2 num_box: 1 mask_group_num: 1 biases: 9 "
        "biases: 9 mask: 0 anchors_scale: 0"), [YOLO], "anchors_scale .0"),
    (layer("Interp"), [X, np.zeros((2, 2))], "must have 4 axes"),
    (of("UnPooling", "unpooling", "unpool: REP"), [X, np.zeros((2, 2))], "must have 4 axes"),
    (layer("Resample"), [X, np.zeros(2)], "must have 4 axes"),
    (layer("Downsample"), [X, np.zeros(2)], "must have 4 axes"),
    (of("Resample", "resample", "factor: inf"), [X], "must be > 0"),
    (of("DepthwiseConvolution", "convolution", "num_output: 2 kernel_size: 1"), [np.zeros(3)], "must have 4 axes"),
    (of("Upsample", "upsample", "upsample_h: 9 upsample_w: 9"), [X], "a mask as second bottom"),
    (of("DataAugmentation", "augmentation", "crop_width: 2"), [X], "expected both or neither"),
    (layer("Maximum"), [np.zeros((1, 2, 0, 0))], "a map with pixels"),
    (of("Normalize", "norm", "eps: -5"), [X], "eps is -5"),
    (of("BN", "bn", "eps: -1"), [X], "eps is -1"),
    (of("Pooling3D", "pooling3d", "kernel_size: 1 kernel_depth: 1 temporal_stride: 0"), [np.zeros((1, 1, 3, 3, 3))],
     "at least 1 each"),
    (of("DecodeBBox", "bbox_reg", "bbox_mean: 0"), [np.zeros((2, 8)), np.zeros((2, 5))], "expected 4 of each"),
    (of("BoxOutput", "box_output", "field_w: 0 field_h: 9 downsample_rate: 8"), [np.zeros((1, 6, 2, 2))],
     "Correct box_output_param"),
    (of("MultiStageMeanfield", "multi_stage_meanfield",
        "num_iterations: 1 theta_alpha: 1 theta_beta: 3 theta_gamma: 3"), [X, X, np.full((1, 3, 4, 4), NAN)],
     "not finite"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values", "words"), REFUSED)
def test_numbers_that_cannot_work_are_refused_by_layer(text, values, words):
    with pytest.raises(CaffeError, match=words) as error:
        net_of(text, values).forward()
    assert "layer 'layer'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (output("confidence_threshold: 0.1"), [LOCATIONS, SCORES * NAN, PRIORS]),
        (layer("Proposal"), [RPN[0] * NAN, *RPN[1:]]),
        (yolo("biases: 1 biases: 1"), [YOLO * NAN]),
        (of("BoxOutput", "box_output", "field_w: 9 field_h: 9 downsample_rate: 8"), [np.full((1, 6, 2, 2), NAN)]),
    ],
)
def test_a_detector_that_is_given_nan_says_so(text, values, caplog):
    with caplog.at_level(logging.WARNING, "caffe"):
        net_of(text, values).forward()
    assert "layer 'layer'" in caplog.text
    assert "are NaN" in caplog.text


@pytest.mark.parametrize("name", POOLINGS)
def test_a_region_with_nan_is_empty_and_told(name, caplog):
    regions = np.concatenate([REGION, np.array([[0, NAN, 0, 3, 3]])])
    with caplog.at_level(logging.WARNING, "caffe"):
        found = net_of(pooling(name), [X, regions]).forward()["y"]
    assert np.array_equal(found[:1], net_of(pooling(name), [X, REGION]).forward()["y"])
    assert not found[1].any()
    assert "1 of 2 regions have NaN" in caplog.text


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("far", [1e8, 1e30, INF])
def test_a_region_that_reaches_far_out_of_the_map_is_pooled_at_once(name, far):
    found = net_of(pooling(name), [X, np.array([[0, 0, 0, far, far]])]).forward()["y"]
    assert np.isfinite(found).all()


def test_proposals_of_a_batch_take_the_size_of_each_image():
    scores, deltas, _ = RPN
    small = np.array([[20, 30, 1.0]])
    both = [np.concatenate([scores, scores]), np.concatenate([deltas, deltas]), np.concatenate([RPN[2], small])]
    found = net_of(layer("Proposal"), both).forward()["y"]
    alone = [net_of(layer("Proposal"), [scores, deltas, size]).forward()["y"] for size in (RPN[2], small)]
    assert all(map(len, alone))
    for number, wanted in enumerate(alone):
        assert np.array_equal(found[found[:, 0] == number][:, 1:], wanted[:, 1:])


def test_one_size_is_that_of_all_images():
    scores, deltas, size = RPN
    found = net_of(layer("Proposal"), [np.concatenate([scores] * 2), np.concatenate([deltas] * 2), size]).forward()["y"]
    assert np.array_equal(found[found[:, 0] == 0][:, 1:], found[found[:, 0] == 1][:, 1:])


def test_a_vector_of_zeros_has_no_angle_and_gets_finite_scores():
    body = 'num_output: 3 type: QUADRUPLE weight_filler { type: "xavier" }'
    text = of("MarginInnerProduct", "margin_inner_product", body)
    assert not net_of(text, [np.zeros((2, 4)), np.array([1, 2])], 2, phase=caffe.TEST).forward()["y"].any()


def test_peaks_below_zero_are_where_their_pixels_are():
    x = np.full((1, 1, 7, 7), -0.9)
    x[0, 0, 3, 2] = -0.5
    found = net_of(of("Nms", "nms", "threshold: -1"), [x]).forward()["y"]
    assert np.allclose(found[0, 0, :2], [[1, 0, 0], [2, 3, -0.5]])
