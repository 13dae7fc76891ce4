"""A checkout of BVLC Caffe that hides this package is recognised, and told in words."""

import os
import subprocess
import sys

import pytest

import caffe
from fcn_caffe import shadowed
from tests.tools.conftest import ROOT


@pytest.fixture
def checkout(tmp_path):
    """What an unbuilt checkout has below caffe_root/python, as far as importing it goes."""
    package = tmp_path / "python" / "caffe"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .pycaffe import Net\n", encoding="utf-8")
    (package / "pycaffe.py").write_text("from ._caffe import Net\n", encoding="utf-8")
    return tmp_path / "python"


def run(code, checkout):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout), str(ROOT)])}
    program = [sys.executable, "-c", code]
    return subprocess.run(program, env=environment, cwd=checkout.parent, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["shadowed.caffe_command()", "cli.run()"])
def test_commands_say_which_checkout_hides_the_package_and_what_to_do(command, checkout):
    done = run(f"from fcn_caffe import cli, shadowed; {command}", checkout)
    assert done.returncode == 1
    assert f"finds '{checkout / 'caffe'}', a checkout of Caffe in which Caffe was never built" in done.stderr
    assert f"Take '{checkout}' out of PYTHONPATH" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_such_words_it_ends_at_the_compiled_module(checkout):
    done = run("import caffe", checkout)
    assert "_caffe" in done.stderr
    assert done.returncode == 1


def test_the_package_itself_is_no_such_checkout():
    assert shadowed.words() is None


def test_a_checkout_that_was_built_is_left_alone(checkout, monkeypatch):
    (checkout / "caffe" / "_caffe.so").write_bytes(b"")
    monkeypatch.syspath_prepend(str(checkout))
    monkeypatch.delitem(sys.modules, "caffe")
    try:
        assert shadowed.words() is None
    finally:
        sys.modules["caffe"] = caffe
