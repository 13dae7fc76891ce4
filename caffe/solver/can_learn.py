"""Trainings that cannot work are stopped, or cause a warning, before they cost days.

The commonest failure of FCN training is a net whose weights were never loaded: its layers are zero, every gradient is
zero, and the loss stays at ln(number of classes). A zero layer as such is no mistake (score layers start from zero), so
`check` refuses only what can never learn: it follows which values and which gradients are zero, let zero weights that
get a gradient come alive, and looks at what is left.
"""

import math
import os
from collections.abc import Iterator, Sequence

import torch

from caffe.errors import NetError
from caffe.layer_types.base import TorchLayer
from caffe.layer_types.helpers import fillers
from caffe.log import log
from caffe.net import Net
from caffe.net.graph import Node, Param
from caffe.proto import caffe_pb2

REMEDY = (
    "Load weights that have these layers: --weights FILE (in Python: net.copy_from, or surgery.transplant where shapes "
    "differ); fill deconvolutions with surgery.interp; or give the layers a weight_filler. To train all the same: "
    "--allow-zero-init (in Python: solver.allow_zero_init = True, or CAFFE_ALLOW_ZERO_INIT=1 in the environment)."
)


def allowed_by_environment() -> bool:
    """Whether CAFFE_ALLOW_ZERO_INIT switches the check off."""
    return os.environ.get("CAFFE_ALLOW_ZERO_INIT", "") not in ("", "0")


def fill_frozen_deconvolutions(net: Net) -> None:
    """Give deconvolutions that are fixed (lr_mult 0) and all zero the bilinear kernels that they stand for."""
    for node in net.nodes:
        layer = node.layer
        if layer.type != "Deconvolution" or not _is_frozen(net, node.params[0]) or not _is_zero(node.params[0]):
            continue
        weights = layer.blobs[0].tensor
        inputs, outputs_per_group, *kernel = weights.shape
        depthwise = outputs_per_group == 1
        if len(kernel) != 2 or kernel[0] != kernel[1] or not (depthwise or outputs_per_group == inputs):
            continue
        bilinear = fillers.fill(caffe_pb2.FillerParameter(type="bilinear"), (1, 1, *kernel))[0, 0]
        channels = torch.arange(inputs, device=weights.device)
        weights[channels, torch.zeros_like(channels) if depthwise else channels] = bilinear
        log.info(
            "%s: lr_mult is 0 and the weights are all zero, filled with bilinear interpolation (kernel %d×%d)",
            layer,
            *kernel,
        )


def check(net: Net) -> None:
    """Refuse to train a net in which zero weights keep layers from ever learning. Raises NetError with the remedy."""
    zero = {id(param.owner) for node in _weighted(net) for param in node.params if _is_zero(param)}
    learning = _learning(net, zero)
    while zero & learning:
        zero -= learning
        learning = _learning(net, zero)
    dead = [
        node
        for node in _weighted(net)
        if node.runs_backward and not _is_frozen(net, node.params[0]) and id(node.params[0].owner) not in learning
    ]
    causes = [node for node in _weighted(net) if id(node.params[0].owner) in zero]
    if dead and causes:
        raise NetError(
            f"net '{net.name}': the weights of {_names(causes)} are all zero, and so {_names(dead)} would get no "
            f"gradient, ever. {REMEDY}"
        )


def _weighted(net: Net) -> list[Node]:
    return [node for node in net.nodes if node.layer.traits.weighted]


def _names(nodes: Sequence[Node]) -> str:
    names = [node.layer.name for node in nodes]
    return ", ".join(names) if len(names) < 8 else f"{', '.join(names[:6])} and {len(names) - 6} more layers"


def _is_zero(param: Param) -> bool:
    values = param.blob.tensor.reshape(-1)
    return not values[:4096].any() and not values.any()


def _is_frozen(net: Net, param: Param) -> bool:
    return net.graph.learnable[id(param.owner)].lr_mult == 0


