"""What every layer type promises, each promise written once and kept for every case in tests/cases."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import caffe
from caffe import switches
from caffe.errors import CaffeError
from caffe.layer_types.base import TorchLayer
from caffe.plan import matrix, packed, pooling, ready, side_by_side, strips
from caffe.plan.capabilities import CAPABILITIES
from tests.cases import families
from tests.cases import run as runner
from tests.cases.case import Case
from tests.cases.compare import difference, differences
from tests.parity import recording
from tests.plan.nets import always_by_winograd, wanted, without

BVLC_TYPES = """
    AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data
    Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss
    Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData MultinomialLogisticLoss
    PReLU Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss
    Silence Slice Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData
"""

IN_PLACE_TYPES = {
    "BNLL",
    "BatchNorm",
    "Bias",
    "Clip",
    "Dropout",
    "ELU",
    "Exp",
    "PReLU",
    "ReLU",
    "Scale",
    "Sigmoid",
    "TanH",
}

PLANNED_TYPES = {"Concat", "Convolution", "Crop", "Deconvolution", "InnerProduct", "Pooling", "ReLU", "Split"}

SHAPED_BY_VALUES = {"Filter"}
NO_AUTOGRAD = {"Python", "Silence"}

FEW = 64
"""Numbers in bottoms and parameters together, up to which each has its finite difference."""

AGAIN = pytest.mark.thorough(reason="most cases once more")
FAMILIES = families()
FAMILY = {case.id: family for family, cases in FAMILIES.items() for case in cases}


def each(condition=lambda case: True, seldom: str = ""):
    """Every case of which the condition holds. seldom: why all but the first of each layer type are slow tests."""
    chosen = [case for cases in FAMILIES.values() for case in cases if condition(case)]
    first = {case.type: case.id for case in reversed(chosen) if case.type}
    slow = [pytest.mark.slow(reason=seldom)] if seldom else []
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(
                case,
                id=f"{FAMILY[case.id]}: {case.id}",
                marks=[] if case.id == first.get(case.type) else slow,
            )
            for case in chosen
        ],
    )


def accepted(case: Case) -> bool:
    return case.refused is None


def same_every_time(case: Case) -> bool:
    return accepted(case) and not case.random and case.forwards == 1


recorded_family = cache(recording.read)


def recorded(case: Case) -> recording.Recording:
    found = recorded_family(FAMILY[case.id]).get(case.id)
    if found is None or found.fingerprint != case.fingerprint():
        pytest.fail(f"{'no' if found is None else 'an outdated'} recording of this case: make parity-record")
    return found


def arrays_of(case: Case) -> dict[str, np.ndarray]:
    """What is recorded, if anything: decides which promises a case is asked for."""
    found = recorded_family(FAMILY[case.id]).get(case.id)
    return found.arrays if found else {}


def has_parameters(case: Case) -> bool:
    return any(name.startswith(("grad/", "param/")) for name in arrays_of(case))


def changes_parameters(case: Case) -> bool:
    return any(name.startswith("param/") for name in arrays_of(case))


@cache
def result(case_id: str) -> dict[str, np.ndarray]:
    case = next(case for case in FAMILIES[FAMILY[case_id]] if case.id == case_id)
    with runner.folder_of(case):
        return runner.run_case(case)


def is_gradient(name: str) -> bool:
    return name.startswith(("diff/", "grad/"))


def only(arrays: dict, gradients: bool) -> dict:
    return {name: value for name, value in arrays.items() if is_gradient(name) == gradients}


@each(accepted)
def test_forward_is_real_caffes(case):
    lines = differences(only(result(case.id), False), only(recorded(case).arrays, False), case)
    assert not lines


@each(lambda case: accepted(case) and case.backward)
def test_gradients_are_real_caffes(case):
    lines = differences(only(result(case.id), True), only(recorded(case).arrays, True), case)
    assert not lines


@AGAIN
@each(accepted)
def test_without_the_plan_all_is_real_caffes(case, monkeypatch):
    monkeypatch.setattr(switches, "PLAIN", True)
    with runner.folder_of(case):
        lines = differences(runner.run_case(case), recorded(case).arrays, case)
    assert not lines


def three_passes(case: Case) -> list[dict[str, np.ndarray]]:
    """What each of three passes leaves in blobs and parameters."""
    caffe.set_random_seed(1)
    found = []
    with runner.folder_of(case):
        net = runner.build(case)
        for _ in range(3):
            found.append(runner.forward(net, case))
            if case.backward:
                found.append(runner.backward(net, case))
    return found


def runs_thrice(case: Case) -> bool:
    return accepted(case) and case.forwards == 1 and "HDF5Output" not in case.text


@each(runs_thrice, seldom="each case once more, pass by pass")
def test_passes_that_are_ready_leave_what_the_layers_leave_bit_by_bit(case, monkeypatch):
    monkeypatch.setattr(ready, "WARM_UP", 0)
    found = three_passes(case)
    monkeypatch.setattr(ready, "MOST_OPERATIONS", -1)
    expected = three_passes(case)
    products = "PROD" in case.text  # while it is watched, torch divides by no factor, whether or not one is 0
    for ready_values, values in zip(found, expected, strict=True):
        assert ready_values.keys() == values.keys()
        lines = {name: difference(ready_values[name], values[name], 1e-6 if products else 0) for name in values}
        assert not {name: line for name, line in lines.items() if line}


@pytest.fixture
def whole_plan(monkeypatch):
    """Layers take the plan's ways where they are too small for them to pay."""
    monkeypatch.setattr(matrix, "MIN_INPUTS", 1)
    monkeypatch.setattr(strips, "MIN_VALUES", 1)
    always_by_winograd(monkeypatch)
    for bound in ("MIN_CHANNELS", "MIN_COMPARED"):
        monkeypatch.setattr(pooling, bound, 1)


