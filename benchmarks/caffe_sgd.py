"""Caffe's SGD and its recipes in plain PyTorch, for the training control."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


class CaffeSgd:
    """h ← momentum·h + rate·(g + decay·w), w ← w − h: unlike torch.optim.SGD's, the history includes the rate.

    solver: a SolverParameter. parameters: each with what its rate and its decay are multiplied by.
    Raises ValueError for a solver that is not SGD with a fixed rate or one that falls by steps.
    """

    def __init__(self, solver: Any, parameters: Iterable[tuple[Tensor, float, float]]):
        if solver.type != "SGD" or solver.lr_policy not in ("fixed", "multistep") or solver.clip_gradients > 0:
            raise ValueError(
                f"control: the solver is {solver.type} with lr_policy {solver.lr_policy}, expected SGD, fixed or "
                "multistep, without clip_gradients. Train another variant."
            )
        self.solver, self.iteration = solver, 0
        self.parameters = [each for each in parameters if each[1]]
        for parameter, *_ in self.parameters:
            parameter.requires_grad_(True)
        self.history = [torch.zeros_like(parameter) for parameter, *_ in self.parameters]

    @property
    def rate(self) -> float:
        """Of the next update."""
        falls = bisect_right(list(self.solver.stepvalue), self.iteration)
        return self.solver.base_lr * self.solver.gamma**falls if falls else self.solver.base_lr

    @torch.no_grad()
    def step(self) -> None:
        """One update by the gradients, which are those of `iter_size` images, and are cleared."""
        solver, rate = self.solver, self.rate
        for (parameter, rate_factor, decay_factor), history in zip(self.parameters, self.history, strict=True):
            assert parameter.grad is not None
            gradient = parameter.grad.div_(solver.iter_size)
            gradient.add_(parameter, alpha=solver.weight_decay * decay_factor)
            history.mul_(solver.momentum).add_(gradient, alpha=rate * rate_factor)
            parameter.sub_(history)
            parameter.grad = None
        self.iteration += 1


def multipliers(net: Any) -> Mapping[str, list[tuple[float, float]]]:
    """Of each layer's weights and biases in a NetParameter: lr_mult and decay_mult, 1 where they are not given."""
    return {
        layer.name: [
            (layer.param[i].lr_mult, layer.param[i].decay_mult) if i < len(layer.param) else (1.0, 1.0)
            for i in range(2)
        ]
        for layer in net.layer
        if layer.type == "Convolution"
    }
