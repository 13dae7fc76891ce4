"""What the fuzzer rests on: inputs can be made again, valid ones are read, and whatever a reader does is counted."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import re
import subprocess
import sys

import pytest

from caffe.errors import DataError
from tests.faults import child, pool, verdict
from tests.faults.child import MIB, Reader
from tests.faults.readers import READERS
from tests.faults.verdict import ROOT

FILE = "input.txt"


@pytest.mark.parametrize("name", READERS)
def test_an_input_is_decided_by_seed_reader_and_number(name):
    reader = READERS[name]
    again = dataclasses.replace(reader, made=[])
    assert [reader.input(1, number) for number in range(5)] == [again.input(1, number) for number in range(5)]
    assert any(reader.input(1, number) != reader.input(2, number) for number in range(5))


@pytest.mark.parametrize("name", READERS)
def test_what_is_not_damaged_is_read(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "data_layers"))
    reader = READERS[name]
    reader.input(1, 0)
    refused = []
    for number, files in enumerate(reader.made):  # some kinds of image are none of depth, say
        folder = tmp_path / str(number) / "in/the/folder"
        folder.mkdir(parents=True)
        child.write(files, folder)
        monkeypatch.chdir(folder)
        try:
            reader.read(folder)
        except (RuntimeError, ValueError, OSError) as error:
            refused.append(error)
        else:
            return
    pytest.fail(f"none of {len(refused)} was read: {refused[-1]}")


def test_the_page_on_reliability_names_every_kind_of_input():
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    table = page[page.index("| Kinds of input |") : page.index("Each input is read")]
    assert set(re.findall(r"`([\w-]+)`", table)) == READERS.keys()


def read_as_usual(folder):
    (folder / FILE).read_bytes()


def refuse(folder):
    raise ValueError(f"'{FILE}' is damaged")


def refuse_like_the_project(folder):
    from caffe.formats import prototxt

    prototxt.read_net(folder / "missing.prototxt")


def refuse_without_a_name(folder):
    from fcn_caffe.data_layers.segdata import params

    params.parse("[]", "Somebody", (), ())


def fail_inside(folder):
    from fcn_caffe.data_layers.segdata import params

    params.parse(None, "Somebody", (), ())


def raise_the_projects_error(folder):
    raise DataError(f"'{FILE}' is damaged")


def crash(folder):
    ctypes.string_at(0)


def leave(folder):
    os._exit(3)


def hang(folder):
    while True:
        pass


def take_memory(folder):
    bytearray(600 * MIB)[::4096] = bytes(600 * MIB // 4096)


def take_more_memory_than_there_is(folder):
    bytearray(4 * child.ROOM)


def start_a_program(folder):
    subprocess.run(["true"], check=False)


def start_a_program_and_hide_it(folder):
    try:
        subprocess.run(["true"], check=False)
    except BaseException:  # noqa: BLE001
        return


@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are Linux's")
@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (read_as_usual, verdict.READ),
        (refuse_like_the_project, verdict.REFUSED),
        (refuse, verdict.UNCLEAR),
        (raise_the_projects_error, verdict.UNCLEAR),
        (refuse_without_a_name, verdict.UNCLEAR),
        (fail_inside, verdict.UNCLEAR),
        (crash, verdict.CRASH),
        (leave, verdict.CRASH),
        (hang, verdict.HANG),
        (take_memory, verdict.MEMORY),
        (take_more_memory_than_there_is, verdict.MEMORY),
        (start_a_program, verdict.ESCAPE),
        (start_a_program_and_hide_it, verdict.ESCAPE),
    ],
)
def test_what_a_reader_does_is_counted_for_what_it_is(read, kind, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "data_layers"))
    if kind == verdict.HANG:
        monkeypatch.setattr(pool, "MOST_CPU", 1.0)  # all others may take as long as a busy machine makes them
    reader = Reader("some", lambda: [{FILE: b"text"}], lambda files, draw: files, read, ("missing.prototxt",))
    found = list(pool.run({"some": reader}, [("some", 0), ("some", 1)], 1, 1, tmp_path / "work"))
    assert [each.kind for _, each, _ in found] == [kind, kind]
    assert all((folder / "in/the/folder" / FILE).is_file() == (kind in verdict.FAULTS) for _, _, folder in found)


@pytest.mark.slow(reason="two processes that load torch, for a command of this folder")
@pytest.mark.skipif(sys.platform != "linux", reason="tests.faults is for Linux")
def test_one_input_can_be_made_and_read_again(tmp_path):
    command = [sys.executable, "-m", "tests.faults", "--replay", "task", "1", "--seed", "7"]
    path = os.pathsep.join((str(ROOT), str(ROOT / "data_layers")))
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert "holds the input" in done.stdout
    (folder,) = (tmp_path / "out/faults/replay").iterdir()
    assert folder.name == "task-1"
