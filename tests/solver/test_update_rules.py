"""Each formula against its twin in NumPy, in double precision."""

import numpy as np
import pytest
import torch

from caffe.solver import update_rules
from caffe.solver.update_rules import MEMORIES, RULES, RuleSettings

SETTINGS = RuleSettings(momentum=0.8, momentum2=0.95, delta=1e-3, rms_decay=0.7, iteration=4)
RATE = 0.25


def sgd(g, h, s):
    h[0] = s.momentum * h[0] + RATE * g
    return h[0]


def nesterov(g, h, s):
    before = h[0]
    h[0] = s.momentum * before + RATE * g
    return (1 + s.momentum) * h[0] - s.momentum * before


def adagrad(g, h, s):
    h[0] = h[0] + g**2
    return RATE * g / (np.sqrt(h[0]) + s.delta)


def rmsprop(g, h, s):
    h[0] = s.rms_decay * h[0] + (1 - s.rms_decay) * g**2
    return RATE * g / (np.sqrt(h[0]) + s.delta)


def adadelta(g, h, s):
    h[0] = s.momentum * h[0] + (1 - s.momentum) * g**2
    v = g * np.sqrt((h[1] + s.delta) / (h[0] + s.delta))
    h[1] = s.momentum * h[1] + (1 - s.momentum) * v**2
    return RATE * v


def adam(g, h, s):
    t = s.iteration + 1
    h[0] = s.momentum * h[0] + (1 - s.momentum) * g
    h[1] = s.momentum2 * h[1] + (1 - s.momentum2) * g**2
    rate = RATE * np.sqrt(1 - s.momentum2**t) / (1 - s.momentum**t)
    return rate * h[0] / (np.sqrt(h[1]) + s.delta)


TWINS = {
    "SGD": sgd,
    "Nesterov": nesterov,
    "AdaGrad": adagrad,
    "RMSProp": rmsprop,
    "AdaDelta": adadelta,
    "Adam": adam,
}


def drawn(name, size):
    draw = np.random.default_rng(sum(map(ord, name)))
    weights, gradient = draw.standard_normal((2, size))
    return weights, gradient, [np.abs(draw.standard_normal(size)) for _ in range(MEMORIES[name])]


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    _, g, h = drawn(name, 50)
    diff, history = torch.tensor(g), [torch.tensor(each) for each in h]
    RULES[name](diff, history, RATE, SETTINGS)
    expected = TWINS[name](g, h, SETTINGS)
    np.testing.assert_allclose(diff, expected, rtol=1e-12, atol=1e-14)
    for found, each in zip(history, h, strict=True):
        np.testing.assert_allclose(found, each, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("l1", [False, True])
@pytest.mark.parametrize("size", [0, 1, update_rules.CHUNK, update_rules.CHUNK + 3])
def test_update_scales_decays_and_subtracts(name, l1, size):
    w, g, h = drawn(name, size)
    weights, diff, history = torch.tensor(w), torch.tensor(g), [torch.tensor(each) for each in h]
    update_rules.update(RULES[name], weights, diff, history, RATE, SETTINGS, scale=0.5, decay=0.1, l1=l1)
    expected = TWINS[name](g * 0.5 + 0.1 * (np.sign(w) if l1 else w), h, SETTINGS)
    np.testing.assert_allclose(diff, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weights, w - expected, rtol=1e-12, atol=1e-14)
