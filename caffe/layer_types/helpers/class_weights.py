"""Class weights in SoftmaxWithLoss, as in two forks.

SegNet, ENet:  loss_param { weight_by_label_freqs: true class_weighting: 0.3 class_weighting: … }
               Σ w[label] · CE, divided as without weights: by the labels that count, not by their weights
DeepLab v1:    softmaxloss_param { weight_source: "weights.txt" ignore_label: 255 }
               Σ w[label] · CE / Σ w[label]; a number a line, ignored labels weigh nothing
"""

from dataclasses import dataclass

import torch

from caffe.data import lists
from caffe.errors import DataError, NetError
from caffe.layer_types.base import NativeLayer
from caffe.layer_types.helpers.loss_base import normalizer


@dataclass
class ClassWeights:
    """A weight for each class; `own`: divided by their sum (DeepLab), else as the layer's normalization says."""

    values: torch.Tensor
    own: bool
    ignored: tuple[int, ...] = ()

    def loss(
        self, log_p: torch.Tensor, index: torch.Tensor, counted: torch.Tensor | None, mode: int, outer: int
    ) -> torch.Tensor:
        """The weighted loss of (outer, classes, inner) logarithms of probabilities and (outer, 1, inner) class
        numbers.
        """
        weights = self.values.to(log_p)[index]
        if counted is not None:
            weights = weights * counted
        total = -(weights * log_p.gather(1, index)).sum()
        if self.own:
            return total / weights.sum().clamp(min=torch.finfo(torch.float32).tiny)
        return total / normalizer(mode, outer, index.shape[2], counted)


def read(layer: NativeLayer, classes: int) -> ClassWeights | None:
    """The weights that a layer's settings give; None: none. NetError, unless there is one for each class."""
    param, deeplabs = layer.layer_param.loss_param, layer.layer_param.softmaxloss_param
    if not param.weight_by_label_freqs and not layer.layer_param.HasField("softmaxloss_param"):
        return None
    if param.weight_by_label_freqs:
        return ClassWeights(_checked(layer, list(param.class_weighting), classes), own=False)
    ignored = tuple(deeplabs.ignore_label)
    if len(ignored) > 1:
        raise NetError(f"{layer}: softmaxloss_param has {len(ignored)} ignore_labels; one is implemented. Keep one.")
    values = [1.0] * classes
    if deeplabs.weight_source:
        words = lists.read_words(deeplabs.weight_source, f"{layer}: Failed to open {deeplabs.weight_source}")
        try:
            values = [float(word) for word in words]
        except ValueError as error:
            raise DataError(
                f"{layer}: '{deeplabs.weight_source}': {error}. Expected a number for each class. Correct the file."
            ) from error
    return ClassWeights(_checked(layer, values, classes), own=True, ignored=ignored)


def _checked(layer: NativeLayer, values: list[float], classes: int) -> torch.Tensor:
    if len(values) != classes or not all(0 <= value < float("inf") for value in values):
        raise NetError(
            f"{layer}: {len(values)} weights for {classes} classes, expected one of 0 or more for each. Correct them."
        )
    return torch.tensor(values)
