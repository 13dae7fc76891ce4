"""`import caffe` has pycaffe's names, and asks for torch only when a net is wanted."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import caffe

PYCAFFE = [
    *("Net", "Layer", "Classifier", "Detector", "NCCL", "Timer", "NetSpec", "TRAIN", "TEST", "__version__"),
    *("SGDSolver", "NesterovSolver", "AdaGradSolver", "RMSPropSolver", "AdaDeltaSolver", "AdamSolver", "get_solver"),
    *("init_log", "log", "set_mode_cpu", "set_mode_gpu", "set_device", "set_random_seed", "layer_type_list"),
    *("solver_count", "set_solver_count", "solver_rank", "set_solver_rank", "set_multiprocess", "has_nccl"),
    *("io", "layers", "params", "to_proto", "net_spec", "proto", "draw", "coord_map", "classifier", "detector"),
    *("pycaffe", "_caffe"),
]


@pytest.mark.parametrize("name", PYCAFFE)
def test_name(name):
    assert name in dir(caffe)
    assert getattr(caffe, name) is not None


@pytest.mark.parametrize("module", ["pycaffe", "_caffe"])
def test_what_scripts_import_from_the_modules_inside(module):
    inside = getattr(caffe, module)
    for name in inside.__all__:
        assert getattr(inside, name) is getattr(caffe, name, getattr(inside, name))
    assert inside.Net is caffe.Net


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'caffe' has no attribute 'Nett'"):
        caffe.Nett  # noqa: B018


def test_type_checkers_see_the_same_names():
    """The names under TYPE_CHECKING are those that are imported when they are used, from the same modules."""
    tree = ast.parse(Path(caffe.__file__).read_text())
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    lazily = {name: f"caffe.{module}" for name, module in caffe._HOME.items()}
    assert seen == {**lazily, **dict.fromkeys(caffe._MODULES, "caffe")}


def _python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "use",
    [
        "import caffe; caffe.TRAIN; caffe.__version__; caffe.log",
        "from caffe import layers as L, params as P; L.ReLU()",
        "from caffe.proto import caffe_pb2; caffe_pb2.NetParameter()",
        "import caffe.io; caffe.io.Transformer",
        "from caffe import coord_map, net_spec, NetSpec, to_proto",
        "import caffe.cli; caffe.cli.usage()",
    ],
)
def test_torch_is_left_alone(use):
    assert _python(f"import sys; {use}; print('torch' in sys.modules)") == "False"


def test_log_is_a_function_after_everything_was_imported():
    code = "import caffe, caffe.log; from caffe.log import log; caffe.Net; print(callable(caffe.log), caffe.log is log)"
    assert _python(code) == "True True"


def test_everything_that_is_named_can_be_imported():
    assert _python("from caffe import *; print(len(layer_type_list()) > 60, AdamSolver.type)") == "True Adam"
