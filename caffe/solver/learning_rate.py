"""The learning rate of an iteration: Caffe's seven policies (SGDSolver::GetLearningRate, sgd_solver.cpp).

fixed      base_lr
step       base_lr · gamma ^ floor(iter / stepsize)
exp        base_lr · gamma ^ iter
inv        base_lr · (1 + gamma · iter) ^ −power
multistep  base_lr · gamma ^ (number of stepvalues that iter has reached)
poly       base_lr · (1 − iter / max_iter) ^ power
sigmoid    base_lr / (1 + exp(−gamma · (iter − stepsize)))
"""

import numpy as np

from caffe.errors import NetError
from caffe.proto import caffe_pb2

POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")


def check_policy(param: caffe_pb2.SolverParameter) -> None:
    """Raise NetError for an unknown policy, or a setting with which it cannot give a rate."""
    policy = param.lr_policy
    if policy not in POLICIES:
        raise NetError(
            f"solver: lr_policy: Unknown learning rate policy: {policy}. Set lr_policy to one of {', '.join(POLICIES)}."
        )
    if policy in ("step", "sigmoid") and param.stepsize <= 0:
        raise NetError(f"solver: stepsize is {param.stepsize}, lr_policy '{policy}' wants it above 0. Set stepsize.")
    if policy not in ("fixed", "poly") and not param.gamma >= 0:
        raise NetError(f"solver: gamma is {param.gamma:g}, lr_policy '{policy}' wants it at least 0. Correct gamma.")


def learning_rate(param: caffe_pb2.SolverParameter, iteration: int, current_step: int = 0) -> tuple[float, int]:
    """The rate at an iteration, rounded to float32, and the solver's `current_step` after it.

    param: a SolverParameter. current_step: the step reached so far; multistep goes on from it, at most one step a call,
    as Caffe does. Raises NetError as `check_policy`, and beyond the end of poly, which is max_iter.
    """
    check_policy(param)
    policy = param.lr_policy
    if policy == "poly" and param.power and (iteration > param.max_iter or param.max_iter == 0):
        raise NetError(
            f"solver: iteration {iteration} is beyond max_iter ({param.max_iter}), where lr_policy 'poly' ends: its "
            "rate would be negative or no number. Stop there, raise max_iter, or set another lr_policy."
        )
    if policy == "step":
        current_step = iteration // param.stepsize
    elif policy == "multistep":
        steps = param.stepvalue
        current_step += current_step < len(steps) and iteration >= steps[current_step]
    with np.errstate(all="ignore"):
        return float(np.float32(param.base_lr * _factor(param, iteration, current_step))), current_step


def _factor(param: caffe_pb2.SolverParameter, iteration: int, current_step: int) -> float:
    gamma, power, count = np.float64(param.gamma), np.float64(param.power), np.float64(iteration)
    match param.lr_policy:
        case "step" | "multistep":
            return gamma**current_step
        case "exp":
            return gamma**count
        case "inv":
            return (1 + gamma * count) ** -power
        case "poly":
            return (1 - count / np.float64(param.max_iter)) ** power
        case "sigmoid":
            return 1 / (1 + np.exp(-gamma * (count - param.stepsize)))
        case _:
            return 1.0
