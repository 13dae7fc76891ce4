"""Calls of a recorded pass that are merged (caffe/plan/merging.py) leave the same numbers."""

import pytest
import torch

from caffe.plan import merging
from caffe.plan.program import program
from caffe.plan.recorder import Call, CallRecorder, Slot, needed
from tests.plan.test_convolution_plan import needs_onednn

SHAPE = (2, 3, 4)


def recorded(compute, *inputs: torch.Tensor):
    """The calls of compute(*inputs), merged; and a function that makes them."""
    recorder = CallRecorder([])
    begins = [recorder.input(values) for values in inputs]
    with recorder:
        found = compute(*inputs)
    results = [recorder.place(found)]
    assert not recorder.flaw
    calls = merging.merged(needed(recorder.calls, results), results, recorder.layouts)
    return calls, program(calls, begins, results)


def functions(calls: list[Call]) -> list[object]:
    return [call.function for call in calls]


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def assert_computes(compute, *inputs: torch.Tensor) -> list[object]:
    """A merged pass gives what `compute` gives and leaves its inputs as they are; its functions."""
    calls, run = recorded(compute, *inputs)
    others = [values + 1 for values in inputs]
    before = [values.clone() for values in others]
    (found,) = run(*others)
    assert torch.equal(found, compute(*others))
    assert all(map(torch.equal, others, before))
    return functions(calls)


def test_sums_and_products_go_over_what_nobody_takes_any_more():
    found = assert_computes(lambda x: torch.sigmoid((x * 2 + 1) - 3), drawn(*SHAPE))
    assert found == [torch.mul, torch.Tensor.add_, torch.Tensor.sub_, torch.Tensor.sigmoid_]


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 1,
        lambda x: (y := x * 2) + 1 + y,
        lambda x: (y := x * 2) + y.flatten()[0],
        lambda x: (y := x * 2).t() + y,
        lambda x: (x[:, :1] * 2) + x,
        lambda x: (x.expand(2, 5, 5) * 1)[0] + 1,
    ],
    ids=["an input", "taken later", "a part of it", "turned", "a smaller one", "a part of another"],
)
def test_what_is_taken_again_is_not_written_over(compute):
    assert_computes(compute, drawn(5, 5))


def test_a_result_is_not_written_over():
    x = drawn(*SHAPE)
    recorder = CallRecorder([])
    begins = [recorder.input(x)]
    with recorder:
        first = x * 2
        second = first + 1
    results = [recorder.place(first), recorder.place(second)]
    run = program(merging.merged(recorder.calls, results, recorder.layouts), begins, results)
    found = run(x)
    assert torch.equal(found[0], x * 2)
    assert torch.equal(found[1], x * 2 + 1)


@needs_onednn
@pytest.mark.parametrize("relu", [torch.relu, torch.relu_], ids=["a ReLU", "one in place"])
def test_a_convolution_by_onednn_takes_a_relu_along(relu):
    weight, x = drawn(4, 3, 3, 3), drawn(1, 3, 6, 7)
    packed = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), [1, 1], [1, 1], [1, 1], 1, list(x.shape))

    def compute(x: torch.Tensor) -> torch.Tensor:
        settings = ([1, 1], [1, 1], [1, 1], 1, "none", [], "")
        return relu(torch.ops.mkldnn._convolution_pointwise(x, packed, None, *settings))

    assert len(assert_computes(compute, x)) == 1


@needs_onednn
def test_a_relu_stays_alone_where_its_bottom_is_taken_again():
    weight, x = drawn(4, 3, 3, 3), drawn(1, 3, 6, 7)
    packed = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), [1, 1], [1, 1], [1, 1], 1, list(x.shape))

    def compute(x: torch.Tensor) -> torch.Tensor:
        y = torch.ops.mkldnn._convolution_pointwise(x, packed, None, [1, 1], [1, 1], [1, 1], 1, "none", [], "")
        return torch.relu(y) + y

    assert torch.relu in assert_computes(compute, x)


def test_slots_are_told_from_settings():
    call = Call(torch.add, (Slot(1), [Slot(2), 3]), {"alpha": 4}, (5,))
    assert call.slots() == {1, 2}
