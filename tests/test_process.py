"""Importing changes nothing of the process; `tune_process`, which the commands and tools call, does."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from caffe import process
from tests.plan.nets import plainly

ROOT = Path(__file__).resolve().parents[1]

WATCHED = """
import ctypes, os, sys
told = []
class Library:
    def __init__(self, *names, **more):
        pass
    def gnu_get_libc_version(self):
        return b"2.31"
    def mallopt(self, *option):
        told.append(option)
import torch
usual, threads, ctypes.CDLL = dict(os.environ), torch.get_num_threads(), Library
"""
TELL = "\nprint(told, {k: v for k, v in os.environ.items() if usual.get(k) != v}, threads == torch.get_num_threads())"
USES = """
import caffe, caffe.net, caffe.solver, caffe.io, caffe.classifier, caffe.detector
import tempfile
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "net.prototxt")
    with open(path, "w") as file:
        file.write('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } } '
                   'layer { name: "y" type: "Convolution" bottom: "x" top: "y" '
                   'convolution_param { num_output: 2 kernel_size: 3 } }')
    net = caffe.Net(path, caffe.TEST)
    net.forward()
"""


def _python(code: str, **variables: str) -> str:
    usual = {name: value for name, value in os.environ.items() if name not in process.KERNELS + process.WAITING}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**usual, "GLOG_minloglevel": "2", **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_to_import_and_to_run_a_net_changes_neither_malloc_nor_the_environment_nor_torchs_threads():
    assert _python(WATCHED + USES + TELL) == "[] {} True"


def test_tune_process_tells_malloc_to_keep_memory_and_sets_variables():
    found = _python(WATCHED + "import caffe; caffe.tune_process()" + TELL)
    assert found == f"[(-4, 0), (-1, -1)] {{'{process.KERNELS[0]}': '{process.MOST_KERNELS}'}} True"


def test_before_torch_is_imported_waiting_is_set_too():
    code = "import os, sys, caffe; caffe.tune_process(); print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    assert _python(code) == f"{process.SPINS} False"


@pytest.mark.parametrize("name", process.KERNELS + process.WAITING)
def test_what_the_user_has_set_stays(name):
    family = process.KERNELS if name in process.KERNELS else process.WAITING
    code = f"import os, caffe; caffe.tune_process(); print([os.environ.get(name) for name in {family!r}])"
    value = "PASSIVE" if name == "OMP_WAIT_POLICY" else "77"
    assert _python(code, **{name: value}) == str([value if each == name else None for each in family])


@pytest.mark.parametrize(
    "command",
    [
        "import sys; sys.argv[1:] = ['-version']; from caffe.cli import main; main()",
        "import sys; sys.argv[1:] = ['--version']; from fcn_caffe import cli\ntry: cli.run()\nexcept SystemExit: 0",
        "import sys, analyses.__main__; from fcn_caffe import program; program.begin()",
    ],
)
def test_commands_and_tools_set_up_their_process_before_torch_is_imported(command):
    tell = "\nimport os; print(); print('GOMP_SPINCOUNT' in os.environ, 'torch' in sys.modules)"
    assert _python(command + tell).splitlines()[-1] == "True False"


def test_a_program_that_imports_the_tools_is_left_alone():
    assert _python("from fcn_caffe.commands import solve; import os; print('GOMP_SPINCOUNT' in os.environ)") == "False"


class Library:
    """A C library that notes what it is told."""

    def __init__(self, *, glibc: bool = True):
        self.told: list[int] = []
        self.trimmed = 0
        if glibc:
            self.gnu_get_libc_version = lambda: b"2.31"

    def mallopt(self, option: int, value: int) -> int:
        self.told.append(option)
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.trimmed += 1
        return 1


@pytest.fixture
def library(monkeypatch):
    for name in ("_library", "_passes", "_needed"):
        monkeypatch.setattr(process, name, getattr(process, name))
    for name in process.KERNELS + process.WAITING:
        monkeypatch.setenv(name, "1")
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    return library


def test_malloc_is_left_alone_without_the_plan(library):
    with plainly():
        process.tune_process()
    assert not library.told


def test_malloc_is_left_alone_elsewhere(library, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    process.tune_process()
    other = Library(glibc=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: other)
    process.tune_process()
    assert not library.told + other.told


def _settle(monkeypatch, *resident: float) -> None:
    """After passes that left the process with so many GiB."""
    for size in resident:
        monkeypatch.setattr(process, "resident", lambda size=size: int(size * 2**30))
        process.settle()


@pytest.fixture
def tuned(library, monkeypatch):
    monkeypatch.setattr(process, "_passes", 0)
    monkeypatch.setattr(process, "LEAST", 0)
    process.tune_process()
    return library


def test_what_lies_unused_is_given_back_when_it_is_much(tuned, monkeypatch):
    _settle(monkeypatch, 2, 2, 2.9, 2.9)
    assert tuned.trimmed == 0
    _settle(monkeypatch, 3.1)
    assert tuned.trimmed == 1


def test_then_what_a_pass_needs_is_found_anew(tuned, monkeypatch):
    _settle(monkeypatch, 2, 2, 3.1, 3, 3, 4)
    assert tuned.trimmed == 1
    _settle(monkeypatch, 4.6)
    assert tuned.trimmed == 2


def test_a_process_that_was_not_tuned_gives_nothing_back(library, monkeypatch):
    monkeypatch.setattr(process, "_library", None)
    monkeypatch.setattr(process, "LEAST", 0)
    _settle(monkeypatch, 1, 1, 9)
    assert library.trimmed == 0


def test_giving_back_trims_memory_only_where_it_is_kept(monkeypatch):
    trimmed = []
    monkeypatch.setattr(process, "_library", None)
    process.give_back()
    monkeypatch.setattr(process, "_library", SimpleNamespace(malloc_trim=trimmed.append))
    process.give_back()
    assert trimmed == [0]


def test_in_a_long_pass_what_lies_unused_is_given_back_whenever_it_may_be_much(tuned, monkeypatch):
    sizes = iter([2, 1.5, 1.6, 1.4, 1.5, 1.7, 1.5])  # gives back at 2 and at 1.7, which leaves 1.5 each time
    monkeypatch.setattr(process, "resident", lambda files: int(next(sizes) * 2**30))
    low = 0
    for expected in (1.5, 1.5, 1.4, 1.4, 1.5):
        low = process.settle_to(low)
        assert low == int(expected * 2**30)
    assert tuned.trimmed == 2


def test_a_process_that_is_not_tuned_gives_nothing_back(library, monkeypatch):
    monkeypatch.setattr(process, "_library", None)
    assert process.settle_to(5) == 5
    assert library.trimmed == 0
