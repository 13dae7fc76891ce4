"""What layer classes say of themselves (caffe/layer_types/base/traits.py) is so, in every case of the tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import caffe
from caffe import layer_types
from caffe.layer_types.base import REGISTRY, Handling, NativeLayer, Precision, TorchLayer, Traits
from caffe.net.graph import Node
from caffe.ops import checks, functions
from caffe.plan import replay, threads
from tests.cases import all_cases
from tests.cases import run as runner
from tests.cases.case import Case
from tests.cases.compare import difference

layer_types.load()

LOOKING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim", "is_nonzero"}
"""Functions of torch whose result, or its shape, Python needs at once."""

GO_ON = ("RNN", "LSTM")
"""Layers whose forward pass depends on the one before."""

CASES = [case for case in all_cases() if case.type and case.refused is None and not case.in_place]


@contextmanager
def node_of(case: Case) -> Iterator[Node]:
    """The case's layer in its net, which has run forward once; alone it has one thread, as so small a net has."""
    with runner.folder_of(case), threads.chosen(operations=0, size=0):
        caffe.set_random_seed(1)
        net = runner.build(case)
        net.forward()
        yield next(node for node in net.nodes if node.layer.name == "layer")


def each(condition: Callable[[Case], bool] = lambda case: True):
    return pytest.mark.parametrize("case", list(filter(condition, CASES)), ids=lambda case: f"{case.type}: {case.id}")


def differentiated(case: Case) -> bool:
    return case.backward and case.force_backward


def traits_of(case: Case) -> Traits:
    return REGISTRY[case.type].traits


def run(node: Node) -> list[torch.Tensor]:
    node.layer.forward(node.bottom, node.top)
    return tops_of(node)


def tops_of(node: Node) -> list[torch.Tensor]:
    return [blob.tensor.clone() for blob in node.top]


def gradients(node: Node) -> list[torch.Tensor]:
    """Of the bottoms and parameters that have one, for a drawn gradient of the tops."""
    generator = torch.Generator().manual_seed(0)
    for blob in node.top:
        blob.grad = torch.randn(blob.shape, generator=generator)
    for blob in (*node.bottom, *node.layer.blobs):
        blob.grad = torch.zeros(blob.shape)
    node.layer.backward(node.top, node.layer.propagate_down, node.bottom)
    wanted = zip(
        (*node.bottom, *node.layer.blobs),
        (*node.layer.propagate_down, *node.layer.param_propagate_down),
        strict=True,
    )
    return [blob.grad.clone() for blob, asked in wanted if asked]


