"""Start and end of a command."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

import fcn_caffe
from fcn_caffe import home

NEEDED = {"numpy": "numpy", "scipy": "scipy", "PIL": "pillow"}
"""Modules that every command imports, and the packages that have them."""

BROKEN_PIPE = 141
"""Exit status where nobody reads the output any more, as of a program that SIGPIPE ends."""

Main = Callable[[Optional[list[str]]], int]

called: Optional[str] = None
"""The name of the running command in its usage; None: that of the program."""

_is_own_process = False


def begin() -> None:
    """Begin a process that runs one command: end it with a message if it cannot run, and tune it."""
    global _is_own_process
    _is_own_process = True
    write_whole_lines()
    print_on_any_terminal()
    check_python()
    check_installed()
    import caffe

    if hasattr(caffe, "tune_process"):  # BVLC Caffe has no such call
        caffe.tune_process()


def write_whole_lines() -> None:
    """Each line is written at once, also where PYTHONUNBUFFERED is set: lines of processes that share a terminal or a
    pipe do not mix.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)


def print_on_any_terminal() -> None:
    """Characters that the terminal has none for become "?", instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def check_installed() -> None:
    """Ends the program, with words, where packages are missing that commands need: in a shell without .venv, say."""
    absent = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if absent:
        sys.exit(
            f"{Path(sys.argv[0]).name}: {sys.executable} has no {', '.join(absent)}, expected a Python with the "
            f"project's packages. {_how_to_install()}"
        )


def _how_to_install() -> str:
    root = fcn_caffe.CHECKOUT
    if root is None:
        return "Run `pip install fcn-caffe` with it."
    activate = root / ".venv/bin/activate"
    first = "" if activate.exists() else f"`make install` in {root}, and then "
    return f"Run {first}`source {activate}` in this shell."


def check_python() -> None:
    """Ends the program, with words, where this project's Caffe would be imported and the Python is too old for it."""
    found, root = importlib.util.find_spec("caffe"), fcn_caffe.CHECKOUT
    ours = root is not None and found is not None and root in Path(str(found.origin)).parents
    if ours and sys.version_info < (3, 10):
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"{Path(sys.argv[0]).name}: this is Python {version}, Python 3.10 or later is needed.")


def version() -> str:
    """The version of the package; that of a bare checkout is unknown."""
    try:
        return metadata.version("fcn-caffe")
    except metadata.PackageNotFoundError:
        return f"of the checkout {fcn_caffe.CHECKOUT}"


def environment() -> dict[str, str]:
    """The environment for a program that must find the package and its data layers, such as `caffe train`."""
    package = Path(fcn_caffe.__file__).resolve().parent
    paths = [str(package.parent), str(fcn_caffe.data_file("data_layers")), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def quiet(caffe: Any) -> None:
    """Leave out Caffe's account of how it builds nets; warnings stay. (BVLC Caffe 1.0 has no switch for it.)"""
    if hasattr(caffe, "init_log"):
        caffe.init_log(1)


@contextlib.contextmanager
def quietly(caffe: Any) -> Iterator[None]:
    """The same as long as this lasts, for a program that is not the tools' own."""
    if not hasattr(caffe, "init_log"):
        yield
        return
    logger = caffe.log.logger
    level = logger.level
    quiet(caffe)
    try:
        yield
    finally:
        logger.setLevel(level)


def parser(description: str | None) -> argparse.ArgumentParser:
    """A command's parser, with the options that all commands have."""
    made = argparse.ArgumentParser(
        prog=called, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(made)
    return made


def add_options(made: argparse.ArgumentParser) -> None:
    """The options that all commands have; `command` itself has read them when a parser does."""
    made.add_argument(
        home.OPTION,
        metavar="FOLDER",
        help=f"the home of your project, with tasks/, snapshot/, data/ and out/ (default: {home.VARIABLE} in the "
        "environment, the nearest folder upwards that has tasks/ or snapshot/, or the working folder)",
    )


def command(main: Callable[[list[str]], int]) -> Main:
    """A command's main that works in the project's home, and ends with a line on stderr and exit status 1, not a
    traceback, where its user can help."""
    name = main.__module__.rsplit(".", 1)[-1]

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        who = Path(sys.argv[0]).stem if name == "__main__" else name
        given = sys.argv[1:] if arguments is None else arguments
        if _is_own_process:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        print_on_any_terminal()
        try:
            with home.entered(given, who):
                status = main(given)
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
    """The message of an error; for the system's own errors, also what to do."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"'{error.filename}' cannot be read or written: {error.strerror}. Correct the path, or who may use it."
    return str(error)
