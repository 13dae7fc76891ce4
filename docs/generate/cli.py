"""docs/cli.md: every command of `caffe` (and of `fcn`, where its package is) with its options and examples.

A command is asked for its own parser: main is called, and argparse is stopped where it would read the arguments.
Examples are the lines of a command's docstring that call it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn
from unittest import mock

PAGE = "docs/cli.md"

HEADER = """\
<!-- Generated from the commands' parsers and docstrings by `python -m docs.generate`: do not edit. -->

# Commands

Every command lists its options with `-help` (`caffe`) or `--help` (`fcn`). [environment.md](environment.md)
lists the environment variables.
"""


@dataclass(frozen=True)
class Program:
    """A command line of several commands."""

    name: str
    commands: Mapping[str, str]
    """Each command, and what it does in a line."""
    main: Callable[[list[str]], object]
    about: str


class _Found(BaseException):
    """Carries a parser out of a main, past whatever that catches."""

    def __init__(self, parser: argparse.ArgumentParser):
        super().__init__()
        self.parser = parser


def programs() -> list[Program]:
    """The command lines that this checkout has."""
    caffe = import_module("caffe.cli")
    found = [
        Program(
            "caffe",
            caffe.COMMANDS,
            caffe.main,
            "The engine's command line: that of tools/caffe.cpp, and Caffe's other tools as commands. Flags may be "
            "written `-x V`, `--x V`, `-x=V` or `--x=V`. `caffe --version` names the version of Caffe, 1.0.0, and this "
            "project's own.",
        )
    ]
    if find_spec("fcn_caffe") is not None:
        fcn = import_module("fcn_caffe.cli")
        about = "The command line of the FCN part. In a checkout, `python tools/COMMAND.py` is the same."
        found.append(Program("fcn", fcn.COMMANDS, fcn.main, about))
    return found


def parser_of(program: Program, command: str) -> argparse.ArgumentParser:
    """The parser of one command. Raises ValueError if it has none."""

    def stop(parser: argparse.ArgumentParser, *arguments: object, **more: object) -> NoReturn:
        raise _Found(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", stop),
        mock.patch.object(argparse.ArgumentParser, "parse_known_args", stop),
    ):
        try:
            program.main([command])
        except _Found as found:
            return found.parser
    raise ValueError(f"`{program.name} {command}` reads its arguments by no argparse parser, expected that.")


def examples(program: Program, command: str, parser: argparse.ArgumentParser) -> list[str]:
    """The calls in a command's description, as they are typed; of a command that needs no arguments, else, its name."""
    found = calls(program, command, parser.description or "")
    required = any(action.required for action in parser._actions)
    return found or ([] if required else [f"{program.name} {command}"])


def calls(program: Program, command: str, description: str) -> list[str]:
    """The lines that call the command; what stands behind one is its comment."""
    found = []
    for line in description.splitlines():
        call, _, comment = re.sub(r" {2,}", "\0", line.strip(), count=1).partition("\0")
        if re.match(rf"{re.escape(program.name)} {re.escape(command)}(?![\w-])", call):
            found.append(f"{call}  # {comment.strip(' …')}" if comment else call)
    return found


def text() -> str:
    """The page."""
    lines = [HEADER]
    for program in programs():
        lines += [
            f"- `{program.name}`: " + ", ".join(f"[{each}](#{_anchor(program, each)})" for each in program.commands)
        ]
    for program in programs():
        lines += ["", f"## {program.name}", "", program.about]
        for command, about in program.commands.items():
            lines += ["", *_section(program, command, about)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _anchor(program: Program, command: str) -> str:
    return f"{program.name}-{command}"


def _section(program: Program, command: str, about: str) -> Iterator[str]:
    parser = parser_of(program, command)
    description = (parser.description or about).strip()
    shown = examples(program, command, parser)
    if not shown:
        raise ValueError(
            f"`{program.name} {command}` has no example. Write one into the docstring of its module, as a line of "
            f"its own that begins with `{program.name} {command}`."
        )
    yield from (
        f"### {program.name} {command}",
        "",
        *_prose(description, lambda line: bool(calls(program, command, line))),
    )
    yield from ("", "```console", *(f"$ {line}" for line in shown), "```")
    yield from _options(parser)
    for name, each in _subcommands(parser).items():
        yield from ("", f"`{program.name} {command} {name}`: {(each.description or '').strip()}".rstrip(": "))
        yield from _options(each)


def _prose(description: str, is_call: Callable[[str], bool]) -> Iterator[str]:
    """A description without its examples; what is indented or in columns stays as it is written."""
    for paragraph in re.split(r"\n\s*\n", description):
        lines = [line for line in paragraph.splitlines() if not is_call(line)]
        if not lines:
            continue
        if any(line.startswith(" ") or re.search(r"\S {3,}\S", line) for line in lines):
            yield from ("```text", *lines, "```", "")
        else:
            yield from (" ".join(lines), "")


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return {name: each for group in groups for name, each in group.choices.items()}


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    rows = [
        f"| {_names(action)} | {_help(action, parser)} |"
        for action in parser._actions
        if action.help is not argparse.SUPPRESS
        and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    ]
    if rows:
        yield from ("", "| argument | |", "|---|---|", *rows)


def _names(action: argparse.Action) -> str:
    value = (
        action.metavar
        if isinstance(action.metavar, str)
        else (action.dest.upper() if action.option_strings else action.dest)
    )
    if action.choices is not None and action.metavar is None and action.option_strings:
        value = ", ".join(map(str, action.choices))
    several = {"*": " …", "+": " …"}.get(str(action.nargs), "")
    if not action.option_strings:
        return f"`{value}{several}`"
    takes = "" if action.nargs == 0 else f" {value}{several}"
    names = list(
        dict.fromkeys(f"-{each.lstrip('-')}" if _both(each, action) else each for each in action.option_strings)
    )
    return ", ".join(f"`{each}{takes}`" for each in names).replace("|", "\\|")


def _both(name: str, action: argparse.Action) -> bool:
    """Whether an option is there with one dash and with two; it is shown with one."""
    bare = name.lstrip("-")
    return len(bare) > 1 and {f"-{bare}", f"--{bare}"} <= set(action.option_strings)


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    words = {**vars(action), "prog": parser.prog}
    return " ".join(((action.help or "") % words).split()).replace("|", "\\|")
