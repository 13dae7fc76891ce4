"""Layers in Python: how they are found, what they are told, and what their errors say."""

import sys

import pytest

import caffe
from caffe.errors import CaffeError, NetError
from caffe.layer_types.helpers import python_modules

LAYER = """
import caffe

class Plain(caffe.Layer):
    def setup(self, bottom, top):
        self.told = (self.param_str, self.param_str_, self.phase, self.type)
    def reshape(self, bottom, top):
        top[0].reshape(1)
    def forward(self, bottom, top):
        if self.param_str == "fail":
            raise KeyError("lost")
        top[0].data[...] = 4
    def backward(self, top, propagate_down, bottom):
        raise OSError(28, "full")

class NoReshape(caffe.Layer):
    def setup(self, bottom, top): pass

class NotALayer:
    pass

A_NUMBER = 3
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Makes a net of one Python layer whose modules are in the working directory, which is on Python's path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "plain_layers.py").write_text(LAYER)

    def make(layer="Plain", module="plain_layers", param_str="", more=""):
        (tmp_path / "net.prototxt").write_text(
            f'layer {{ name: "mine" type: "Python" top: "top" python_param '
            f'{{ module: "{module}" layer: "{layer}" param_str: "{param_str}" {more} }} }}'
        )
        return caffe.Net("net.prototxt", caffe.TEST)

    yield make
    for name in [name for name in sys.modules if name.endswith("_layers") and "." not in name]:
        del sys.modules[name]


def notes(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", []))


def test_the_layer_of_the_net_is_the_users_object(build):
    net = build(param_str="{'a': 1}")
    plain = sys.modules["plain_layers"].Plain
    assert type(net.layers[0]) is plain
    assert net.layers[0].told == ("{'a': 1}", "{'a': 1}", caffe.TEST, "Python")
    assert net.forward()["top"].tolist() == [4]


def test_share_in_parallel_makes_no_difference(build):
    assert build(more="share_in_parallel: true").forward()["top"].tolist() == [4]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes of exceptions are new in Python 3.11")
def test_an_error_in_forward_keeps_its_type_and_names_the_layer(build):
    net = build(param_str="fail")
    with pytest.raises(KeyError, match="lost") as error:
        net.forward()
    assert notes(error.value) == "layer 'mine' (Python): raised in plain_layers.Plain.forward"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes of exceptions are new in Python 3.11")
def test_an_error_in_backward_keeps_its_type_and_names_the_layer(build):
    layer = build().nodes[0].layer
    with pytest.raises(OSError, match="full") as error:
        layer.backward([], [], [])
    assert error.value.errno == 28
    assert "layer 'mine' (Python): raised in plain_layers.Plain.backward" in notes(error.value)


class WithoutNotes(Exception):
    """As exceptions were before Python 3.11."""

    add_note = property()


def test_without_notes_the_log_names_the_layer(build, monkeypatch, capsys):
    def fail(*_):
        raise WithoutNotes

    build()
    monkeypatch.setattr(sys.modules["plain_layers"].Plain, "forward", fail)
    net = build()
    with pytest.raises(WithoutNotes):
        net.forward()
    assert "layer 'mine' (Python): raised in plain_layers.Plain.forward" in capsys.readouterr().err


def test_a_method_that_was_not_written_is_named(build):
    with pytest.raises(NotImplementedError, match=r"NoReshape has no reshape\(bottom, top\)"):
        build("NoReshape")


def test_a_missing_module_says_where_it_was_looked_for(build, tmp_path):
    with pytest.raises(NetError) as error:
        build(module="absent_layers")
    text = str(error.value)
    assert "layer 'mine' (Python): No module named 'absent_layers'. Put its folder on PYTHONPATH" in text
    assert f"working directory {tmp_path}" in text
    assert all(f"\n    {path or '.'}" in text for path in sys.path)


def package(folder, name):
    """An installed package that has a module for `far_layers`."""
    (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
    (folder / f"{name}-1.0.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = f"[caffe.python_layers]\nfar_layers = {name}.inner_layers\n"
    (folder / f"{name}-1.0.dist-info/entry_points.txt").write_text(points)
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    (folder / name / "inner_layers.py").write_text(LAYER)


def test_an_installed_package_says_which_module_stands_for_a_name(build, tmp_path, monkeypatch):
    package(tmp_path / "site", "a_package")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    layer = build(module="far_layers").layers[0]
    assert type(layer) is sys.modules["a_package.inner_layers"].Plain


def test_a_module_on_the_path_comes_before_an_installed_package(build, tmp_path, monkeypatch):
    package(tmp_path / "site", "b_package")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "far_layers.py").write_text(LAYER)
    assert type(build(module="far_layers").layers[0]).__module__ == "far_layers"


def test_two_installed_packages_with_the_same_name_are_both_told(build, tmp_path, monkeypatch):
    for name in ("c_package", "d_package"):
        package(tmp_path / "site", name)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(NetError, match=r"c_package\.inner_layers, d_package\.inner_layers\. Name one"):
        build(module="far_layers")


@pytest.fixture
def near(tmp_path, monkeypatch):
    """The path of Python, which is restored, with modules looked for in the folders below the working directory."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    python_modules.look_near([str(tmp_path)])
    yield tmp_path
    python_modules.look_near([])


