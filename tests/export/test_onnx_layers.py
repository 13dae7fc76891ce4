"""Every layer type in ONNX: ONNX Runtime computes what the engine computes, in every case of the tables."""

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest

from caffe.errors import NetError
from caffe.export import check, model, registry
from caffe.layer_types.base.registry import known_types
from tests.cases import families
from tests.cases import run as runner
from tests.export.nets import ROOT
from tests.forks import test_losses, test_regions, test_video_flow_pose
from tests.forks import test_types as forks

CONVERTERS = registry.load()
NOTHING = "confidence_threshold: 2"
REFUSED = "its kernel has 4 axes"
CASES = [
    case
    for cases in families().values()
    for case in cases
    if case.type in CONVERTERS and case.type != "Silence" and case.refused is None and not case.files
]
MANY_AXES = [case for case in CASES if "2x3x2x3x2" in case.id and case.type in ("Convolution", "Deconvolution")]
FIRST = {case.type: case for case in reversed(CASES)}


def as_test(case):
    return replace(case, phase="TEST", before={})


def compared(case, **settings):
    """The differences at up to three sizes, each from a new net on."""
    found = model.exported(runner.build(as_test(case)), **settings)
    session = check.session(model.to_message(found).SerializeToString(), threads=1)
    shapes = check.sizes(runner.build(as_test(case)), found)
    for each in shapes:
        inputs = {name: case.input(name, shape).reshape(shape) for name, shape in each.items()}
        yield check.compare(session, runner.build(as_test(case)), inputs, found.blobs)


def marked(case):
    """The first case of a type is quick to run; all others are slow tests, for there are hundreds."""
    marks = (
        [] if FIRST[case.type] is case else [pytest.mark.slow(reason="hundreds of files; a type's first is not slow")]
    )
    return pytest.param(case, id=case.id, marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in CASES if case not in MANY_AXES])
def test_a_layer_in_onnx_computes_what_the_engine_computes(case):
    found = list(compared(case))
    assert found
    assert all(each.relative <= check.LIMIT for each in found), found


@pytest.mark.parametrize("opset", [model.OLDEST, 15, 18, 20, model.NEWEST])
@pytest.mark.slow(reason="every type in other opsets")
def test_every_opset_has_every_type(opset):
    if opset > (newest := onnx.defs.onnx_opset_version()):
        pytest.skip(f"onnx {onnx.__version__} knows opsets up to {newest}")
    for case in FIRST.values():
        assert all(each.relative <= check.LIMIT for each in compared(case, opset=opset)), case.id


@pytest.mark.slow(reason="every type in half precision")
def test_numbers_of_16_bits_are_near():
    for case in FIRST.values():
        assert all(each.relative <= check.HALF_LIMIT for each in compared(case, half=True)), case.id


@pytest.mark.parametrize("case", MANY_AXES, ids=lambda case: case.id)
def test_kernels_of_more_axes_than_readers_take_are_refused_by_layer(case):
    with pytest.raises(NetError, match=f"layer 'layer' .*{REFUSED}.*Nothing was written"):
        model.exported(runner.build(as_test(case)))


def test_every_type_is_exported_or_has_a_reason():
    assert set(known_types()) <= set(CONVERTERS) | set(registry.CANNOT) | {"Input"}
    assert set(registry.CANNOT) <= set(known_types())
    assert not set(CONVERTERS) & set(registry.CANNOT)


def fork_tables():
    """The cases of all forks' types that are exported, but of Unpooling: it wants a mask, and is in test_onnx_nets."""
    yield from forks.CASES.items()
    for module in (test_losses, test_regions, test_video_flow_pose):
        for name, case in module.CASES.items():
            kind = re.search(r'type: "(\w+)"', case[0])[1]
            if kind in CONVERTERS and kind != "Unpooling":
                yield name, case


def fork_cases():
    for name, (text, shapes, settings) in fork_tables():
        values = settings.get("values") or [np.random.default_rng(1).normal(size=shape) for shape in shapes]
        yield pytest.param(text, values, settings.get("params"), id=name)
    for body in ("min_size: 30 max_size: 60 aspect_ratio: 2 step: 8", "min_size: 10.7 min_size: 20 clip: true"):
        shapes = [(1, 4, 2, 3), (1, 3, 40, 60)]
        yield pytest.param(
            forks.layer("PriorBox", f"prior_box_param {{ {body} }}"), [np.ones(s) for s in shapes], None, id=body
        )
    for code in ("CORNER", "CENTER_SIZE", "CORNER_SIZE"):
        for more in (
            "",
            "keep_top_k: 5",
            "confidence_threshold: 0.3 nms_param { top_k: 7 }",
            "confidence_threshold: 2",
        ):
            text = forks.layer(
                "DetectionOutput", f"detection_output_param {{ num_classes: 3 code_type: {code} {more} }}"
            )
            yield pytest.param(text, forks.detecting(30, 3, 1), None, id=f"DetectionOutput {code} {more}")


@pytest.mark.parametrize(("text", "values", "params"), list(fork_cases()))
def test_a_forks_layer_in_onnx_computes_what_the_engine_computes(text, values, params):
    tops = 2 if "normalize_param" in text else 1
    net = forks.net_of(text, values)
    if tops == 2:
        net = forks.net_of(text.replace("{", '{ top: "z"', 1), values)
    for index, blob in enumerate(net.params.get("layer", ())):
        blob.data[...] = params[index] if params else np.random.default_rng(index).uniform(0.5, 2, blob.data.shape)
    found = model.exported(net)
    session = check.session(model.to_message(found).SerializeToString(), threads=1)
    inputs = {name: np.float32(values[int(name[1:])]) for name in found.inputs}
    each = check.compare(session, net, inputs, found.blobs)
    assert each.relative <= check.LIMIT


def test_regions_that_are_made_wider_are_refused():
    text = forks.layer("ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 2 pad_ratio: 0.25 }")
    net = forks.net_of(text, [np.zeros((1, 2, 5, 6)), np.zeros((1, 5))])
    with pytest.raises(NetError, match=r"layer 'layer' \(ROIPooling\).*pad_ratio.*Nothing was written"):
        model.exported(net)


@pytest.mark.parametrize("more", ["share_location: false", "nms_param { eta: 0.9 }"])
def test_detections_that_no_operator_makes_are_refused(more):
    text = forks.layer("DetectionOutput", f"detection_output_param {{ num_classes: 3 {more} }}")
    net = forks.net_of(text, forks.detecting(4, 3, 3 if "share" in more else 1))
    with pytest.raises(NetError, match=r"layer 'layer' \(DetectionOutput\).*NonMaxSuppression.*Nothing was written"):
        model.exported(net)


def test_the_page_lists_every_type_that_cannot_be_exported():
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    table = page.split("### What cannot be exported")[1].split("Of the other types")[0]
    assert set(re.findall(r"`([A-Z]\w+)`", table)) == set(registry.CANNOT)
