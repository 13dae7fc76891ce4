"""A layer type of a user's own: the one in the docs, where nets find it, and what its check finds."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import caffe
from caffe import registration
from caffe.errors import FormatError, NetError, UsageError
from caffe.formats import own_settings
from caffe.layer_types.base import ADDED

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "adding-a-layer.md").read_text(encoding="utf-8")
CLASS, CHECK = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(EXAMPLE,) = re.findall(r"```protobuf\n(.*?)```", PAGE, re.DOTALL)
NET = (
    'layer { name: "conv1" type: "Input" top: "conv1" input_param { shape { dim: 1 dim: 2 dim: 2 dim: 2 } } }\n'
    + EXAMPLE
)


@pytest.fixture(autouse=True)
def nothing_stays():
    before, declared = dict(ADDED), dict(own_settings.DECLARED)
    yield
    for found, kept in ((ADDED, before), (own_settings.DECLARED, declared)):
        found.clear()
        found.update(kept)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The module of the docs, in the working directory of this test."""
    (tmp_path / "my_gain.py").write_text(CLASS, encoding="utf-8")
    (tmp_path / "net.prototxt").write_text(NET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield "my_gain"
    sys.modules.pop("my_gain", None)


def define():
    exec(compile(CLASS, "adding-a-layer.md", "exec"), {"__name__": "documented"})


def test_the_class_in_the_docs_has_25_lines():
    assert len(CLASS.strip().split("\n")) <= 28  # with the imports
    assert len(CLASS[CLASS.index("@") :].strip().split("\n")) <= 25


def test_the_layer_of_the_docs_runs(tmp_path):
    define()
    (tmp_path / "net.prototxt").write_text(NET, encoding="utf-8")
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    net.blobs["conv1"].data[...] = 3
    assert np.array_equal(net.forward()["gain"], np.full((1, 2, 2, 2), 1.5, np.float32))
    net.save(str(tmp_path / "w.caffemodel"))
    net.copy_from(str(tmp_path / "w.caffemodel"))


def test_the_layer_of_the_docs_passes_its_check():
    define()
    exec(compile(CHECK, "adding-a-layer.md", "exec"), {"caffe": caffe})


def test_bvlcs_types_stay_61_with_others_registered():
    define()
    assert len(caffe.layer_type_list()) == 61
    assert "Gain" in caffe.layer_type_list(added=True)


def test_a_setting_that_the_type_does_not_have_is_named(tmp_path):
    define()
    (tmp_path / "net.prototxt").write_text(NET.replace("gain: 0.5", "gian: 0.5"), encoding="utf-8")
    with pytest.raises(
        FormatError, match=r"net.prototxt:2:\d+: layer 'gain', gain_param: .*gian.*its settings are add"
    ):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)


@pytest.mark.parametrize("how", ["flag", pytest.param("variable", marks=pytest.mark.slow(reason="as for the flag"))])
def test_a_command_finds_it(module, how):
    flags = ["--layers", module] if how == "flag" else []
    done = subprocess.run(
        [sys.executable, "-m", "caffe", "time", "-model", "net.prototxt", "-iterations", "1", *flags],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            **({"CAFFE_LAYERS": module} if how == "variable" else {}),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "gain" in done.stderr


def test_an_installed_package_brings_its_own(module, tmp_path, monkeypatch):
    folder = tmp_path / "gains-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: gains\nVersion: 1.0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text("[caffe.layers]\ngain = my_gain\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    registration._import_installed.cache_clear()
    caffe.Net("net.prototxt", caffe.TEST)
    assert "my_gain" in sys.modules
    registration._import_installed.cache_clear()


def test_a_module_that_cannot_be_imported_is_named(module, monkeypatch):
    monkeypatch.setenv("CAFFE_LAYERS", "no_such_module")
    with pytest.raises(UsageError, match="CAFFE_LAYERS names the module 'no_such_module', which cannot be imported"):
        caffe.Net("net.prototxt", caffe.TEST)


def layer_class(name="Twice", **members):
    members.setdefault("compute", lambda self, x: 2 * x)
    return type(name, (caffe.TorchLayer,), {"bottoms": 1, "tops": 1, "__module__": "documented", **members})


def test_names_that_are_taken_are_refused():
    with pytest.raises(UsageError, match="'ReLU' is a layer type of Caffe itself"):
        caffe.register_layer(layer_class("ReLU"))
    caffe.register_layer(layer_class())
    with pytest.raises(UsageError, match="'Twice' is the type of documented.Twice already"):
        caffe.register_layer(name="Twice")(layer_class("Other"))
    with pytest.raises(UsageError, match="expected a class that derives from caffe.TorchLayer"):
        caffe.register_layer(3)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"defaults": {"a": 1}}, "expected the name of their message"),
        ({"defaults": {"a": 1}, "settings": "pooling_param"}, "'pooling_param' is a field of Caffe's"),
        ({"defaults": {"a": None}, "settings": "twice_param"}, "'a' is None, expected a default that is a bool"),
    ],
)
def test_settings_that_cannot_be_are_refused(members, words):
    with pytest.raises(UsageError, match=words):
        caffe.register_layer(layer_class(**members))


def check(text='layer { type: "Twice" }', **settings):
    return caffe.testing.check_layer(text, [(2, 3)], **settings)


def registered(**members):
    caffe.register_layer(layer_class(**members))


def test_the_check_gives_what_the_layer_made():
    registered()
    found = check(values=[np.ones((2, 3))])
    assert np.array_equal(found["top0"], np.full((2, 3), 2))
    assert set(found) == {"top0", "gradient of bottom0"}


class Wrong(torch.autograd.Function):
    """x², with the gradient of x³."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] * grad


def test_the_check_finds_a_wrong_gradient():
    registered(compute=lambda self, x: Wrong.apply(x))
    with pytest.raises(AssertionError, match="the gradient of bottom0, finite differences"):
        check()


def test_the_check_finds_a_wrong_shape():
    registered(top_shapes=lambda self, x: [(x[0], 1)])
    with pytest.raises((AssertionError, RuntimeError)):
        check()


def test_the_check_finds_other_values_than_expected():
    registered()
    with pytest.raises(AssertionError, match="top0: found other values than the expected values"):
        check(expected=lambda x: 3 * x)


def test_the_check_finds_a_layer_that_remembers():
    def compute(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        return x * self.calls

    registered(compute=compute)
    with pytest.raises(AssertionError, match="those of the first pass, in a second"):
        check()


def test_the_check_finds_a_layer_that_writes_its_bottom():
    registered(compute=lambda self, x: x.mul_(2))
    with pytest.raises((AssertionError, RuntimeError)):
        check()


def test_the_check_takes_a_layer_of_caffes_own():
    check('layer { type: "InnerProduct" inner_product_param { num_output: 4 } }', expected=lambda x, w, b: x @ w.T + b)
    with pytest.raises(NetError):
        check('layer { type: "InnerProduct" }')
