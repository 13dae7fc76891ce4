"""Layers of forks that OpenCV's DNN computes, too: the oracle of these cases is OpenCV.

A case is a layer, its bottoms and its parameters; recorded/forks.npz has what OpenCV gave. What it computes otherwise
than the forks is not here: Axpy (it takes the wrong operand), the fractions of PriorBox's sizes, Interp's pads and
shrinkage, Proposal's smallest size, and Resample between pixels. Nor is what it does not have. The oracles of all that
are forms in NumPy.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.forks.forms import layer


@dataclass
class OracleCase:
    """One layer; `bottoms` and `params` draw their values from a generator."""

    text: str
    bottoms: list[Callable[[np.random.Generator], np.ndarray]]
    params: list[Callable[[np.random.Generator], np.ndarray]] = field(default_factory=list)
    tolerance: float = 1e-5
    rows: bool = False
    """The top is a list of boxes, which OpenCV fills up with rows of zeros."""


def normal(*shape: int, scale: float = 1) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda draw: draw.normal(size=shape) * scale


def uniform(*shape: int, low: float = 0, high: float = 1) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda draw: draw.uniform(low, high, size=shape)


def fixed(values: Any) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda draw: np.asarray(values, np.float64)


def regions(count: int, images: int, width: float, height: float) -> Callable[[np.random.Generator], np.ndarray]:
    """(count, 5): image, corners, of which a few lie outside."""

    def drawn(draw: np.random.Generator) -> np.ndarray:
        first = draw.uniform(-2, (width, height), size=(count, 2))
        sides = draw.uniform(0, (width, height), size=(count, 2))
        return np.concatenate([draw.integers(0, images, size=(count, 1)), first, first + sides], axis=1).round(2)

    return drawn


def boxes(count: int, variance: list[float]) -> Callable[[np.random.Generator], np.ndarray]:
    """(1, 2, 4 · count): priors, and their variances."""

    def drawn(draw: np.random.Generator) -> np.ndarray:
        corner = draw.uniform(0, 0.7, size=(count, 2))
        corners = np.concatenate([corner, corner + draw.uniform(0.1, 0.3, size=(count, 2))], axis=1)
        return np.stack([corners.reshape(-1), np.tile(variance, count)])[None]

    return drawn


def shares(images: int, count: int, classes: int) -> Callable[[np.random.Generator], np.ndarray]:
    """(images, count · classes): scores that add up to 1 over the classes of each."""

    def drawn(draw: np.random.Generator) -> np.ndarray:
        scores = draw.uniform(size=(images, count, classes))
        return (scores / scores.sum(2, keepdims=True)).reshape(images, -1)

    return drawn


def _case(text: str, *bottoms: Any, **settings: Any) -> OracleCase:
    return OracleCase(text, list(bottoms), **settings)


def _priors(body: str, map_size: tuple[int, int], image: tuple[int, int]) -> OracleCase:
    return _case(layer("PriorBox", f"prior_box_param {{ {body} }}"), normal(1, 4, *map_size), normal(1, 3, *image))


def _detections(code: str, share: bool, body: str) -> OracleCase:
    settings = (
        f"num_classes: 4 share_location: {str(share).lower()} background_label_id: 0 code_type: {code} "
        f"confidence_threshold: 0.25 nms_param {{ nms_threshold: 0.4 top_k: 40 }} {body}"
    )
    return _case(
        layer("DetectionOutput", f"detection_output_param {{ {settings} }}"),
        normal(2, 60 * 4 * (1 if share else 4), scale=0.5),
        shares(2, 60, 4),
        boxes(60, [0.1, 0.1, 0.2, 0.2]),
        rows=True,
    )


_VARIANCE = "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"
_ROI = "pooled_h: 3 pooled_w: 2 spatial_scale: 0.25"
_RATIOS = "ratio: 0.5 ratio: 1 ratio: 2 scale: 8 scale: 16 scale: 32"
_PROPOSAL = "feat_stride: 16 base_size: 16 min_size: 1 pre_nms_topn: 60 post_nms_topn: 20 nms_thresh: 0.7"
CASES: dict[str, OracleCase] = {
    **{
        f"Permute to {order}": _case(
            layer("Permute", "permute_param { " + " ".join(f"order: {axis}" for axis in order) + " }"),
            normal(2, 3, 4, 5),
        )
        for order in ((0, 2, 3, 1), (0, 1, 2, 3), (0, 3, 1, 2), (1, 0, 3, 2))
    },
    "PriorBox of SSD's first map": _priors(
        f"min_size: 30 max_size: 60 aspect_ratio: 2 flip: true clip: false {_VARIANCE} step: 8 offset: 0.5",
        (5, 6), (40, 48),
    ),
    "PriorBox without a step, clipped": _priors(
        f"min_size: 21 max_size: 45 aspect_ratio: 2 aspect_ratio: 3 clip: true {_VARIANCE}", (4, 3), (64, 50)
    ),
    "PriorBox without flips": _priors(
        "min_size: 16 aspect_ratio: 2 flip: false clip: false variance: 0.1", (3, 3), (30, 30)
    ),
    **{
        f"DetectionOutput, {code}, {'one box' if share else 'a box for each class'}, {body or 'all'}": _detections(
            code, share, body
        )
        for code in ("CORNER", "CENTER_SIZE")
        for share in (True, False)
        for body in ("keep_top_k: 100", "keep_top_k: 9")
    },
    **{
        f"Normalize, across_spatial {across}, channel_shared {shared}": _case(
            layer("Normalize", f"norm_param {{ across_spatial: {across} channel_shared: {shared} }}"),
            normal(2, 4, 3, 5),
            params=[uniform(1 if shared == "true" else 4, low=5, high=20)],
        )
        for across, shared in (("true", "true"), ("false", "true"), ("false", "false"))
    },
    "ROIPooling": _case(
        layer("ROIPooling", f"roi_pooling_param {{ {_ROI} }}"), normal(1, 3, 12, 15), regions(9, 1, 50, 40)
    ),
    "PSROIPooling": _case(
        layer("PSROIPooling", "psroi_pooling_param { output_dim: 2 group_size: 3 spatial_scale: 0.25 }"),
        normal(1, 18, 12, 15),
        regions(9, 1, 50, 40),
    ),
    "Proposal": _case(
        layer("Proposal", f"proposal_param {{ {_PROPOSAL} {_RATIOS} }}"),
        uniform(1, 18, 5, 6), normal(1, 36, 5, 6, scale=0.3), fixed([[80, 96, 1]]), rows=True,
    ),
    "Proposal with anchors of its own": _case(
        layer("Proposal", f"proposal_param {{ {_PROPOSAL} ratio: 0.5 ratio: 1 scale: 2 scale: 4 }}"),
        uniform(1, 8, 5, 6), normal(1, 16, 5, 6, scale=0.3), fixed([[80, 96, 1]]), rows=True,
    ),
    **{
        f"Interp, {body}": _case(layer("Interp", f"interp_param {{ {body} }}"), normal(2, 3, 6, 7))
        for body in ("height: 9 width: 4", "zoom_factor: 2", "zoom_factor: 3")
    },
    "Reorg": _case(layer("Reorg", "reorg_param { stride: 2 }"), normal(1, 8, 6, 4)),
    "ShuffleChannel": _case(layer("ShuffleChannel", "shuffle_channel_param { group: 3 }"), normal(2, 12, 3, 4)),
    "ConvolutionDepthwise": _case(
        layer("ConvolutionDepthwise",
              "convolution_param { num_output: 6 group: 6 kernel_size: 3 pad: 1 stride: 2 bias_term: true }"),
        normal(2, 6, 7, 8), params=[normal(6, 1, 3, 3), normal(6)],
    ),
    "ReLU6": _case(layer("ReLU6"), normal(2, 3, 4, 5, scale=5)),
    "Mish": _case(layer("Mish"), normal(2, 3, 4, 5, scale=3)),
    "HardSwish": _case(layer("HardSwish"), normal(2, 3, 4, 5, scale=3)),
    "Round": _case(layer("Round"), normal(2, 3, 4, 5, scale=3)),
    "Pooling without ceil_mode": _case(
        layer("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 ceil_mode: false }"), normal(2, 3, 8, 10)
    ),
    "Correlation": _case(
        layer("Correlation", "correlation_param { pad: 4 kernel_size: 1 max_displacement: 4 stride_1: 1 stride_2: 2 }"),
        normal(1, 5, 9, 8), normal(1, 5, 9, 8),
    ),
    "Correlation with a kernel": _case(
        layer("Correlation", "correlation_param { pad: 3 kernel_size: 3 max_displacement: 2 stride_1: 2 stride_2: 1 }"),
        normal(1, 4, 10, 8), normal(1, 4, 10, 8),
    ),
    "FlowWarp": _case(layer("FlowWarp"), normal(1, 3, 7, 9), normal(1, 2, 7, 9, scale=2)),
    "Accum": _case(layer("Accum"), normal(1, 2, 4, 6), normal(1, 3, 4, 6)),
    "Resample to the nearest": _case(
        layer("Resample", "resample_param { width: 12 height: 12 type: NEAREST antialias: false }"), normal(1, 3, 6, 6)
    ),
    "BatchNorm of NVIDIA Caffe": _case(
        layer("BatchNorm", "batch_norm_param { scale_bias: true use_global_stats: true eps: 0.001 }"),
        normal(2, 3, 4, 5),
        params=[normal(3), uniform(3, low=0.5, high=2), fixed([1]), normal(3), normal(3)],
    ),
}  # fmt: skip
