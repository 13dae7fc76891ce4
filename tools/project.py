"""Where the checkout is, its folders on the module path, how a tool begins and ends: every tool imports this first."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[1]

NEEDED = {"numpy": "numpy", "scipy": "scipy", "PIL": "pillow"}
"""Modules that every tool imports, and the packages that have them."""

BROKEN_PIPE = 141
"""Exit status where nobody reads the output any more, as of a program that SIGPIPE ends."""

Main = Callable[[Optional[list[str]]], int]

for _folder in (ROOT / "data_layers", ROOT):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))  # at the end: where BVLC's caffe is installed, it stays the one that is found

import caffe

if Path(sys.argv[0]).resolve().parent in (ROOT / "tools", ROOT / "analyses") and hasattr(caffe, "tune_process"):
    caffe.tune_process()  # the process is a tool's own; BVLC Caffe has no such call


def check_installed() -> None:
    """Ends the program, with words, where the packages are missing that tools need: in a shell without .venv, say."""
    absent = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if absent:
        activate = ROOT / ".venv/bin/activate"
        first = "" if activate.exists() else f"`make install` in {ROOT}, and then "
        sys.exit(
            f"{Path(sys.argv[0]).name}: {sys.executable} has no {', '.join(absent)}, expected a Python with the "
            f"project's packages. Run {first}`source {activate}` in this shell."
        )


def check_python() -> None:
    """Ends the program, with words, where this checkout's Caffe would be imported and the Python is too old for it."""
    found = importlib.util.find_spec("caffe")
    ours = found is not None and found.origin is not None and Path(found.origin).is_relative_to(ROOT)
    if ours and sys.version_info < (3, 10):
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"{Path(sys.argv[0]).name}: this is Python {version}, Python 3.10 or later is needed.")


def _is_started_here() -> bool:
    """Whether the program is one of the tools."""
    return Path(sys.argv[0]).resolve().parent == ROOT / "tools"


check_installed()
check_python()
if _is_started_here():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules load: it ends the program at once, without a traceback

from tools import home


def environment() -> dict[str, str]:
    """The environment for a program that must find the data layers, such as `caffe train`."""
    paths = [str(ROOT), str(ROOT / "data_layers"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def quiet(caffe: Any) -> None:
    """Leave out Caffe's account of how it builds nets; warnings stay. (BVLC Caffe 1.0 has no switch for it.)"""
    if hasattr(caffe, "init_log"):
        caffe.init_log(1)


def parser(description: str | None) -> argparse.ArgumentParser:
    """A tool's parser, with the options that all tools have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(made)
    return made


def add_options(made: argparse.ArgumentParser) -> None:
    """The options that all tools have; `tool` itself has read them when a parser does."""
    made.add_argument(
        home.OPTION,
        metavar="FOLDER",
        help=f"the home of your project, with tasks/, snapshot/, data/ and out/ (default: {home.VARIABLE} in the "
        "environment, the nearest folder upwards that has tasks/ or snapshot/, or the working folder)",
    )


def tool(main: Callable[[list[str] | None], int]) -> Main:
    """A tool's main that works in the project's home, and ends with a line on stderr and exit status 1, not a
    traceback, where its user can help."""
    name = main.__module__.rsplit(".", 1)[-1]

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        who = Path(sys.argv[0]).stem if name == "__main__" else name
        if _is_started_here():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # terminals that are not UTF-8 show "?" for what they have not
        try:
            with home.entered(sys.argv[1:] if arguments is None else arguments, who):
                status = main(arguments)
                sys.stdout.flush()
                return status
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left to write at exit
            return BROKEN_PIPE
        except (ValueError, OSError, RuntimeError) as error:
            print(f"{who}: {words(error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{who}: interrupted", file=sys.stderr)
            return 130

    return run


def words(error: Exception) -> str:
    """What an error says; of the system's own, whose words are few, also what to do."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"'{error.filename}' cannot be read or written: {error.strerror}. Correct the path, or who may use it."
    return str(error)