def planned(case: Case) -> bool:
    return accepted(case) and not PLANNED_TYPES.isdisjoint(re.findall(r'type: "(\w+)"', case.text))


def planned_forward(case: Case) -> bool:
    return accepted(case) and case.type in PLANNED_TYPES and not case.random


def whole(case: Case) -> list[str]:
    """How a case differs from real Caffe."""
    with runner.folder_of(case):
        return differences(runner.run_case(case), recorded(case).arrays, case)


def forward_twice(case: Case) -> list[str]:
    """How it differs where nothing is kept for backward; from the second pass on weights may be packed."""
    passes = 1 if case.in_place else 2
    case_of_test = replace(case, phase="TEST", force_backward=False, backward=False, forwards=passes)
    with runner.folder_of(case):
        found = runner.run_case(case_of_test)
    once = {name: value for name, value in found.items() if "@" not in name}
    again = {name.removesuffix("@1"): found.get(f"{name}@1", found[name]) for name in once}
    expected = only(recorded(case).arrays, False)
    return differences(once, expected, case) + differences(again, expected, case)


def without_each(compute: Callable[[Case], list[str]], case: Case) -> dict[str, list[str]]:
    """How a case differs with all ways, and without each that it wants."""
    with wanted() as ways:
        found = {"nothing": compute(case)}
    for way in ways:
        with without(way):
            found[way.name] = compute(case)
    return {name: lines for name, lines in found.items() if lines}


@each(planned)
def test_with_the_whole_plan_but_for_each_way_in_turn_all_is_real_caffes(case, whole_plan):
    assert not without_each(whole, case)


@AGAIN
@each(planned_forward)
def test_with_the_whole_plan_and_nothing_kept_for_backward_forward_is_real_caffes(case, whole_plan):
    assert not without_each(forward_twice, case)


@AGAIN
@each(planned)
def test_where_no_way_works_all_is_real_caffes(case, whole_plan):
    with without(*CAPABILITIES):
        assert not whole(case)
        assert not (forward_twice(case) if planned_forward(case) else [])


@AGAIN
def test_every_way_in_float32_is_wanted_by_some_case(whole_plan):
    not_met = {way for way in CAPABILITIES if way.works} - {
        packed.MATRIX,
        packed.KERNELS[torch.bfloat16],
        side_by_side.CAPABILITY,
    }
    not_met.discard(packed.READ_BACK)  # of nets of several layers: tests/plan/test_folding.py
    assert not_met
    for case in (case for cases in FAMILIES.values() for case in cases if planned(case)):
        with wanted() as ways:
            whole(case)
            if planned_forward(case):
                forward_twice(case)
        not_met.difference_update(ways)
        if not not_met:
            return
    assert not not_met


