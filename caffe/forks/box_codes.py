"""Boxes (xmin, ymin, xmax, ymax) as NumPy arrays, and SSD's codes of boxes relative to their priors."""

import numpy as np

from caffe.proto import caffe_pb2

CODES = {name: caffe_pb2.PriorBoxParameter.CodeType.Value(name) for name in ("CORNER", "CENTER_SIZE", "CORNER_SIZE")}


def decoded(codes: np.ndarray, priors: np.ndarray, variances: np.ndarray | float, code_type: int) -> np.ndarray:
    """(P, 4): boxes, from how they differ from their priors, both (P, 4); variances 1 where the codes have them."""
    sizes = priors[:, 2:] - priors[:, :2]
    codes = variances * codes
    if code_type == CODES["CORNER"]:
        return priors + codes
    if code_type == CODES["CORNER_SIZE"]:
        return priors + codes * np.tile(sizes, 2)
    centres = codes[:, :2] * sizes + (priors[:, :2] + priors[:, 2:]) / 2
    with np.errstate(over="ignore"):  # of a net that has learned nothing yet
        halves = np.exp(codes[:, 2:]) * sizes / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def encoded(boxes: np.ndarray, priors: np.ndarray, variances: np.ndarray | float, code_type: int) -> np.ndarray:
    """(P, 4): the codes that `decoded` makes these boxes of."""
    sizes = priors[:, 2:] - priors[:, :2]
    if code_type == CODES["CORNER"]:
        return (boxes - priors) / variances
    if code_type == CODES["CORNER_SIZE"]:
        return (boxes - priors) / np.tile(sizes, 2) / variances
    shifts = ((boxes[:, :2] + boxes[:, 2:]) - (priors[:, :2] + priors[:, 2:])) / 2 / sizes
    stretches = np.log((boxes[:, 2:] - boxes[:, :2]) / sizes)
    return np.concatenate([shifts, stretches], axis=1) / variances
