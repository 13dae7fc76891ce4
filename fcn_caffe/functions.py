"""The commands as functions of a program: they take the commands' options as arguments, and raise their errors.

from fcn_caffe import new, score, solve
new("pools", images="photos/", labels="labels/", classes="classes.txt", backbone="squeezenet")
solve("pools", chain=True)
score("pools")["mean_iu"]
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections import deque
from importlib import import_module
from pathlib import Path
from typing import Any, Optional

from fcn_caffe import home
from fcn_caffe.whole_files import read_json


def new(name: str, **options: Any) -> None:
    """Make nets for images and labels of your own: `fcn new`.

    name: the name of the task. options: those of the command, `images`, `labels` and `classes` at least.
    Raises ValueError for wrong options and data, FileNotFoundError for folders that are not there.
    """
    _run("new", [name], options)


def solve(variant: str, **options: Any) -> None:
    """Train a net, or with `chain=True` all stages up to it: `fcn solve`. What is learned is in snapshot/.

    variant: a net of the catalogue, or a task. options: those of the command, such as `iterations` or `resume=True`.
    Raises ValueError for wrong options and data, FileNotFoundError for data and weights that are not there,
    RuntimeError for a training that fails.
    """
    _run("solve", [variant], options)


def score(variant: Optional[str] = None, **options: Any) -> dict[str, Any]:
    """Score a trained net on labelled images: `fcn score`. What its --json says: the metrics, 0 to 1, IU by class and
    the confusion matrix, rows the true classes.

    variant: a net of the catalogue, a task, or a snapshot folder; None with the options `net` and `weights`.
    Raises as `solve`.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.abspath(options.pop("json", None) or os.path.join(folder, "scores.json"))
        _run("score", [variant] if variant else [], {**options, "json": file})
        return read_json(Path(file))


def _run(command: str, placed: list[str], options: dict[str, Any]) -> None:
    """Run a command in the project's home; its errors are raised instead of printed."""
    line = placed + [word for name, value in options.items() for word in _option(name, value)]
    main = import_module(f"fcn_caffe.commands.{command}").main.__wrapped__
    heard = _Heard(sys.stderr)
    with home.entered(line, command):
        try:
            with contextlib.redirect_stderr(heard):
                status = main(line)
        except SystemExit as end:  # argparse has printed the error
            status = end.code
    if status:
        said = "".join(heard.said).strip().splitlines()
        raise ValueError(
            said[-1] if said else f"{command} ended with status {status}. Call it as a command to see why."
        )


def _option(name: str, value: Any) -> list[str]:
    """An argument as the command line has it: True is a flag, False and None are nothing, a list is several values."""
    if value is None or value is False:
        return []
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return [flag]
    return [flag, *map(str, value)] if isinstance(value, (list, tuple)) else [flag, str(value)]


class _Heard:
    """stderr, and what was written to it last."""

    def __init__(self, out: Any):
        self._out = out
        self.said: deque[str] = deque(maxlen=200)

    def write(self, text: str) -> int:
        self.said.append(text)
        return self._out.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)
