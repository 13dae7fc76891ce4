"""Transplants copy what fits, refuse what does not, and tell all of it."""

import numpy as np
import pytest

from fcn_caffe.surgery import convolutionalize, transplant
from tests.surgery.nets import net, zeros


def values(of: object, layer: str, i: int = 0) -> np.ndarray:
    return of.params[layer][i].data  # type: ignore[attr-defined]


def test_same_shapes_are_copied() -> None:
    old, new = net(conv=[(2, 3, 1, 1), (2,)]), net(conv=[zeros(2, 3, 1, 1), zeros(2)])
    report = transplant(new, old, quiet=True)
    assert (values(new, "conv") == values(old, "conv")).all()
    assert (values(new, "conv", 1) == [0, 1]).all()
    assert report.copied == ["conv[0]", "conv[1]"]
    assert not (report.coerced)
    assert not (report.dropped)
    assert not (report.untouched)


@pytest.mark.parametrize("old_shape", [(4, 18), (1, 1, 4, 18)])
@pytest.mark.parametrize("bias_shape", [(4,), (1, 1, 1, 4)])
def test_equal_counts_are_coerced_in_order(old_shape: tuple[int, ...], bias_shape: tuple[int, ...]) -> None:
    old, new = net(fc=[old_shape, bias_shape]), net(fc=[zeros(4, 2, 3, 3), zeros(4)])
    report = transplant(new, old, quiet=True)
    assert (values(new, "fc").ravel() == np.arange(72)).all()
    assert (values(new, "fc", 1) == np.arange(4)).all()
    assert report.coerced[0] == f"fc[0] ({'×'.join(map(str, old_shape))} to 4×2×3×3)"


def test_unequal_counts_are_refused_all_at_once_and_nothing_is_copied() -> None:
    old = net(conv=[(2, 2)], score=[(21, 3, 1, 1), (21,)])
    new = net(conv=[zeros(2, 2)], score=[zeros(5, 3, 1, 1), zeros(5)])
    with pytest.raises(ValueError) as error:
        transplant(new, old)
    assert "score[0] is 21×3×1×1, 63 values, and the new net wants 5×3×1×1, 15 values; score[1] is 21" in str(
        error.value
    )
    assert "another name" in str(error.value)
    assert not values(new, "conv").any()


def test_equal_counts_of_other_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="as many outputs"):
        transplant(net(score=[zeros(3, 2, 1, 1)]), net(score=[(2, 3, 1, 1)]))


def test_report_names_what_was_dropped_and_what_stayed(capsys: pytest.CaptureFixture[str]) -> None:
    old = net(conv=[(2, 2), (2,)], fc8=[(9, 2), (9,)])
    new = net(conv=[zeros(2, 2)], score=[zeros(3, 2), np.ones(3)])
    report = transplant(new, old)
    assert report.dropped == ["conv[1]", "fc8[0]", "fc8[1]"]
    assert report.untouched == ["score[0]", "score[1]"]
    assert report.zero == ["score[0]"]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "copied: conv[0]",
        "coerced: nothing",
        "dropped: conv[1], fc8[0], fc8[1]",
        "untouched: score[0] (all zero), score[1]",
    ]


def test_suffix_names_the_other_stream() -> None:
    new = net(conv_hha=[zeros(2, 2)], conv=[zeros(2, 2)])
    report = transplant(new, net(conv=[(2, 2)]), suffix="_hha", quiet=True)
    assert (values(new, "conv_hha").ravel() == np.arange(4)).all()
    assert not values(new, "conv").any()
    assert report.copied == ["conv[0] to conv_hha[0]"]
    assert report.untouched == ["conv[0]"]


CLASSIFIER = {"fc6": "InnerProduct", "fc8": "InnerProduct"}


def test_convolutionalize_computes_the_same() -> None:
    rng = np.random.default_rng(0)
    classifier = net(CLASSIFIER, conv=[(2, 3, 3, 3)], fc6=[rng.normal(size=(5, 18)), rng.normal(size=5)], fc8=[(9, 5)])
    fcn = net(conv=[zeros(2, 3, 3, 3)], fc6=[zeros(5, 2, 3, 3), zeros(5)], score=[zeros(4, 5, 1, 1)])
    report = convolutionalize(fcn, classifier, quiet=True)
    features = rng.normal(size=(2, 3, 3))
    expected = values(classifier, "fc6") @ features.ravel() + values(classifier, "fc6", 1)
    found = np.tensordot(values(fcn, "fc6"), features, 3) + values(fcn, "fc6", 1)
    assert np.allclose(found, expected)
    assert report.dropped == ["fc8[0]"]
    assert report.zero == ["score[0]"]


def test_suffix_of_convolutionalize_is_for_fully_connected_layers_alone() -> None:
    classifier = net(CLASSIFIER, conv=[(2, 3)], fc6=[(4, 2)])
    fcn = net({"fc6-conv": "Convolution"}, **{"conv": [zeros(2, 3)], "fc6-conv": [zeros(4, 2, 1, 1)]})
    report = convolutionalize(fcn, classifier, suffix="-conv", quiet=True)
    assert report.copied == ["conv[0]"]
    assert report.coerced == ["fc6[0] to fc6-conv[0] (4×2 to 4×2×1×1)"]


def test_convolutionalize_refuses_a_kernel_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"fc6\[0\] is 4×18, 72 values, .* 4×2×2×2, 32 values.*kernel_size"):
        convolutionalize(net(fc6=[zeros(4, 2, 2, 2)]), net(CLASSIFIER, fc6=[(4, 18)]))


def test_convolutionalize_needs_a_twin() -> None:
    with pytest.raises(ValueError, match="has the layers conv, score, and none of fc6"):
        convolutionalize(net(conv=[(1, 1)], score=[(1, 1)]), net(CLASSIFIER, fc6=[(4, 18)]))


def test_of_a_net_without_fully_connected_layers_all_is_copied():
    old, new = net(conv1=[(2, 3, 1, 1), (2,)]), net(conv1=[zeros(2, 3, 1, 1), zeros(2)])
    report = convolutionalize(new, old, quiet=True)
    assert report.copied == ["conv1[0]", "conv1[1]"]
    assert (new.params["conv1"][0].data == old.params["conv1"][0].data).all()