def _learning(net: Net, zero: set[int]) -> set[int]:
    """The parameters of weighted layers whose gradient need not be zero while those in `zero` are (ids of owners)."""
    learning: set[int] = set()
    reached: set[int] = set()
    for node, inputs in zip(reversed(net.nodes), reversed(_zero_inputs(net, zero)), strict=True):
        layer = node.layer
        seeded = {blob for blob, weight in zip(node.top_ids, node.loss_weights, strict=True) if weight}
        below = bool((reached | seeded) & set(node.top_ids)) and node.runs_backward
        if node.layer.traits.weighted:
            if below:
                fed = node.params if not all(inputs) else node.params[1:]
                learning |= {id(param.owner) for param in fed if not _is_frozen(net, param)}
            passes = [below and id(node.params[0].owner) not in zero] * len(inputs)
        elif node.layer.traits.multiplies_bottoms:
            passes = [below and not any(inputs[:index] + inputs[index + 1 :]) for index in range(len(inputs))]
        elif layer.flat_at_zero():
            passes = [below and not all(inputs)] * len(inputs)
        else:
            passes = [below or (node.runs_backward and not isinstance(layer, TorchLayer))] * len(inputs)
        reached -= set(node.bottom_ids)
        wanted = zip(node.bottom_ids, layer.propagate_down, passes, strict=True)
        reached |= {blob for blob, asked, passed in wanted if asked and passed}
    return learning


def _zero_inputs(net: Net, zero: set[int]) -> list[list[bool]]:
    """For each node, which of its bottoms are zero whatever the data."""
    zero_blobs: set[int] = set()
    found = []
    for node in net.nodes:
        inputs = [blob in zero_blobs for blob in node.bottom_ids]
        found.append(inputs)
        param_is_zero = [id(param.owner) in zero for param in node.params]
        if node.layer.traits.weighted:
            silent = (param_is_zero[0] or all(inputs)) and all(param_is_zero[1:])
        elif node.layer.traits.multiplies_bottoms:
            silent = any(inputs) and not node.params  # the bias of such a Scale may be anything
        else:
            silent = bool(inputs) and all(inputs) and node.layer.zero_at_zero()
        zero_blobs.difference_update(node.top_ids)
        if silent:
            zero_blobs.update(node.top_ids)
    return found


class LossWatch:
    """Compares softmax losses with ln(classes), the loss of a net that says the same of every class."""

    AFTER = (100, 200)
    """Iterations at which to look; a loss that is near ln(classes) at all of them is stuck."""
    NEAR = 1e-3

    def __init__(self, net: Net):
        self._nodes = [n for n in net.nodes if n.layer.type == "SoftmaxWithLoss" and any(n.loss_weights)]
        self._suspects = {id(node) for node in self._nodes}

    def per_pixel(self) -> Iterator[str]:
        """For each loss over a map, a line for the log; it waits for the device."""
        for node in self._nodes:
            loss, classes, labelled = _loss_per_label(node)
            if labelled > node.bottom[0].shape[0]:
                yield (
                    f"    Train loss per pixel, {node.layer.name}: {loss:g} over {labelled} labelled pixels "
                    f"(ln {classes} = {math.log(classes):g})"
                )

    def look(self, iterations: int) -> Iterator[str]:
        """After so many iterations, a warning for each loss that is stuck."""
        if iterations not in self.AFTER:
            return
        for node in self._nodes:
            loss, classes, _ = _loss_per_label(node)
            if not abs(loss - math.log(classes)) <= self.NEAR * math.log(classes):
                self._suspects.discard(id(node))
            elif iterations == self.AFTER[-1] and id(node) in self._suspects:
                yield (
                    f"{node.layer}: after {iterations} iterations the loss per label is {loss:g}, ln {classes} = "
                    f"{math.log(classes):g}: the net still says the same of all classes. Usually weights were not "
                    "loaded (--weights), deconvolutions are zero (surgery.interp), or base_lr is far too small."
                )


def _loss_per_label(node: Node) -> tuple[float, int, int]:
    """A SoftmaxWithLoss layer's loss per label that counts, the number of classes, and of labels that count."""
    settings, scores, labels = node.layer.layer_param, node.bottom[0].shape, node.bottom[1].tensor
    axis = settings.softmax_param.axis % len(scores)
    loss_param = settings.loss_param
    labelled = labels.numel()
    if loss_param.HasField("ignore_label"):
        labelled = int((labels != loss_param.ignore_label).sum())
    modes = caffe_pb2.LossParameter
    mode = loss_param.normalization
    if not loss_param.HasField("normalization") and loss_param.HasField("normalize"):
        mode = modes.VALID if loss_param.normalize else modes.BATCH_SIZE
    batch = math.prod(scores[:axis])
    divisors = {modes.FULL: labels.numel(), modes.VALID: labelled, modes.BATCH_SIZE: batch, modes.NONE: 1}
    loss = float(node.top[0].tensor) * max(1, divisors[mode]) / max(1, labelled)
    return loss, scores[axis], labelled
