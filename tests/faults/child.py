"""One damaged input after another, in a process of its own: made, written to a folder, read, judged."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import json
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import verdict
from tests.faults.verdict import Escaped, Verdict

MIB = 1 << 20
ROOM = 1536 * MIB
"""Of address space, for one input beyond what the process has: what asks for more gets MemoryError."""
MOST_RESIDENT = 512 * MIB
"""What reading an input of some kilobytes may take at most."""

_LIBC = ctypes.CDLL(None)

Input = dict[str, bytes]
"""Files by their names below the input's folder."""


@dataclass(frozen=True)
class Reader:
    """A kind of file: valid inputs, how to damage one of them, and who reads it, given the input's folder.

    names: words of which a clear error must say one, beside "layer '…'" and the names of the input's files.
    most_resident: None where an input may rightly ask for much memory, and must be refused in words if it is not there.
    """

    name: str
    seeds: Callable[[], list[Input]]
    damage: Callable[[Input, random.Random], Input]
    read: Callable[[Path], object]
    names: tuple[str, ...] = ()
    most_resident: int | None = MOST_RESIDENT
    made: list[Input] = field(default_factory=list, compare=False)

    def input(self, seed: int, index: int) -> Input:
        """The input with this number: the first ones are valid, all others damaged."""
        if not self.made:
            self.made.extend(self.seeds())
        draw = random.Random(f"{seed} {self.name} {index}")
        chosen = self.made[draw.randrange(len(self.made))]
        return self.damage(dict(chosen), draw)


def write(files: Input, folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def judge(reader: Reader, files: Input, folder: Path) -> Verdict:
    """Read an input that lies in a folder; the folder becomes the working directory."""
    os.chdir(folder)
    _LIBC.malloc_trim(0)
    _forget_peak()
    before = _status("VmRSS")
    try:
        with _limited():
            reader.read(folder)
        found = Verdict(verdict.READ)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is to be judged
        names = (*reader.names, *(Path(name).name for name in files), *(Path(name).parts[0] for name in files))
        found = verdict.of_error(error, names, folder.parents[3])  # where former inputs lay, too
        del error
    if _reached:
        return Verdict(verdict.ESCAPE, _reached.pop())
    grown = _status("VmHWM") - before
    if reader.most_resident is not None and grown > reader.most_resident and found.kind not in verdict.FAULTS:
        return Verdict(verdict.MEMORY, f"{grown // MIB} MiB taken; {found.said}", found.place)
    return found


def serve(readers: dict[str, Reader], seed: int, work: Path, commands: Any, answers: Any) -> None:
    """Answer each line `reader index` with a verdict, as JSON, until there are no more."""
    prepare(work / "stderr")
    for line in commands:
        name, index = line.split()
        folder = work / f"{name}-{index}" / "in" / "the" / "folder"
        folder.mkdir(parents=True)
        files = readers[name].input(seed, int(index))
        write(files, folder)
        found = judge(readers[name], files, folder)
        _settle()
        os.chdir(work)
        if found.kind not in verdict.FAULTS:
            shutil.rmtree(work / f"{name}-{index}", ignore_errors=True)
        answers.write(json.dumps(found.as_dict()) + "\n")
        answers.flush()


def prepare(errors: Path) -> None:
    """This process: no core files, its words into a file, no programs and no network, and an end with its parent's."""
    gc.freeze()  # what was there before the fork need not be looked at after each input
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    faulthandler.enable(2)
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    sys.addaudithook(_watch)


_reached: list[str] = []
"""What was reached outside, by whichever thread."""


def _watch(event: str, arguments: tuple) -> None:
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"):
        _reached.append(f"{event} {arguments!r}")
        raise Escaped(_reached[-1])


def _settle(patience: float = 5) -> None:
    """Wait for the threads of data layers, which end once their nets are gone."""
    until = time.monotonic() + patience
    gc.collect()
    while threading.active_count() > 1 and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _status(key: str) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {key}")


def _forget_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
