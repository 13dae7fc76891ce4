"""Every way to compute a convolution gives what torch's own gives, and each is taken where it should be."""

import pytest
import torch
import torch.nn.functional as F

import caffe
from caffe.plan import matrix, packed, ready, strips, winograd
from caffe.plan.capabilities import CAPABILITIES
from tests.plan.nets import assert_alike, build, conv, diffs, input, plainly, values, without

PACKS = {kind: way.works for kind, way in packed.KERNELS.items()}
needs_onednn = pytest.mark.skipif(not matrix.ONEDNN.works, reason="oneDNN does not multiply here")


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Of the largest expected value."""
    assert found.shape == expected.shape
    return float((found.double() - expected).abs().max() / expected.abs().max())


def gradients(function, *given: torch.Tensor) -> list[torch.Tensor]:
    """The value and, for a drawn diff of it, the gradients of all that is given."""
    leaves = [value.clone().requires_grad_() for value in given]
    value = function(*leaves)
    return [value.detach(), *torch.autograd.grad(value, leaves, drawn(*value.shape).to(value.dtype))]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", [(7, 7), (9, 8), (12, 15)])
@pytest.mark.parametrize(
    ("kernel", "dilation", "pad", "stride"),
    [
        ((7, 7), (1, 1), (0, 0), (1, 1)),
        ((1, 1), (1, 1), (0, 0), (1, 1)),
        ((3, 3), (1, 1), (1, 1), (1, 1)),
        ((3, 2), (2, 1), (2, 0), (1, 2)),
        ((2, 4), (1, 2), (0, 3), (3, 2)),
    ],
)
class TestMatrix:
    def test_values_and_gradients(self, kernel, dilation, pad, stride, size, batch):
        x, weight, bias = drawn(batch, 5, *size), drawn(6, 5, *kernel), drawn(6)
        windows = (kernel, dilation, pad, stride)

        def reference(x, weight, bias):
            return F.conv2d(x, weight, bias, stride, pad, dilation)

        expected = gradients(reference, x.double(), weight.double(), bias.double())
        found = gradients(lambda *given: matrix.convolve(*given, windows), x, weight, bias)
        assert all(distance(*pair) < 1e-6 for pair in zip(found, expected, strict=True))
        assert distance(matrix.correlate(x, weight.flatten(1), bias, windows), expected[0]) < 1e-6

    def test_without_a_bias(self, kernel, dilation, pad, stride, size, batch):
        x, weight, windows = drawn(batch, 5, *size), drawn(6, 5, *kernel), (kernel, dilation, pad, stride)
        expected = gradients(lambda x, weight: F.conv2d(x, weight, None, stride, pad, dilation), x, weight)
        found = gradients(lambda x, weight: matrix.convolve(x, weight, None, windows), x, weight)
        assert all(distance(*pair) < 1e-5 for pair in zip(found, expected, strict=True))

    def test_in_bfloat16(self, kernel, dilation, pad, stride, size, batch):
        given = [value.bfloat16() for value in (drawn(batch, 5, *size), drawn(6, 5, *kernel), drawn(6))]
        found = gradients(lambda *given: matrix.convolve(*given, (kernel, dilation, pad, stride)), *given)
        rounded = [value.double() for value in given]
        expected = gradients(lambda *given: F.conv2d(*given, stride, pad, dilation), *rounded)
        assert {value.dtype for value in found} == {torch.bfloat16}
        assert all(distance(*pair) < 0.02 for pair in zip(found, expected, strict=True))

    @pytest.mark.skipif(not packed.MATRIX.works, reason="oneDNN packs no bfloat16 matrices here")
    def test_packed(self, kernel, dilation, pad, stride, size, batch):
        x, weight, bias = drawn(batch, 5, *size).bfloat16(), drawn(6, 5, *kernel), drawn(6).bfloat16()
        found = matrix.correlate(x, packed.matrix(weight), bias, (kernel, dilation, pad, stride))
        expected = F.conv2d(x.double(), weight.bfloat16().double(), bias.double(), stride, pad, dilation)
        assert found.dtype == torch.bfloat16
        assert distance(found, expected) < 2**-8


def test_a_matrix_where_only_some_gradients_are_wanted():
    x, weight, bias, windows = drawn(1, 2, 5, 5), drawn(3, 2, 5, 5), drawn(3), ((5, 5), (1, 1), (0, 0), (1, 1))
    for wanted in range(3):
        given = [x, weight, bias]
        given[wanted] = given[wanted].clone().requires_grad_()
        (found,) = torch.autograd.grad(matrix.convolve(*given, windows).sum(), given[wanted])
        (expected,) = torch.autograd.grad(F.conv2d(*given).sum(), given[wanted])
        assert distance(found, expected) < 1e-6


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("pad", [(0, 0), (1, 1), (2, 2), (0, 2), (5, 4)])
@pytest.mark.parametrize("size", [(3, 3), (7, 9), (16, 13), (31, 4), (18, 18)])
class TestWinograd:
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_values(self, layout, size, pad, batch):
        x, weight, bias = drawn(batch, 40, *size).contiguous(memory_format=layout), drawn(24, 40, 3, 3), drawn(24)
        expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=pad)
        found = winograd.correlate(x, winograd.transformed(weight), bias, pad, 3)
        assert distance(found, expected) < 1e-5
        no_bias = winograd.correlate(x, winograd.transformed(weight), None, pad, 3)
        assert distance(no_bias, expected - bias.double()[:, None, None]) < 1e-5

    def test_gradients(self, size, pad, batch):
        x, weight, bias = drawn(batch, 12, *size), drawn(9, 12, 3, 3), drawn(9)
        found = gradients(lambda *given: winograd.convolve(*given, pad), x, weight, bias)
        expected = gradients(lambda *given: F.conv2d(*given, padding=pad), x.double(), weight.double(), bias.double())
        assert all(distance(*pair) < 1e-5 for pair in zip(found, expected, strict=True))

    def test_a_band_of_tiles_at_a_time(self, size, pad, batch, monkeypatch):
        x, weight, bias = drawn(batch, 12, *size), drawn(9, 12, 3, 3), drawn(9)
        at_once = gradients(lambda *given: winograd.convolve(*given, pad), x, weight, bias)
        values = winograd.correlate(x, winograd.transformed(weight), bias, pad, 3)
        monkeypatch.setattr(winograd, "VALUES_AT_ONCE", 60)
        banded = gradients(lambda *given: winograd.convolve(*given, pad), x, weight, bias)
        assert all(distance(*pair) < 1e-5 for pair in zip(banded, at_once, strict=True))
        assert distance(winograd.correlate(x, winograd.transformed(weight), bias, pad, 3), values) < 1e-6


@pytest.mark.parametrize("pad", [(0, 0), (3, 1)])
@pytest.mark.parametrize("size", [(7, 7), (8, 10), (15, 13)])
@pytest.mark.parametrize("kernel", [5, 6, 7])
def test_winograd_with_larger_kernels(kernel, size, pad, monkeypatch):
    monkeypatch.setitem(winograd.SUMMED, 8, 4)
    x, weight, bias = drawn(2, 12, *size), drawn(9, 12, kernel, kernel), drawn(9)
    expected = gradients(lambda *given: F.conv2d(*given, padding=pad), x.double(), weight.double(), bias.double())
    found = gradients(lambda *given: winograd.convolve(*given, pad), x, weight, bias)
    assert all(distance(*pair) < 2e-5 for pair in zip(found, expected, strict=True))
    assert winograd.transformed(weight).shape == (3, 64, 9, 4)
    assert distance(winograd.correlate(x, winograd.transformed(weight), bias, pad, kernel), expected[0]) < 1e-5


@pytest.mark.parametrize(("kernel", "channels", "most"), [(3, 256, 5e-6), (3, 512, 5e-6), (7, 512, 8e-6)])
def test_winograd_keeps_the_precision_it_promises(kernel, channels, most):
    x, weight = drawn(1, channels, 33, 41), drawn(256, channels, kernel, kernel)
    expected = F.conv2d(x.double(), weight.double(), padding=1)
    assert distance(winograd.correlate(x, winograd.transformed(weight), None, (1, 1), kernel), expected) < most


def test_a_recorded_forward_pass_breaks_no_ties():
    """Where a border makes a map constant, the first of equal pixels gets the gradient of max pooling."""
    x = torch.ones(1, 4, 20, 20)
    y = winograd.convolve(x, drawn(3, 4, 3, 3), None, (0, 0))
    assert all(len(channel.unique()) == 1 for channel in y[0])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("kernel", "pad"), [((3, 3), (1, 1)), ((3, 3), (5, 4)), ((1, 2), (0, 0)), ((5, 4), (2, 3))])
@pytest.mark.parametrize("rows", [1, 2, 3, 8, 100])
class TestStrips:
    def test_values_and_gradients(self, rows, kernel, pad, batch, monkeypatch):
        monkeypatch.setattr(strips, "ROWS", rows)
        x, weight, bias = drawn(batch, 4, 11, 9), drawn(6, 4, *kernel), drawn(6)
        found = gradients(lambda *given: strips.convolve(*given, pad), x, weight, bias)
        expected = gradients(lambda *given: F.conv2d(*given, padding=pad), x.double(), weight.double(), bias.double())
        assert all(distance(*pair) < 1e-6 for pair in zip(found, expected, strict=True))

    def test_where_only_some_gradients_are_wanted(self, rows, kernel, pad, batch, monkeypatch):
        monkeypatch.setattr(strips, "ROWS", rows)
        given = [drawn(batch, 4, 11, 9), drawn(6, 4, *kernel), drawn(6)]
        for wanted in range(3):
            leaves = [value.clone().requires_grad_(index == wanted) for index, value in enumerate(given)]
            (found,) = torch.autograd.grad(strips.convolve(*leaves, pad).sum(), leaves[wanted])
            (expected,) = torch.autograd.grad(F.conv2d(*leaves, padding=pad).sum(), leaves[wanted])
            assert distance(found, expected) < 1e-6


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        pytest.param(kind, precision, marks=pytest.mark.skipif(not PACKS[kind], reason=f"oneDNN packs no {kind} here"))
        for kind, precision in [(torch.float32, 1e-6), (torch.bfloat16, 2**-8)]
    ],
)
@pytest.mark.parametrize(
    ("kernel", "pad", "stride", "dilation", "group"),
    [
        ((3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((5, 3), (0, 2), (2, 1), (1, 1), 1),
        ((1, 1), (0, 0), (1, 1), (1, 1), 1),
        ((3, 3), (2, 2), (1, 1), (2, 2), 2),
        ((11, 11), (5, 5), (4, 4), (1, 1), 1),
        ((3, 3), (1, 1), (1, 1), (1, 1), 4),
    ],
)
def test_packed_convolution(kernel, pad, stride, dilation, group, kind, precision):
    x, weight, bias = drawn(2, 4, 17, 21).to(kind), drawn(8, 4 // group, *kernel), drawn(8).to(kind)
    expected = F.conv2d(x.double(), weight.to(kind).double(), bias.double(), stride, pad, dilation, group)
    for shape in (x.shape, (1, 4, 40, 40)):
        kernels = packed.kernels(weight, kind, shape, pad, stride, dilation, group)
        found = packed.convolve(x, kernels, bias, pad, stride, dilation, group)
        assert found.dtype == kind
        assert distance(found, expected) < precision
        found = packed.convolve(x, kernels, None, pad, stride, dilation, group)
        assert distance(found, expected - bias.double()[:, None, None]) < precision


def test_zeros_in_zeros_out():
    kernels = winograd.transformed(drawn(5, 6, 3, 3))
    assert not winograd.correlate(torch.zeros(1, 6, 9, 9), kernels, None, (1, 1), 3).any()


@needs_onednn
class TestChoice:
    """Which way is taken, by the number of calls; and that a net computes the same by any."""

    @pytest.fixture
    def ways(self, monkeypatch):
        taken = []
        for module, name in [
            (matrix, "convolve"),
            (strips, "convolve"),
            (winograd, "convolve"),
            (winograd, "correlate"),
            (packed, "convolve"),
        ]:
            way = getattr(module, name)
            label = f"{module.__name__.rpartition('.')[2]}.{name}"
            monkeypatch.setattr(module, name, lambda *given, way=way, label=label: taken.append(label) or way(*given))
        return taken

    FC6 = input("data", 1, 32, 9, 8) + conv("fc6", "data", 40, 7)
    WIDE = input("data", 1, 256, 45, 46) + conv("wide", "data", 256, 3, 1)
    NARROW = input("data", 1, 8, 16, 17) + conv("narrow", "data", 8, 3, 1)
    WIDE_FC6 = input("data", 1, 512, 20, 21) + conv("fc6", "data", 512, 7)

    LARGE = input("data", 2, 32, 36, 37) + conv("large", "data", 8, 3, 1) + conv("next", "large", 4, 3)

    @staticmethod
    def forwards(net: caffe.Net, count: int) -> None:
        for _ in range(count):
            net.forward()

    @pytest.mark.parametrize(("text", "phase", "last"), [(LARGE, caffe.TEST, True), (LARGE, caffe.TRAIN, False)])
    def test_channels_go_last(self, text, phase, last):
        net = build("force_backward: true\n" * (phase == caffe.TRAIN) + text, phase)
        self.forwards(net, 2)
        assert net.blobs["large"].tensor.is_contiguous(memory_format=torch.channels_last) == last

    def test_few_positions(self, ways):
        build(self.FC6).forward()
        assert ways == ["matrix.convolve"]

    def test_wide_layers(self, ways):
        build(self.WIDE).forward()
        assert ways == ["winograd.correlate"]

    def test_layers_too_small_for_what_the_transforms_cost(self):
        small = (256, 256, 40), (128, 128, 300), (160, 320, 14)
        for channels, filters, size in small:
            x, weight = torch.empty(1, channels, size, size), torch.empty(filters, channels, 3, 3)
            assert not winograd.pays(x, weight, ((3, 3), (1, 1), (1, 1), (1, 1)), kept=True)
            assert not winograd.pays(x, weight, ((3, 3), (1, 1), (1, 1), (1, 1)), kept=False)

    def test_wide_layers_at_few_positions(self, ways):
        self.forwards(build(self.WIDE_FC6), 2)
        assert ways == ["winograd.correlate"] * 2

    def test_wide_layers_whose_weights_somebody_holds(self, ways):
        for text in (self.WIDE, self.WIDE_FC6):
            net = build(text)
            held = [blobs[0].data for blobs in net.params.values()]
            net.forward()
            assert held
        assert ways == ["winograd.correlate", "matrix.convolve"]

    def test_wide_layers_at_few_positions_that_learn(self, ways):
        build("force_backward: true\n" + self.WIDE_FC6, caffe.TRAIN).forward()
        assert ways == ["matrix.convolve"]

    def test_wide_layers_that_learn(self, ways):
        build("force_backward: true\n" + self.WIDE, caffe.TRAIN).forward()
        assert ways == ["winograd.convolve"]

    @pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
    def test_large_maps_that_learn(self, phase, ways, monkeypatch):
        monkeypatch.setattr(strips, "MIN_VALUES", 8 * 16 * 17)
        build("force_backward: true\n" + self.NARROW, phase).forward()
        assert ways == ["strips.convolve"]

    def test_bfloat16(self, ways):
        caffe.set_precision("bf16")
        for text in (self.WIDE, self.NARROW):
            self.forwards(build(text), 2)
        assert ways == ["packed.convolve"] * 2 * PACKS[torch.bfloat16]

    def test_narrow_layers(self, ways, monkeypatch):
        """Weights are packed for one size of maps, the second time in a row that they are multiplied with such."""
        monkeypatch.setattr(ready, "MOST_OPERATIONS", -1)  # no recorded passes, which ask for no way
        net = build(self.NARROW)
        self.forwards(net, 3)
        assert ways == ["packed.convolve"] * 2 * PACKS[torch.float32]
        for width in (18, 17, 17):
            net.blobs["data"].reshape(1, 8, 16, width)
            net.forward()
        assert ways == ["packed.convolve"] * 3 * PACKS[torch.float32]

    @pytest.mark.parametrize(("limit", "most"), [("MAX_WEIGHTS", 8 * 8 * 9 - 1), ("MAX_PIXELS", 16 * 17 - 1)])
    def test_layers_whose_weights_are_not_worth_packing(self, limit, most, ways, monkeypatch):
        monkeypatch.setattr(packed, limit, most)
        self.forwards(build(self.NARROW), 3)
        assert not ways

    @pytest.mark.parametrize(
        "text",
        [
            NARROW,
            input("data", 2, 8, 16, 17) + conv("batch", "data", 6, 1),
            input("data", 1, 8, 16, 17) + conv("strides", "data", 6, 1, stride=2),
            input("data", 1, 8, 16, 17) + conv("padded", "data", 6, 1, 1),
            input("data", 1, 256, 36, 36) + conv("strides", "data", 256, 3, 1, stride=2),
            input("data", 1, 256, 20, 20) + conv("dilated", "data", 256, 3, 2, dilation=2),
            input("data", 1, 256, 16, 17) + conv("groups", "data", 256, 3, 1, group=2),
            input("data", 1, 256, 16, 17) + conv("larger", "data", 256, 5, 2),
            input("data", 1, 256, 9, 9) + conv("few_tiles", "data", 16, 3, 1),
        ],
    )
    def test_all_others(self, text, ways):
        build(text).forward()
        assert not ways

    @pytest.mark.parametrize("text", [FC6, WIDE, WIDE_FC6])
    @pytest.mark.parametrize("off", [plainly, lambda: without(*CAPABILITIES)], ids=["plain", "no way works"])
    def test_without_the_plan(self, off, text, ways):
        with off():
            build(text).forward()
        assert not ways

    @pytest.mark.parametrize("missing", CAPABILITIES, ids=lambda way: way.name)
    def test_a_way_that_does_not_work_is_not_taken(self, missing, ways):
        labels = {
            matrix.CAPABILITY: {"matrix.convolve"},
            strips.CAPABILITY: {"strips.convolve"},
            winograd.CAPABILITY: {"winograd.convolve", "winograd.correlate"},
        }
        with without(missing):
            for text in (self.FC6, self.WIDE, self.WIDE_FC6):
                self.forwards(build(text), 2)
                build("force_backward: true\n" + text, caffe.TRAIN).forward()
        assert ways
        assert labels.get(missing, set()).isdisjoint(ways)

    @pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
    @pytest.mark.parametrize("text", [FC6, WIDE, WIDE_FC6, LARGE, FC6.replace("dim: 1 ", "dim: 2 ", 1)])
    def test_a_net_computes_the_same(self, text, phase):
        def step() -> caffe.Net:
            net = build("force_backward: true\n" + text, phase)
            net.forward()
            top = net.blobs[net.outputs[0]]
            top.diff[...] = drawn(*top.shape)
            net.backward()
            return net

        found = step()
        with plainly():
            expected = step()
        assert_alike(values(found), values(expected), 1e-5)
        assert_alike(diffs(found), diffs(expected), 1e-5)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fits", [True, False])
def test_a_gradient_in_memory_that_is_at_hand(fits, kind, monkeypatch):
    monkeypatch.setattr(matrix, "ROWS_AT_ONCE", 4)
    room = torch.full((6, 5, 7, 7) if fits else (5,), torch.nan)
    x, windows = drawn(1, 5, 9, 8).to(kind), ((7, 7), (1, 1), (0, 0), (1, 1))
    weight = drawn(6, 5, 7, 7).requires_grad_()
    (expected,) = torch.autograd.grad(matrix.convolve(x, weight, None, windows).sum(), weight)
    (found,) = torch.autograd.grad(matrix.convolve(x, weight, None, windows, lambda: room).sum(), weight)
    assert found.dtype == expected.dtype == torch.float32
    assert distance(found, expected) < 1e-6
    assert (found.data_ptr() == room.data_ptr()) == fits