def same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    pairs = list(zip(found, expected, strict=True))
    return all(a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def spoilt_tops_show(node: Node) -> bool:
    """Whether it changes gradients, bottoms or parameters to write over the tops after forward."""
    run(node)
    expected = gradients(node)
    run(node)
    others = [blob.tensor.clone() for blob in (*node.bottom, *node.layer.blobs)]
    for blob in node.top:
        blob.tensor.copy_(torch.full(blob.shape, 3.0))
    found = gradients(node)
    return not (same(found, expected) and same([blob.tensor for blob in (*node.bottom, *node.layer.blobs)], others))


@each(lambda case: differentiated(case) and not case.random and not traits_of(case).needs_tops)
def test_who_does_not_need_tops_has_the_same_gradients_when_they_are_written_over(case):
    with node_of(case) as node:
        assert not spoilt_tops_show(node)


@pytest.mark.parametrize("type_", ["ReLU", "Sigmoid", "TanH", "Softmax", "Split", "Flatten"])
def test_who_reads_tops_or_shares_them_is_found_out(type_):
    shown = []
    for case in CASES:
        if case.type == type_ and differentiated(case):
            with node_of(case) as node:
                assert node.layer.traits.needs_tops
                shown.append(spoilt_tops_show(node))
    assert any(shown)


@each(lambda case: traits_of(case).replaces_tops and not case.random and case.type not in GO_ON)
def test_who_replaces_tops_does_so_whatever_they_held(case):
    with node_of(case) as node:
        expected = run(node)
        for blob in node.top:
            blob.tensor = torch.full(blob.shape, torch.nan)
        held = [blob.tensor for blob in node.top]
        node.layer.forward(node.bottom, node.top)
        assert same([blob.tensor for blob in node.top], expected)
        assert all(blob.tensor is not old for blob, old in zip(node.top, held, strict=True))


class Watch(TorchDispatchMode):
    """Notes when Python looks at values."""

    def __init__(self):
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in LOOKING:
            self.seen.add(name)
        return func(*args, **(kwargs or {}))


def looked_at(node: Node, *, backward: bool) -> set[str]:
    """How Python looks at values, once it has seen the parameters a few times and while checks are left for later.

    By then it also has tried, once a process, what torch can do here.
    """
    for _ in range(replay.WARM_UP):
        run(node)
        if backward:
            node.layer.backward(node.top, node.layer.propagate_down, node.bottom)
    with checks.deferring([]), Watch() as watch:
        node.layer.forward(node.bottom, node.top)
        if backward:
            node.layer.backward(node.top, node.layer.propagate_down, node.bottom)
    return watch.seen


@each(lambda case: traits_of(case).replayable)
def test_who_is_replayable_looks_at_no_values_and_goes_on_from_none(case):
    with node_of(case) as node:
        assert case.random or same(tops_of(node), run(node))
        assert not looked_at(node, backward=differentiated(case))


@each(lambda case: traits_of(case).row_by_row and case.random)
def test_who_is_computed_row_by_row_and_draws_numbers_says_so(case):
    with node_of(case) as node:
        assert node.layer.traits.random or same(tops_of(node), run(node))


@pytest.mark.parametrize("type_", ["Embed", "BatchReindex", "Filter", "RNN", "LSTM"])
def test_who_looks_at_values_or_goes_on_from_them_is_found_out(type_):
    shown = []
    for case in CASES:
        if case.type == type_:
            with node_of(case) as node:
                assert not node.layer.traits.replayable
                shown.append(not same(tops_of(node), run(node)) or looked_at(node, backward=False))
    assert any(shown)


def in_bfloat16(layer: TorchLayer, node: Node) -> list[torch.Tensor]:
    layer.tensors = [blob.tensor for blob in layer.blobs]
    with torch.no_grad():
        tops = layer.compute(*(blob.tensor.bfloat16() for blob in node.bottom))
    return [tops] if isinstance(tops, torch.Tensor) else list(tops)


@each(lambda case: traits_of(case).precision is not Precision.SINGLE and not case.random)
def test_who_takes_bottoms_in_any_precision_computes_in_it(case):
    with node_of(case) as node:
        for blob in node.bottom:
            blob.tensor = blob.tensor.bfloat16().float()
        expected = run(node)
        for top, values in zip(in_bfloat16(node.layer, node), expected, strict=True):
            tells_where = values is not expected[0] and case.type == "Pooling"
            assert top.dtype == (torch.float32 if tells_where else torch.bfloat16)
            of_nothing = values == torch.finfo(torch.float32).min
            values = values.masked_fill(of_nothing, torch.finfo(torch.bfloat16).min)
            assert not difference(top.float().numpy(), values.numpy(), tolerance=2**-6)


def memory(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.numel()


@each(lambda case: traits_of(case).handling is not Handling.COMPUTED and not case.random)
def test_who_only_moves_numbers_puts_out_none_that_it_did_not_take_in(case):
    with node_of(case) as node:
        untouched = node.layer.traits.handling is Handling.UNTOUCHED
        sources = (*node.bottom, *node.layer.blobs)
        before = [memory(blob.tensor) for blob in node.top]
        tops = run(node)
        if untouched:
            given = [memory(blob.tensor) for blob in sources] or before
            assert all(memory(blob.tensor) in given for blob in node.top)
        elif sources:
            known = torch.cat([torch.zeros(1), *(blob.tensor.reshape(-1) for blob in sources)])
            whole = len(node.layer.blobs) < 2  # an Embed adds its bias
            assert not whole or all(torch.isin(top, known).all() for top in tops)


def test_who_is_fed_by_the_user_leaves_tops_as_they_are():
    fed = [name for name in caffe.layer_type_list() if REGISTRY[name].traits.fed_by_user]
    assert fed == ["Input"]


def set_zero(*blobs) -> None:
    for blob in blobs:
        blob.tensor = torch.zeros(blob.shape)


def all_zero(tensors: list[torch.Tensor]) -> bool:
    """Or not numbers: of these, too, nobody learns."""
    return not any(tensor.nan_to_num().any() for tensor in tensors)


def counted(case: Case) -> bool:
    return differentiated(case) and not case.random and not case.kinds and issubclass(REGISTRY[case.type], TorchLayer)


@each(lambda case: counted(case) and (traits_of(case).zero_at_zero or case.type == "Power"))
def test_what_is_zero_at_zero_and_what_gets_a_gradient_there(case):
    with node_of(case) as node:
        layer = node.layer
        set_zero(*node.bottom)
        if layer.zero_at_zero():
            assert all_zero(run(node))
        if layer.flat_at_zero():
            run(node)
            assert all_zero(gradients(node)[: sum(layer.propagate_down)])


def scales_by_bottom(case: Case) -> bool:
    return case.type == "Scale" and len(case.shapes) > 1


@each(lambda case: counted(case) and (traits_of(case).weighted or case.type == "Scale") and not scales_by_bottom(case))
def test_who_is_weighted_passes_nothing_by_weights_of_zero(case):
    with node_of(case) as node:
        layer = node.layer
        assert layer.traits.weighted
        bottoms, weights, biases = [blob.tensor.clone() for blob in node.bottom], layer.blobs[0], list(layer.blobs)[1:]
        values = weights.tensor.clone()
        set_zero(weights)
        run(node)
        found = gradients(node)
        assert all_zero(found[: len(bottoms)])
        assert not all_zero(found[len(bottoms) :])
        set_zero(*biases)
        assert all_zero(run(node))
        weights.tensor = values
        set_zero(*node.bottom)
        assert all_zero(run(node))
        assert all_zero(gradients(node)[len(bottoms) : len(bottoms) + 1])


@each(lambda case: counted(case) and (scales_by_bottom(case) or "PROD" in case.text))
def test_who_multiplies_bottoms_passes_nothing_by_a_bottom_of_zero(case):
    with node_of(case) as node:
        layer = node.layer
        assert layer.traits.multiplies_bottoms
        set_zero(node.bottom[0])
        tops, found = run(node), gradients(node)
        assert all_zero(tops) or layer.blobs
        assert all_zero(found[1 : len(node.bottom)])


def changed_positions(node: Node, axis: int, pixel: int) -> torch.Tensor:
    """Along an axis, where the top changes with a row or column of the bottom."""
    x = node.bottom[0].tensor.clone()
    (before,) = run(node)
    node.bottom[0].tensor = x.index_fill(axis, torch.tensor([pixel]), 1e3)
    (after,) = run(node)
    node.bottom[0].tensor = x
    others = [other for other in range(4) if other != axis]
    return ((before != after) & ~(before.isnan() & after.isnan())).any(others).nonzero().flatten()


def has_receptive_field(case: Case) -> bool:
    maps = [len(shape) for shape in case.shapes.values()] == [4]
    return maps and case.type in ("Convolution", "Pooling", "ReLU") and not case.random and not case.kinds


@each(has_receptive_field)
def test_a_position_changes_with_nothing_beyond_its_receptive_field(case):
    with node_of(case) as node:
        for axis, field in enumerate(node.layer.traits.receptive_field or (), start=2):
            for pixel in range(node.bottom[0].shape[axis]):
                first = field.stride * changed_positions(node, axis, pixel) - field.pad
                assert ((first <= pixel) & (pixel < first + field.extent)).all()


@each(has_receptive_field)
def test_positions_that_see_the_same_compute_the_same(case):
    with node_of(case) as node:
        fields, x = node.layer.traits.receptive_field, node.bottom[0]
        if fields is not None:
            x.tensor = torch.ones_like(x.tensor)
            (y,) = run(node)
            for axis, field in enumerate(fields, start=2):
                first = field.stride * torch.arange(y.shape[axis]) - field.pad
                inside = (first >= 0) & (first + field.extent <= x.shape[axis])
                same = y.index_select(axis, inside.nonzero().flatten())
                assert not same.numel() or torch.allclose(same, same.narrow(axis, 0, 1), rtol=1e-5, atol=1e-6)


@each(lambda case: case.type == "Convolution")
def test_who_is_a_conv2d_calls_it_once_with_its_bottom_and_its_receptive_field(case):
    with node_of(case) as node, pytest.MonkeyPatch.context() as patch:
        calls, convolve = [], functions.CONV2D
        patch.setattr(functions, "CONV2D", lambda call: calls.append(call) or convolve(call))
        tops, traits = run(node), node.layer.traits
        if traits.is_conv2d and node.layer.windows.fit(node.bottom[0].shape[2:]):
            (call,) = calls
            assert torch.equal(call.x, node.bottom[0].tensor)
            assert torch.equal(convolve(call), tops[0])
            assert (call.stride, call.pad) == tuple(
                zip(*((field.stride, field.pad) for field in traits.receptive_field), strict=True)
            )


def test_only_convolutions_are_conv2d():
    assert {name for name, layer in REGISTRY.items() if layer.traits.is_conv2d} == set()
    shown = set()
    for case in CASES:
        if case.type in ("Convolution", "Deconvolution", "Pooling"):
            with node_of(case) as node:
                shown.add((case.type, node.layer.traits.is_conv2d))
    assert shown == {("Convolution", True), ("Convolution", False), ("Deconvolution", False), ("Pooling", False)}


@each(lambda case: case.type == "ReLU")
def test_who_can_be_written_over_its_bottom_computes_the_same_there(case):
    with node_of(case) as node:
        expected, over_bottom = run(node), node.layer.traits.over_bottom
        assert (over_bottom is None) is node.layer.traits.needs_record
        if over_bottom is not None:
            x = node.bottom[0].tensor.clone()
            assert same([over_bottom(x)], expected)
            assert same([x], expected)


def test_layers_whose_positions_differ_tell_no_receptive_field():
    with_field, without = set(), set()
    for case in CASES:
        if case.type in ("Convolution", "Pooling", "ReLU", "LRN", "Crop"):
            with node_of(case) as node:
                (with_field if node.layer.traits.receptive_field else without).add(case.type)
    assert with_field == {"Convolution", "Pooling", "ReLU"}
    assert without == {"Convolution", "Pooling", "LRN", "Crop"}


def test_a_layer_that_says_nothing_promises_nothing():
    assert Traits() == Traits(
        needs_tops=True,
        needs_record=True,
        replaces_tops=False,
        replayable=False,
        precision=Precision.SINGLE,
        handling=Handling.COMPUTED,
        receptive_field=None,
        is_conv2d=False,
        over_bottom=None,
    )
    assert NativeLayer.traits == Traits()
    assert not TorchLayer.traits.replayable
    assert TorchLayer.traits.needs_tops


def test_settings_decide_where_they_must():
    found = {}
    for case in CASES:
        if case.type in ("ReLU", "Power", "Scale", "Eltwise"):
            with node_of(case) as node:
                found.setdefault(case.type, set()).add(node.layer.traits)
    assert all(len(traits) > 1 for traits in found.values())
    assert np.size(list(found)) == 4
