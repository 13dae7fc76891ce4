"""The gradient of a ReLU in one pass over its top."""

import torch

from caffe import plan
from caffe.plan.capabilities import Pairs, Way, drawn


def bottom_gradient(grad: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    """The top's gradient where the top is positive, else zeros: all that a ReLU's gradient takes."""
    if not plan.PLAIN and WAY.works:
        return _in_one_pass(grad, top)
    return _in_two(grad, top)


def _in_one_pass(grad: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.threshold_backward(grad, top, 0)


def _in_two(grad: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    return torch.where(top <= 0, 0, grad)


def _trial() -> Pairs:
    top, grad = torch.relu(drawn(5, 70)), drawn(5, 70) + 1
    yield _in_one_pass(grad, top), _in_two(grad, top)


WAY = Way("the gradient of a ReLU in one pass", _trial)