def shapes_as_here(words: str) -> str:
    """What BVLC Caffe says, with a shape such as `2 3 4 (24)` in this project's spelling: 2×3×4."""
    return re.sub(r"((?:\d+ )+)\(\d+\)", lambda match: "×".join(match[1].split()), words)


@each(lambda case: not accepted(case))
def test_what_real_caffe_refuses_is_refused(case):
    assert case.refused in recorded(case).refused
    with runner.folder_of(case), pytest.raises(CaffeError) as error:
        runner.run_case(case)
    words = str(error.value)
    assert shapes_as_here(case.refused) in words


@each(lambda case: same_every_time(case) and case.type and case.type not in SHAPED_BY_VALUES)
def test_tops_have_their_shapes_before_the_first_forward(case):
    with runner.folder_of(case):
        net = runner.build(case)
        promised = {f"blob/{name}": blob.data.shape for name, blob in net.blobs.items()}
    for name, values in only(recorded(case).arrays, False).items():
        if name.startswith("blob/"):
            assert promised[name] == values.shape


@each(lambda case: accepted(case) and case.backward and case.smooth and case.shapes and case.type not in NO_AUTOGRAD)
def test_gradients_pass_finite_differences(case):
    with runner.folder_of(case):
        net = runner.build(case)
        layer = net.layer_dict["layer"]
        assert isinstance(layer, TorchLayer)
        check_finite_differences(layer, [net.blobs[name].data for name in net.bottom_names["layer"]], case)


def check_finite_differences(layer: TorchLayer, bottoms: list[np.ndarray], case: Case) -> None:
    """In float64: along a few random directions in the space of bottoms and parameters; small cases number by number.

    What it can miss. Along a direction all errors add up to one number, which is compared with the sum of all
    gradients: one number in many that is wrong by little, or errors that cancel, stay below it; only small cases are
    looked at number by number. Every top is weighted by drawn numbers: a gradient that is wrong for one such top diff
    alone is not met. It is the layer's own function in float64 that is derived: what the plan does instead in float32
    is not tried (the recorded gradients are for that), nor rounding, and where forward is wrong, its gradient is right.
    Inputs at kinks and ties (`smooth: False`) and bottoms that get no gradient are left out.
    """
    values = [torch.tensor(array, dtype=torch.float64) for array in (*bottoms, *(blob.data for blob in layer.blobs))]
    wanted = [*layer.propagate_down, *layer.param_propagate_down]
    rng = torch.Generator().manual_seed(0)
    seeds: dict[int, torch.Tensor] = {}

    def weighted_sum(inputs: list[torch.Tensor]) -> torch.Tensor:
        layer.tensors = inputs[len(bottoms) :]
        tops = layer.compute(*inputs[: len(bottoms)])
        tops = [tops] if isinstance(tops, torch.Tensor) else list(tops)
        for index, top in enumerate(tops):
            if top.requires_grad:
                seeds[index] = torch.randn(top.shape, generator=rng, dtype=torch.float64)
        return sum((tops[index] * seed).sum() for index, seed in seeds.items())

    leaves = [value.clone().requires_grad_(want) for value, want in zip(values, wanted, strict=True)]
    sources = [leaf for leaf in leaves if leaf.requires_grad]
    total = weighted_sum(leaves)
    size_of_total = abs(float(total.detach()))
    assert sources
    assert seeds
    gradients = torch.autograd.grad(total, sources, allow_unused=True)
    for _ in range(3):
        steps = [torch.randn(leaf.shape, generator=rng, dtype=torch.float64) * 1e-6 for leaf in sources]
        moved = iter(steps)
        directions = [
            next(moved) if want else torch.zeros_like(value) for value, want in zip(values, wanted, strict=True)
        ]
        with torch.no_grad():
            above = weighted_sum([value + step for value, step in zip(values, directions, strict=True)])
            below = weighted_sum([value - step for value, step in zip(values, directions, strict=True)])
        promised = sum((g * step).sum() for g, step in zip(gradients, steps, strict=True) if g is not None)
        size = sum((g * step).abs().sum() for g, step in zip(gradients, steps, strict=True) if g is not None)
        assert abs(float((above - below) / 2 - promised)) <= 1e-4 * float(size) + 1e-12
    if sum(leaf.numel() for leaf in sources) > FEW:
        return
    known = iter(gradients)
    for position, want in enumerate(wanted):
        gradient = next(known) if want else None
        for index in range(values[position].numel() if want else 0):
            sides = []
            for step in (1e-6, -1e-6):
                moved_values = [value.clone() for value in values]
                moved_values[position].view(-1)[index] += step
                with torch.no_grad():
                    sides.append(weighted_sum(moved_values))
            measured = float(sides[0] - sides[1]) / 2e-6
            told = 0.0 if gradient is None else float(gradient.reshape(-1)[index])
            assert abs(measured - told) <= 1e-5 * abs(told) + 1e-8 * (1 + size_of_total), (position, index)


