"""The generated nets and solvers are real Caffe's as well, and the paper's net computes the same there."""

from pathlib import Path

import pytest

from fcn_caffe.net_spec.catalogue import VARIANTS
from tests.cases import run as runner
from tests.cases.case import net_case
from tests.cases.compare import differences
from tests.parity import bvlc, tasks
from tests.parity.published import net_without_files, write_solver
from tests.parity.record import run_in_bvlc

FOREIGN = {row.name: row.foreign for row in VARIANTS if row.foreign}
"""Rows with layers that BVLC Caffe does not have."""
NETS = sorted(path for path in bvlc.ROOT.glob("nets/**/deploy.prototxt") if path.parent.name not in FOREIGN)
SOLVERS = sorted(path for path in bvlc.ROOT.glob("solvers/*.prototxt") if path.stem not in FOREIGN)
TASKS = dict.fromkeys(NETS, ("shapes_of_net", "TEST")) | dict.fromkeys(SOLVERS, ("shapes_of_solver", ""))


def write(path: Path, folder: Path) -> None:
    if path in SOLVERS:
        write_solver(path, folder)
    else:
        (folder / "net.prototxt").write_text(path.read_text())


@pytest.fixture(scope="module")
def shapes_in_bvlc(tmp_path_factory):
    """File → blob → shape, as real Caffe builds it, or why it does not."""
    tasks = []
    for path, (function, argument) in TASKS.items():
        folder = tmp_path_factory.mktemp(path.stem)
        write(path, folder)
        tasks.append(bvlc.Task("tests.parity.tasks", function, argument, folder, seconds=300))
    return dict(zip(TASKS, bvlc.run_tasks(tasks, progress=True), strict=True))


@pytest.mark.parametrize("path", TASKS, ids=[str(path.relative_to(bvlc.ROOT)) for path in TASKS])
def test_generated_files_have_the_same_shapes_in_real_caffe(path, shapes_in_bvlc, tmp_path, monkeypatch):
    expected = shapes_in_bvlc[path]
    assert not isinstance(expected, bvlc.Refused)
    write(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    function, argument = TASKS[path]
    found = getattr(tasks, function)(argument)
    assert {name: shape.tolist() for name, shape in found.items()} == {
        name: shape.tolist() for name, shape in expected.items()
    }


@pytest.mark.parametrize("name", FOREIGN)
def test_real_caffe_refuses_nets_with_layers_of_forks(name, tmp_path):
    (tmp_path / "net.prototxt").write_text((bvlc.ROOT / f"nets/{name}/deploy.prototxt").read_text())
    (found,) = bvlc.run_tasks([bvlc.Task("tests.parity.tasks", "shapes_of_net", "TEST", tmp_path, seconds=300)])
    assert isinstance(found, bvlc.Refused)


VOC_FCN8S = net_case(
    "voc-fcn8s train",
    net_without_files(bvlc.ROOT / "nets/voc-fcn8s/train.prototxt"),
    kinds={"data": "uniform(-120,130)", "label": "labels(21)"},
    params={name: ["bilinear"] for name in ("upscore2", "upscore_pool4", "upscore8")},
    forward_tolerance=1e-4,
    reason="16 convolutions one after the other",
)


@pytest.fixture(scope="module")
def voc_fcn8s_in_bvlc():
    (result,) = run_in_bvlc([VOC_FCN8S])
    assert not isinstance(result, bvlc.Refused), result.words
    forward = {name: values for name, values in result.items() if name.startswith("blob/")}
    return forward, {name: values for name, values in result.items() if name not in forward}


def test_forward_of_voc_fcn8s(voc_fcn8s_in_bvlc):
    expected, _ = voc_fcn8s_in_bvlc
    lines = differences(runner.forward(runner.build(VOC_FCN8S), VOC_FCN8S), expected, VOC_FCN8S)
    assert not lines


def test_backward_of_voc_fcn8s(voc_fcn8s_in_bvlc):
    """From real Caffe's blobs: a pooling window with two all but equal values may send its gradient to either."""
    values, expected = voc_fcn8s_in_bvlc
    net = runner.build(VOC_FCN8S)
    for name, blob in net.blobs.items():
        if name not in net.inputs:
            blob.data[...] = values[f"blob/{name}"]
    lines = differences(runner.backward(net, VOC_FCN8S), expected, VOC_FCN8S)
    assert not lines
