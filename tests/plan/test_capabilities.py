"""A fast way is taken where it was tried and works; elsewhere torch's own function computes the same."""

import ast
import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import caffe
from caffe.log import log
from caffe.plan import capabilities, matrix, packed, side_by_side
from caffe.plan.capabilities import CAPABILITIES, Capability, drawn
from tests.cases.case import layer
from tests.cases.compare import difference
from tests.plan.nets import build, conv, diffs, input, plainly, pool, relu, values, without

ROOT = Path(__file__).resolve().parents[2]
RIGHT = torch.tensor([1.0, 2.0])


@pytest.fixture
def warned(monkeypatch):
    """The lines that are logged."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    monkeypatch.setattr(log.logger, "handlers", [handler])
    monkeypatch.setattr(capabilities, "CAPABILITIES", [])
    return lines


def tried(give, tolerance: float = 1e-5) -> Capability:
    """A way that gives what give() gives, where torch gives RIGHT."""

    def trial():
        yield give(), RIGHT

    return Capability("a shortcut", trial, tolerance)


def fail(error: Exception) -> torch.Tensor:
    raise error


def test_a_way_that_gives_what_torch_gives_works(warned):
    assert tried(lambda: RIGHT * (1 + 1e-6)).works
    assert not warned


def test_a_way_is_tried_when_it_is_first_wanted_and_never_again(warned):
    times = []
    way = tried(lambda: times.append(1) or RIGHT)
    assert not times
    assert way.works
    assert way.works
    assert times == [1]


BROKEN = {
    "fails": (lambda: fail(RuntimeError("needs avx512bw.\nMore.")), "RuntimeError: needs avx512bw"),
    "is missing": (lambda: torch.ops.mkldnn._no_such_function(RIGHT), "AttributeError: "),
    "is called otherwise": (lambda: torch.relu(RIGHT, RIGHT), "TypeError: "),
    "gives other numbers": (lambda: RIGHT + 0.5, "it gives other numbers, 0.5 apart"),
    "gives no number": (lambda: RIGHT * torch.nan, "it gives other numbers, nan apart"),
    "gives another shape": (lambda: RIGHT[:1], r"it gives \(1,\) numbers, expected \(2,\)"),
}


@pytest.mark.parametrize(("give", "words"), BROKEN.values(), ids=list(BROKEN))
def test_a_way_is_off_for_the_process_and_named_once_if_it(give, words, warned):
    way = tried(give)
    assert not way.works
    assert not way.works
    (line,) = warned
    assert re.search(rf"^The plan does without a shortcut: {words}.*\. torch's own", line), line


def test_other_faults_are_not_hidden(warned):
    with pytest.raises(MemoryError):
        _ = tried(lambda: fail(MemoryError())).works


SURROUNDINGS = {
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("around", SURROUNDINGS.values(), ids=list(SURROUNDINGS))
@pytest.mark.parametrize("way", CAPABILITIES, ids=lambda way: way.name)
def test_what_is_found_does_not_depend_on_what_surrounds_the_trial(way, around, monkeypatch):
    expected = way.works
    monkeypatch.setattr(way, "_works", None)
    with around():
        assert way.works == expected


def test_a_trial_uses_up_nobodys_random_numbers(monkeypatch):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for way in CAPABILITIES:
        monkeypatch.setattr(way, "_works", None)
        assert way.works in (True, False)
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(drawn(4), drawn(4))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_every_way_in_float32_works_where_there_is_onednn():
    in_bfloat16 = {packed.MATRIX, packed.KERNELS[torch.bfloat16], side_by_side.CAPABILITY}
    assert not [way for way in CAPABILITIES if not way.works and way not in in_bfloat16]


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512" or "ONEDNN_MAX_CPU_ISA" in os.environ,
    reason="this CPU has no AVX-512, or oneDNN may not use it",
)
def test_every_way_in_bfloat16_works_where_there_is_avx512():
    assert packed.MATRIX.works
    assert packed.KERNELS[torch.bfloat16].works
    assert side_by_side.CAPABILITY.works


NET = "\n".join(
    [
        *(input("data", 2, 8, 24, 20), conv("conv", "data", 24, 3, 1), relu("conv"), pool("pool", "conv")),
        *(conv("fc", "pool", 128, 7), relu("fc"), conv("score", "fc", 4, 1)),
        layer(
            "up",
            "Deconvolution",
            ["score"],
            ["up"],
            "param { lr_mult: 0 } convolution_param { num_output: 4 kernel_size: 4 stride: 2 bias_term: false "
            'weight_filler { type: "bilinear" } }',
        ),
        layer("loss", "Reduction", ["up"], ["loss"], "loss_weight: 1 reduction_param { operation: SUMSQ }"),
    ]
)


def passes(phase: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Three passes of a net, so that weights are packed where they can be."""
    net = build("force_backward: true\n" * (phase == caffe.TRAIN) + NET, phase)
    for _ in range(3):
        net.forward()
    if phase == caffe.TRAIN:
        net.backward()
    return values(net), diffs(net)


@pytest.mark.parametrize(
    "missing", [[], *([way] for way in CAPABILITIES), CAPABILITIES], ids=lambda ways: ", ".join(w.name for w in ways)
)
@pytest.mark.parametrize(("precision", "forward", "backward"), [("fp32", 1e-5, 1e-4), ("bf16", 0.02, 0.06)])
@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_a_net_computes_the_same_without(phase, precision, forward, backward, missing):
    caffe.set_precision(precision)
    with without(*missing):
        found = passes(phase)
    with plainly():
        expected = passes(phase)
    for one, other, tolerance in zip(found, expected, (forward, backward), strict=True):
        assert not {name: line for name in other if (line := difference(one[name], other[name], tolerance))}


def private_functions(path: Path) -> list[str]:
    """Functions of torch with a leading underscore in their name, or that of a module of theirs."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"torch(\.\w+)*\._[a-zA-Z]\w*(\.\w+)*", ast.unparse(node)):
            found.append(ast.unparse(node))
    return found


ENGINE = sorted((ROOT / "caffe").rglob("*.py"))
TRIED = {"matrix.py", "packed.py", "side_by_side.py"}


def test_private_functions_of_torch_are_called_only_where_they_are_tried():
    assert {path.name for path in ENGINE if private_functions(path)} == TRIED
    assert all("Capability(" in (ROOT / "caffe/plan" / name).read_text() for name in TRIED)


def test_nobody_asks_whether_torch_has_a_function():
    asking = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in [*ENGINE, *sorted((ROOT / "tests").rglob("*.py"))]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("hasattr", "getattr")
        and ast.unparse(node.args[0]).split(".")[0] == "torch"
    ]
    assert not asking


def test_products_of_matrices_are_torchs_own_where_onednn_does_not_work():
    a, b, bias = drawn(3, 40), drawn(5, 40), drawn(5)
    with without(matrix.ONEDNN):
        assert not matrix.by_onednn(a)
        assert torch.equal(matrix.product(a, b, bias), torch.nn.functional.linear(a, b, bias))
