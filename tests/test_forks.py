"""A process that forks after it has computed: the child computes too, or is told why not; it never waits for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cases.data_files import encoded_lmdb

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
slow = pytest.mark.slow(reason="processes of their own, for what seldom changes; one test of each kind is not slow")

BEGIN = """
import os, signal, sys, threading
import numpy as np
import torch
import caffe

def child(call):
    '''Print what call() returns, or its error, in a child, and how the child ended.'''
    pid = os.fork()
    if not pid:
        signal.alarm(100)  # ends it, whatever it waits for
        try:
            print("child:", call(), flush=True)
        except Exception as error:
            print("child:", type(error).__name__, error, *getattr(error, "__notes__", []), flush=True)
        os._exit(0)
    print("ended with", os.waitpid(pid, 0)[1], flush=True)

def big():
    '''A net large enough for several threads.'''
    return caffe.Net("big.prototxt", caffe.TRAIN)

def passes(net):
    net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=net.blobs["data"].shape)
    net.forward()
    net.clear_param_diffs()
    net.backward()
    return float(np.abs(net.params["conv"][0].diff).sum())
"""
BIG = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 8 dim: 120 dim: 120 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 32 kernel_size: 3 weight_filler { type: "constant" value: 0.1 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "loss" type: "Reduction" bottom: "conv" top: "loss" loss_weight: 1 }
"""
LMDB = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "color" backend: LMDB batch_size: 2 prefetch: PREFETCH } }
"""
FOLDER = """
layer { name: "images" type: "Python" top: "data" top: "label" python_param { module: "folder_layers"
  layer: "FolderSegDataLayer" param_str: "{'images': 'images', 'labels': 'labels', 'n_classes': 2, PREFETCH}" } }
"""


@pytest.fixture
def run(tmp_path):
    """run(script) → the lines that a process of two threads prints, in a folder with nets."""
    (tmp_path / "big.prototxt").write_text(BIG)

    def in_process(script):
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + script],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": f"{ROOT}:{ROOT / 'data_layers'}"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.splitlines()

    return in_process


def test_a_child_computes_what_its_parent_computed(run):
    parent, child, ended = run("net = big(); print('parent:', passes(net)); child(lambda: passes(net))")
    assert parent.split(": ")[0] == "parent"
    assert float(child.split(": ")[1]) == pytest.approx(float(parent.split(": ")[1]), rel=1e-4)
    assert ended == "ended with 0"


@slow
def test_a_child_of_a_parent_that_has_computed_has_one_thread(run):
    assert run("passes(big()); child(torch.get_num_threads)") == ["child: 1", "ended with 0"]


@slow
def test_a_child_of_a_parent_that_has_only_imported_has_its_threads(run):
    assert run("caffe.Net; child(lambda: passes(big()) > 0 and torch.get_num_threads())") == [
        "child: 2",
        "ended with 0",
    ]


@slow
def test_a_childs_own_threads_compute(run):
    script = """
net = big()
passes(net)
def on_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(passes(net) > 0))
    thread.start()
    thread.join(90)
    return found
child(on_a_thread)
child(lambda: child(on_a_thread))
"""
    assert [line for line in run(script) if line != "child: None"] == ["child: [True]", "ended with 0"] + [
        "child: [True]",
        "ended with 0",
        "ended with 0",
    ]


def test_a_lock_that_a_thread_of_the_parent_holds_is_free_in_the_child(run):
    script = """
net = big()
held, done = threading.Event(), threading.Event()
def hold():
    with net.lock:
        held.set()
        done.wait()
threading.Thread(target=hold).start()
held.wait()
def use():
    with net.lock:
        return passes(net) > 0
child(use)
done.set()
with net.lock:
    child(use)
"""
    assert run(script) == ["child: True", "ended with 0"] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LMDB.replace("PREFETCH", "4"), "child: UsageError layer 'data' (Data): its batches are made by a thread"),
        (FOLDER.replace("PREFETCH", "'prefetch': 2"), "child: RuntimeError images are loaded ahead by a thread"),
    ],
    ids=["Data", "a data set's layer"],
)
def test_data_that_a_thread_of_the_parent_reads_is_refused_in_words(text, words, run, data):
    (data / "data.prototxt").write_text(text)
    refused, ended, there = run(
        "net = caffe.Net('data.prototxt', caffe.TRAIN); net.forward(); child(net.forward); "
        "print('parent:', net.forward()['data'].shape)"
    )
    assert refused.startswith(words)
    assert "Build the net in the child" in refused
    assert (ended, there.split(": ")[0]) == ("ended with 0", "parent")


@slow
@pytest.mark.parametrize(
    ("text", "begin"),
    [
        (LMDB.replace("PREFETCH", "0"), "net = caffe.Net('data.prototxt', caffe.TRAIN); net.forward()"),
        (FOLDER.replace("PREFETCH", "'prefetch': 0"), "net = caffe.Net('data.prototxt', caffe.TRAIN); net.forward()"),
        (LMDB.replace("PREFETCH", "4"), "net = caffe.Net('data.prototxt', caffe.TRAIN)"),
        (
            LMDB.replace("PREFETCH", "4"),
            "old = caffe.Net('data.prototxt', caffe.TRAIN); old.forward(); make = True",
        ),
    ],
    ids=["without threads", "a data set's layer without threads", "before the first pass", "a net made in the child"],
)
def test_data_that_needs_no_thread_of_the_parent_is_read_in_the_child(text, begin, run, data):
    (data / "data.prototxt").write_text(text)
    lines = run(
        f"make = False; {begin}\n"
        "child(lambda: len((caffe.Net('data.prototxt', caffe.TRAIN) if make else net).forward()['label']) > 0)"
    )
    assert lines == ["child: True", "ended with 0"]


@pytest.fixture
def data(tmp_path):
    """The folder of `run`, with an LMDB and a folder of images."""
    encoded_lmdb(tmp_path)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for name in "abc":
            Image.new("L", (4, 5)).save(tmp_path / folder / f"{name}.png")
    return tmp_path
