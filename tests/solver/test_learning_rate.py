import numpy as np
import pytest

from caffe.errors import NetError
from caffe.formats.prototxt import parse
from caffe.proto import caffe_pb2
from caffe.solver.learning_rate import POLICIES, learning_rate


def solver(text):
    return parse(text, caffe_pb2.SolverParameter())


@pytest.mark.parametrize(
    ("text", "iteration", "expected"),
    [
        ('lr_policy: "fixed" base_lr: 0.01', 1000, 0.01),
        ('lr_policy: "step" base_lr: 0.1 gamma: 0.5 stepsize: 10', 9, 0.1),
        ('lr_policy: "step" base_lr: 0.1 gamma: 0.5 stepsize: 10', 10, 0.05),
        ('lr_policy: "step" base_lr: 0.1 gamma: 0.5 stepsize: 10', 35, 0.0125),
        ('lr_policy: "exp" base_lr: 0.1 gamma: 0.99', 50, 0.1 * 0.99**50),
        ('lr_policy: "exp" base_lr: 0.1 gamma: 2', 100_000, np.inf),
        ('lr_policy: "inv" base_lr: 0.1 gamma: 0.01 power: 0.75', 50, 0.1 * 1.5**-0.75),
        ('lr_policy: "poly" base_lr: 0.1 max_iter: 100 power: 2', 30, 0.1 * 0.49),
        ('lr_policy: "poly" base_lr: 0.1 max_iter: 100 power: 2', 100, 0),
        ('lr_policy: "poly" base_lr: 0.1 max_iter: 100', 120, 0.1),
        ('lr_policy: "sigmoid" base_lr: 0.1 gamma: 0.2 stepsize: 10', 10, 0.05),
        ('lr_policy: "sigmoid" base_lr: 0.1 gamma: 0.2 stepsize: 10', 20, 0.1 / (1 + np.exp(-2))),
        ('lr_policy: "sigmoid" base_lr: 0.1 gamma: 50 stepsize: 5000', 0, 0.0),
    ],
)
def test_policy(text, iteration, expected):
    rate, _ = learning_rate(solver(text), iteration)
    np.testing.assert_allclose(rate, expected, rtol=1e-6)
    assert np.isnan(rate) or rate == np.float32(rate)


def test_multistep_goes_one_step_a_call_and_keeps_its_step():
    param = solver('lr_policy: "multistep" base_lr: 1 gamma: 0.5 stepvalue: 2 stepvalue: 3')
    step, rates = 0, []
    for iteration in range(5):
        rate, step = learning_rate(param, iteration, step)
        rates.append(rate)
    assert rates == [1, 1, 0.5, 0.25, 0.25]
    assert learning_rate(param, 100, 0) == (0.5, 1)


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_poly_ends_at_max_iter(power):
    with pytest.raises(NetError, match=r"iteration 101 is beyond max_iter \(100\), where lr_policy 'poly' ends"):
        learning_rate(solver(f'lr_policy: "poly" base_lr: 0.1 max_iter: 100 power: {power}'), 101)
    with pytest.raises(NetError, match=r"iteration 0 is beyond max_iter \(0\)"):
        learning_rate(solver(f'lr_policy: "poly" base_lr: 0.1 power: {power}'), 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('lr_policy: "linear"', "Unknown learning rate policy: linear"),
        ('lr_policy: "step" gamma: 1', "stepsize is 0"),
        ('lr_policy: "sigmoid" gamma: 1', "stepsize is 0"),
        *(
            (f'lr_policy: "{policy}" gamma: -1 stepsize: 1', "gamma is -1")
            for policy in POLICIES
            if policy not in ("fixed", "poly")
        ),
    ],
)
def test_refused(text, words):
    with pytest.raises(NetError, match=words):
        learning_rate(solver(text), 0)