def test_the_command_finds_a_module_in_a_folder_below_where_it_is_called(build, near):
    (near / "layers").mkdir()
    (near / "layers/far_layers.py").write_text("from beside_layers import Plain\n")
    (near / "layers/beside_layers.py").write_text(LAYER)
    assert type(build(module="far_layers").layers[0]).__module__ == "beside_layers"


def test_where_the_command_is_called_comes_before_what_is_beside_a_prototxt(build, near):
    for folder in ("work/layers", "elsewhere"):
        (near / folder).mkdir(parents=True)
        (near / folder / "far_layers.py").write_text(LAYER)
    python_modules.look_near([str(near / "work"), str(near)])
    build(module="far_layers")
    assert sys.modules["far_layers"].__file__ == str(near / "work/layers/far_layers.py")


def test_a_module_in_two_folders_below_is_told_and_neither_is_taken(build, near):
    for folder in ("old", "new"):
        (near / folder).mkdir()
        (near / folder / "far_layers.py").write_text(LAYER)
    with pytest.raises(NetError, match=f"'far_layers' in {near}/new and in {near}/old. Add one of them to PYTHONPATH"):
        build(module="far_layers")


@pytest.mark.parametrize("file", ["near/far_layers.py", "near/far_layers/__init__.py", "../far_layers.py"])
def test_a_file_of_that_name_nearby_is_pointed_at(build, tmp_path, monkeypatch, file):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    path = work / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LAYER)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    folder = tmp_path if file.startswith("..") else work / "near"
    with pytest.raises(NetError, match=f"It is in {folder}: add that to PYTHONPATH"):
        caffe.Net(str(net_file(tmp_path, "far_layers")), caffe.TEST)


def net_file(folder, module):
    path = folder / "net.prototxt"
    path.write_text(
        f'layer {{ name: "mine" type: "Python" top: "t" python_param {{ module: "{module}" layer: "L" }} }}'
    )
    return path


def test_a_missing_part_of_a_package_is_named(build):
    with pytest.raises(NetError, match=r"No module named 'json.absent'"):
        build(module="json.absent")


def test_an_import_that_fails_inside_the_module_is_passed_on(build, tmp_path):
    (tmp_path / "needy_layers.py").write_text("import absent_dependency\n")
    with pytest.raises(ModuleNotFoundError, match="absent_dependency"):
        build(module="needy_layers")


def test_a_mistake_in_the_module_is_passed_on(build, tmp_path):
    (tmp_path / "broken_layers.py").write_text("def f(:\n")
    with pytest.raises(SyntaxError):
        build(module="broken_layers")


@pytest.mark.parametrize(("layer", "found"), [("Absent", "none"), ("NotALayer", "<class"), ("A_NUMBER", "3")])
def test_what_is_no_layer_class_is_refused(build, layer, found):
    with pytest.raises(NetError, match=rf"asked for a class '{layer}' derived from caffe.Layer; it has {found}"):
        build(layer)


def test_a_module_must_be_named(build):
    with pytest.raises(CaffeError, match="python_param names no module"):
        build(module="")
