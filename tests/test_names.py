"""`import caffe` has pycaffe's names, and asks for torch only when a net is wanted."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import caffe
from caffe.formats.prototxt import parse
from caffe.proto import caffe_pb2
from caffe.solver import solver_from_message
from tests.plan.nets import build

PYCAFFE = {
    "caffe": """
        AdaDeltaSolver AdaGradSolver AdamSolver Classifier Detector Layer NCCL NesterovSolver Net NetSpec RMSPropSolver
        SGDSolver TEST TRAIN Timer __version__ _caffe classifier coord_map detector get_solver has_nccl init_log io
        layer_type_list layers log net_spec params proto pycaffe set_device set_mode_cpu set_mode_gpu set_multiprocess
        set_random_seed set_solver_count set_solver_rank solver_count solver_rank to_proto
    """,
    "caffe.io": """
        Transformer array_to_blobproto array_to_datum arraylist_to_blobprotovector_str blobproto_to_array
        blobprotovector_str_to_arraylist datum_to_array load_image oversample resize_image
    """,
    "caffe.coord_map": """
        AxisMismatchException PASS_THROUGH_LAYERS UndefinedMapException compose conv_params coord_map coord_map_from_to
        crop crop_params inverse
    """,
    "caffe.net_spec": "Function Layers NetSpec Parameters Top assign_proto layers param_name_dict params to_proto",
    "caffe.Net": """
        after_backward after_forward backward before_backward before_forward blob_loss_weights blobs bottom_names
        clear_param_diffs copy_from forward forward_all forward_backward_all inputs layer_dict layers load_hdf5 outputs
        params reshape save save_hdf5 set_input_arrays share_with top_names _blob_names _inputs _layer_names _outputs
    """,
    "caffe.SGDSolver": """
        add_callback apply_update iter lr net param restore share_weights snapshot solve step test_nets
    """,
    "caffe.Layer": "reshape setup type",
    "caffe.Classifier": "predict",
    "caffe.Detector": "configure_crop crop detect_selective_search detect_windows",
    "caffe.io.Transformer": """
        deprocess preprocess set_channel_swap set_input_scale set_mean set_raw_scale set_transpose
    """,
    "caffe._caffe.Blob": "channels count data diff height num reshape shape width",
}
"""What `dir` tells of each in BVLC Caffe 1.0, without what its modules import and keep for themselves."""


INSTANCES = {"caffe.Net": lambda: build(NET), "caffe.SGDSolver": lambda: solver_from_message(SOLVER)}
NET = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
SOLVER = caffe_pb2.SolverParameter(net_param=parse(NET, caffe_pb2.NetParameter()), base_lr=1, lr_policy="fixed")


def named(path):
    """A module or class; of those whose instances have more names than they, an instance."""
    if path in INSTANCES:
        return INSTANCES[path]()
    first, *rest = path.split(".")
    found = importlib.import_module(first)
    for name in rest:
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("of", PYCAFFE)
def test_names_of_bvlcs_pycaffe_are_here(of):
    found = named(of)
    missing = [name for name in PYCAFFE[of].split() if not hasattr(found, name) or name not in dir(found)]
    assert not missing


@pytest.mark.parametrize("module", ["pycaffe", "_caffe"])
def test_what_scripts_import_from_the_modules_inside(module):
    inside = getattr(caffe, module)
    for name in inside.__all__:
        assert getattr(inside, name) is getattr(caffe, name, getattr(inside, name))
    assert inside.Net is caffe.Net


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'caffe' has no attribute 'Nett'"):
        caffe.Nett  # noqa: B018


def test_type_checkers_see_what_is_there():
    """The names under TYPE_CHECKING are all that the module offers, and each is what its module has by that name."""
    tree = ast.parse(Path(caffe.__file__).read_text())
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert {*seen, "TEST", "TRAIN", "__version__", "init_log", "log"} == set(caffe.__all__)
    for name, module in seen.items():
        home = importlib.import_module(module)
        assert getattr(caffe, name) is (getattr(home, name) if home is not caffe else sys.modules[f"caffe.{name}"])


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