@each(
    lambda case: same_every_time(case) and case.type in IN_PLACE_TYPES and not case.in_place and len(case.shapes) == 1
)
def test_in_place_is_the_same_as_out_of_place(case):
    expected = result(case.id)
    net = runner.build(case, case.prototxt().replace('top: "top0"', 'top: "bottom0"'))
    net.forward()
    assert difference(net.blobs["bottom0"].data, expected["blob/top0"], 1e-6) is None
    if case.backward:
        net.blobs["bottom0"].diff[...] = case.diff("top0", net.blobs["bottom0"].data.shape)
        net.backward()
        assert difference(net.blobs["bottom0"].diff, expected["diff/bottom0"], 1e-5) is None
        for index, blob in enumerate(net.params.get("layer", [])):
            assert difference(blob.diff, expected[f"grad/layer/{index}"], 1e-5) is None


@AGAIN
@each(lambda case: same_every_time(case) and not case.in_place and case.shapes and not changes_parameters(case))
def test_forward_twice_is_the_same_as_once(case):
    expected = result(case.id)
    with runner.folder_of(case):
        net = runner.build(case)
        net.forward()
        again = runner.forward(net, case)
    assert all(np.array_equal(again[name], expected[name], equal_nan=True) for name in again)


@AGAIN
@each(lambda case: same_every_time(case) and not case.in_place and case.backward and case.type and case.shapes)
def test_backward_twice_sets_bottom_diffs_and_adds_up_parameter_diffs(case):
    with runner.folder_of(case):
        net = runner.build(case)
        net.forward()
        runner.backward(net, case)
        again = runner.backward(net, case)
    for name, value in only(result(case.id), True).items():
        times = 2 if name.startswith("grad/") else 1
        assert difference(again[name], times * value, 1e-6) is None, name


@each(lambda case: same_every_time(case) and has_parameters(case))
def test_saved_and_loaded_computes_the_same(case, tmp_path):
    expected = result(case.id)
    path = str(tmp_path / "case.caffemodel")
    with runner.folder_of(case):
        net = runner.build(case)
        net.save(path)
        for blob in (blob for blobs in net.params.values() for blob in blobs):
            blob.data[...] = 0
        net.copy_from(path)
        found = runner.forward(net, case)
    assert all(np.array_equal(found[name], expected[name], equal_nan=True) for name in found)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@each(same_every_time)
def test_cuda_is_the_same_as_cpu(case):
    expected = result(case.id)
    caffe.set_mode_gpu()
    try:
        with runner.folder_of(case):
            found = runner.run_case(case)
    finally:
        caffe.set_mode_cpu()
    lines = differences(found, expected, case)
    assert not lines


def test_the_catalogue_is_real_caffes():
    assert set(caffe.layer_type_list()) == set(BVLC_TYPES.split())
    assert len(set(BVLC_TYPES.split())) == 61


def subjects(case: Case) -> set[str]:
    """The type that a case is about; of a whole net the only type in it, beside Input."""
    types = set(re.findall(r'type: "(\w+)"', case.text)) - {"Input"}
    return {case.type} if case.type else types if len(types) == 1 else set()


def test_every_layer_type_has_cases():
    covered = set().union(*(subjects(case) for cases in FAMILIES.values() for case in cases))
    assert set(caffe.layer_type_list()) <= covered
