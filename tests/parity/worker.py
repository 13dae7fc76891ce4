"""Runs many tasks with real Caffe, inside the chroot (Python 3.9), each in a process of its own.

Caffe ends the process when it refuses something. So Caffe is imported once, every task runs in a fork, and what a fork
says on its way out is kept: for task n there is either `n.npz` (arrays by name) or `n.txt` (Caffe's words).

    python3 -m tests.parity.worker tasks.json folder

tasks.json is a list of [module, function, argument, folder or null, seconds]: the folder becomes the working directory.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import tempfile

import numpy as np

FATAL = re.compile(r"^F\d{4} [^\]]*\] (.*)$")


def main(tasks_path: str, out: str) -> None:
    import caffe

    caffe.set_mode_cpu()
    with open(tasks_path) as file:
        tasks = json.load(file)
    for index, task in enumerate(tasks):
        run_task(os.path.join(out, str(index)), *task)
        print("done", index, flush=True)


def run_task(result: str, module: str, function: str, argument: object, folder: str | None, seconds: int) -> None:
    with tempfile.TemporaryFile() as log:
        process = os.fork()
        if process == 0:
            _child(log, result, module, function, argument, folder, seconds)
        status = os.waitpid(process, 0)[1]
        log.seek(0)
        text = log.read().decode(errors="replace")
    if status != 0 or not os.path.exists(result + ".npz"):
        with open(result + ".txt", "w") as file:
            file.write(words_of(text, status))


def _child(log, result, module, function, argument, folder, seconds) -> None:
    code = 1
    try:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        signal.alarm(seconds)
        if folder:
            os.chdir(folder)
            sys.path.insert(0, folder)
        arrays = getattr(importlib.import_module(module), function)(argument)
        with open(result + ".part", "wb") as file:
            np.savez(file, **{name.replace("/", "|"): value for name, value in arrays.items()})
        os.rename(result + ".part", result + ".npz")
        code = 0
    finally:  # the only way out of a fork is _exit
        error = sys.exc_info()[1]
        if error is not None:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(code)


def words_of(log: str, status: int) -> str:
    """Caffe's own words for why it stopped: its FATAL lines, else the last line, else the signal."""
    lines = log.strip().splitlines()
    for index, line in enumerate(lines):
        match = FATAL.match(line)
        if match:
            rest = [more for more in lines[index + 1 :] if not more.startswith(("*** Check failure stack", "    @"))]
            return "\n".join([match.group(1), *rest])
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGABRT:
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return lines[-1] if lines else f"ended with status {status}"


if __name__ == "__main__":
    main(*sys.argv[1:])
