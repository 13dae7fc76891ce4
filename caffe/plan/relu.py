"""The gradient of a ReLU in one pass over its top."""

import torch

from caffe.plan.capabilities import Capability, Compared, drawn


def in_one_pass(grad: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    """The top's gradient where the top is positive, else zeros: all that a ReLU's gradient takes."""
    return torch.ops.aten.threshold_backward(grad, top, 0)


def _trial() -> Compared:
    top, grad = torch.relu(drawn(5, 70)), drawn(5, 70) + 1
    yield in_one_pass(grad, top), torch.where(top <= 0, 0, grad)


CAPABILITY = Capability("the gradient of a ReLU in one pass", _trial)
