"""The `caffe` command, as tools/caffe.cpp has it, and Caffe's other tools as its subcommands.

    caffe train -solver=solver.prototxt -gpu 0        flags as gflags takes them: -x V, --x V, -x=V, --x=V,
    caffe -solver solver.prototxt train               before or after the command

A command is a module with `add_arguments(parser)` and `run(arguments) -> exit status`. 0 is success, 1 an error, shown
in one line; CAFFE_TRACEBACK=1 shows where it was raised.
"""

import argparse
import difflib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import NoReturn

import caffe
from caffe import dialect, registration
from caffe.errors import CaffeError
from caffe.log import log
from caffe.process import tune_process
from caffe.version import VERSION

COMMANDS = {
    "train": "train or finetune a model",
    "test": "score a model",
    "device_query": "show GPU diagnostic information",
    "time": "benchmark model execution time",
    "convert_imageset": "make a database of images",
    "convert_annoset": "make a database of images with boxes",
    "compute_image_mean": "compute the mean image of a database",
    "extract_features": "save blobs that a net computes into databases",
    "upgrade_net_proto_text": "bring a net's prototxt to today's form",
    "upgrade_net_proto_binary": "bring a caffemodel to today's form",
    "upgrade_solver_proto_text": "bring a solver's prototxt to today's form",
    "parse_log": "make tables of a training log",
    "plot_training_log": "draw charts of training logs",
    "check": "say of a net whether it can run, and what it was made for",
    "draw_net": "draw a net",
    "summary": "list a net's layers: shapes, parameters, multiplications, receptive fields",
    "export": "write a net as ONNX, for torch.export, or its weights as safetensors",
    "classify": "classify images",
    "detect": "detect objects by classifying windows of images",
}
_DISTRIBUTION = "fcn-caffe"
_BROKEN_PIPE = 141
"""As of a program that SIGPIPE ends."""
_SWITCHES = (
    "-h",
    "-help",
    "-version",
    "-allow-zero-init",
    "-allow-nan",
    "-checkpoint",
    "-logtostderr",
    "-alsologtostderr",
    "-colorlogtostderr",
)
"""Flags without a value that may stand before the command (with one dash or two)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `caffe ARGV...`; the exit status. A closed pipe (of head, say) is not reported as an error.

    Without argv the process is the command's own, and is set up for it (caffe/process.py).
    """
    if argv is None:
        tune_process()
        _write_whole_lines()
    _print_on_any_terminal()
    try:
        status = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what is left to write at exit has a place to go
        return _BROKEN_PIPE
    return status


def _main(argv: Sequence[str] | None) -> int:
    command, rest = _split(list(sys.argv[1:] if argv is None else argv))
    if command is None:
        print(_version() if rest and rest[0].endswith("-version") else usage())
        return 0
    if command not in COMMANDS:
        print(usage(), file=sys.stderr)
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        log.critical("Unknown action: %s%s", command, f" (did you mean {close[0]}?)" if close else "")
        return 1
    with _ended_by_sigint():
        module = import_module(f"caffe.cli.{command}")
    parser = _Parser(
        prog=f"caffe {command}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.add_argument("-help", action="help", help=argparse.SUPPRESS)
    parser.add_argument(
        *("-layers", "--layers"),
        metavar="MODULE",
        help="optional; import these modules, separated by ',', which register layer types of their own",
    )
    parser.add_argument(
        *("-dialect", "--dialect"),
        metavar="NAME",
        help="optional; which fork's meaning a net's types and fields have, if the net itself does not show it: "
        f"{', '.join(dialect.KNOWN)}; several are separated by ','",
    )
    try:
        arguments = parser.parse_args(rest, argparse.Namespace(command_line=[command, *rest]))
        registration.layers_flag(arguments.layers or "")
        dialect.dialect_flag(arguments.dialect or "")
        registration.load_added()
        return int(module.run(arguments))
    except BrokenPipeError:
        raise
    except (CaffeError, OSError, ValueError) as error:
        if os.environ.get("CAFFE_TRACEBACK", "") not in ("", "0"):
            raise
        log.critical("caffe: %s", _words(error, command))
        return 1
    except KeyboardInterrupt:
        return 130


def _words(error: Exception, command: str) -> str:
    """The message of an error; for the system's own errors, also the file and what to do."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    return f"{command}: '{error.filename}' cannot be read or written: {error.strerror}. Correct the path."


def _version() -> str:
    """The version of Caffe that this package replaces, and, on a line of its own, the project's."""
    return f"caffe version {caffe.__version__}\n{_DISTRIBUTION} {VERSION}"


def _write_whole_lines() -> None:
    """Each line is written at once, also where PYTHONUNBUFFERED is set: lines of processes that share a terminal or a
    pipe do not mix.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)


def _print_on_any_terminal() -> None:
    """Characters that the terminal has none for become "?", instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def _ended_by_sigint() -> Iterator[None]:
    """While modules load, SIGINT ends the process as it ends any program: at once, without a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 1, where argparse has 2."""
        self.exit(1, f"ERROR: {message}\n{self.format_usage()}")


def usage() -> str:
    commands = "\n".join(f"  {name:<26}{text}" for name, text in COMMANDS.items())
    return (
        "caffe: command line brew\nusage: caffe <command> <args>\n\ncommands:\n"
        f"{commands}\n\ncaffe <command> -help lists its flags."
    )


def _split(argv: list[str]) -> tuple[str | None, list[str]]:
    """The command (None: there is none), and all other arguments in their order."""
    index = 0
    while index < len(argv) and argv[index].startswith("-"):
        flag = "-" + argv[index].lstrip("-")
        index += 1 if "=" in flag or flag in _SWITCHES else 2
    if index >= len(argv):
        return None, argv
    return argv[index], argv[:index] + argv[index + 1 :]
