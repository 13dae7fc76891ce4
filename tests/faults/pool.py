"""Processes that read damaged inputs, forked from this one; one that dies or takes too long is counted and replaced."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.faults import child, verdict
from tests.faults.verdict import Verdict

MOST_CPU, MOST_SECONDS = 10.0, 120.0
"""Of processor time, and of waiting, for one input."""
MOST_INPUTS = 300
"""After which a process is replaced by a fresh one."""
_TICKS = os.sysconf("SC_CLK_TCK")
_STDERR_SHOWN = 1500

Task = tuple[str, int]
"""Name of the reader, number of the input."""


@dataclass
class Process:
    """A child, and the input it is at."""

    pid: int
    folder: Path
    commands: IO[str]
    answers: IO[str]
    task: Task | None = None
    given: int = 0
    since: float = 0
    cpu: float = 0
    spoilt: bool = False
    buffer: bytes = field(default=b"")

    def give(self, task: Task) -> None:
        self.task, self.given = task, self.given + 1
        self.since, self.cpu = time.monotonic(), self.cpu_seconds()
        self.commands.write(f"{task[0]} {task[1]}\n")
        self.commands.flush()

    def cpu_seconds(self) -> float:
        try:
            words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return (int(words[11]) + int(words[12])) / _TICKS

    def late(self) -> str:
        """Why it must be ended; "" if it need not."""
        cpu, waited = self.cpu_seconds() - self.cpu, time.monotonic() - self.since
        if cpu > MOST_CPU:
            return f"{cpu:.0f} s of processor time"
        return f"{waited:.0f} s of waiting" if waited > MOST_SECONDS else ""

    def end(self) -> int:
        """Close, and wait for the end: the status as os.waitpid gives it."""
        self.commands.close()
        self.answers.close()
        return os.waitpid(self.pid, 0)[1]


def run(
    readers: dict[str, child.Reader], tasks: Iterable[Task], seed: int, jobs: int, work: Path
) -> Iterator[tuple[Task, Verdict, Path]]:
    """The verdict on each input, and the folder where it lies if a fault was found; in any order.

    readers: made here, before anything is forked, so that the children share what they hold.
    """
    for reader in readers.values():
        reader.input(seed, 0)
    waiting, processes, count = iter(tasks), list[Process](), 0
    exhausted = False
    while True:
        while not exhausted and len(processes) < jobs:
            task = next(waiting, None)
            if task is None:
                exhausted = True
                break
            count += 1
            processes.append(_fork(readers, seed, work / str(count), processes))
            processes[-1].give(task)
        if not processes:
            return
        ready, _, _ = select.select([each.answers for each in processes], [], [], 0.2)
        for process in list(processes):
            found = _answer(process, process.answers in ready)
            if found is None:
                continue
            assert process.task is not None
            name, index = process.task
            yield process.task, found, process.folder / f"{name}-{index}"
            task = None if exhausted or process.spoilt or process.given >= MOST_INPUTS else next(waiting, None)
            if task is not None:
                process.give(task)
                continue
            processes.remove(process)
            if not process.spoilt:
                process.end()
            if not any(process.folder.glob("*-*")):
                shutil.rmtree(process.folder, ignore_errors=True)


def _answer(process: Process, ready: bool) -> Verdict | None:
    """The verdict on the input that a process is at; None as long as there is none."""
    if ready:
        line = process.answers.readline()
        if line.endswith("\n"):
            return Verdict(**json.loads(line))
        process.spoilt = True
        status = process.end()
        how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        return Verdict(verdict.CRASH, f"{how}; {_last_words(process)}", _place(process))
    if reason := process.late():
        process.spoilt = True
        os.kill(process.pid, signal.SIGABRT)  # faulthandler then writes where it was
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.end()
        return Verdict(verdict.HANG, f"{reason}; {_last_words(process)}", _place(process))
    return None


def _last_words(process: Process) -> str:
    """What the process wrote last to stderr: faulthandler's stack, if it was ended by a signal."""
    try:
        text = (process.folder / "stderr").read_text(errors="replace")
    except OSError:
        return ""
    stack = text.rfind("Fatal Python error")
    return text[stack : stack + _STDERR_SHOWN] if stack >= 0 else text[-_STDERR_SHOWN:]


def _place(process: Process) -> str:
    """The innermost line of the project in that stack."""
    lines = [line.strip() for line in _last_words(process).splitlines() if 'File "' in line]
    return next((line for line in lines if line.partition('"')[2].startswith(verdict.OURS)), "")


def _fork(readers: dict[str, child.Reader], seed: int, folder: Path, others: list[Process]) -> Process:
    folder.mkdir(parents=True)
    (command_read, command_write), (answer_read, answer_write) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid:
        os.close(command_read)
        os.close(answer_write)
        return Process(pid, folder, os.fdopen(command_write, "w"), os.fdopen(answer_read, "r"))
    status = 1
    try:
        for descriptor in (command_write, answer_read, *(e.commands.fileno() for e in others)):
            os.close(descriptor)
        with os.fdopen(command_read) as commands, os.fdopen(answer_write, "w") as answers:
            child.serve(readers, seed, folder, commands, answers)
        status = 0
    except BaseException:  # noqa: BLE001 - it must be written down, and end here
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)
