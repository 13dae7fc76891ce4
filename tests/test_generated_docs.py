"""The pages written from the sources are up to date, and leave out no command, variable or public name."""

import argparse
import shlex
from pathlib import Path

import pytest

from caffe.cli import COMMANDS
from docs.generate import __main__ as generate
from docs.generate import api, cli, environment
from docs.generate.variables_read import Read, Scan

PAGES = {page.PAGE: page for page in generate.PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_up_to_date(page):
    written = (generate.ROOT / page).read_text(encoding="utf-8")
    assert PAGES[page].text() == written, f"run `{generate.COMMAND}`"


@pytest.mark.slow(reason="all pages twice; make check compares them")
def test_an_outdated_page_gives_a_diff_and_the_command_to_run_and_is_left_alone(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    stale = tmp_path / "docs/cli.md"
    changed = stale.read_text(encoding="utf-8").replace("### caffe train\n", "### caffe trian\n")
    stale.write_text(changed, encoding="utf-8")
    capsys.readouterr()
    assert generate.main(["--check"], tmp_path) == 1
    printed = capsys.readouterr()
    assert "-### caffe trian\n+### caffe train\n" in printed.out
    assert printed.err == f"docs/cli.md out of date: run `{generate.COMMAND}`\n"
    assert stale.read_text(encoding="utf-8") == changed


CALLS = [
    pytest.param(program, command, id=f"{program.name} {command}")
    for program in cli.programs()
    for command in program.commands
]


@pytest.mark.parametrize(("program", "command"), CALLS)
def test_a_command_has_examples_that_its_own_parser_takes(program, command):
    parser = cli.parser_of(program, command)
    lines = cli.examples(program, command, parser)
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[:2] == [program.name, command]
        if "…" not in line and "[" not in line:
            parser.parse_args(words[2:], argparse.Namespace())


def test_every_command_of_caffe_has_a_section_with_its_options():
    text = (generate.ROOT / cli.PAGE).read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"\n### caffe {command}\n" in text
        assert f"\n$ caffe {command} " in text
    assert "| `-solver TEXT` |" in text


def _other_main(arguments):
    """A program whose commands have commands of their own, as `fcn data fetch`."""
    parser = argparse.ArgumentParser(description="Data sets.\n\n    other data fetch voc")
    commands = parser.add_subparsers()
    fetch = commands.add_parser("fetch", description="Fetch one.")
    fetch.add_argument("name", help="which")
    fetch.add_argument("--again", action="store_true", help="even if it is there")
    parser.parse_args(arguments)


def test_another_program_and_its_subcommands_are_described_alike(monkeypatch):
    other = cli.Program("other", {"data": "data sets"}, _other_main, "Another program.")
    monkeypatch.setattr(cli, "programs", lambda: [other])
    text = cli.text()
    assert "- `other`: [data](#other-data)" in text
    assert "$ other data fetch voc\n" in text
    assert "`other data fetch`: Fetch one.\n\n| argument | |\n|---|---|\n| `name` | which |\n| `--again` |" in text


def test_a_command_without_an_example_is_refused(monkeypatch):
    def main(arguments):
        parser = argparse.ArgumentParser(description="Nothing to see.")
        parser.add_argument("file")
        parser.parse_args(arguments)

    monkeypatch.setattr(cli, "programs", lambda: [cli.Program("other", {"data": ""}, main, "")])
    with pytest.raises(ValueError, match="`other data` has no example. Write one into the docstring"):
        cli.text()


def test_every_variable_that_the_sources_read_is_described_and_the_other_way_round():
    found = environment.reads()
    assert environment.undocumented(found) == []
    assert environment.unread(found) == []
    makefile = (generate.ROOT / "Makefile").read_text(encoding="utf-8")
    assert environment.of_make(makefile) == environment.MAKE.keys()


def test_a_variable_that_is_not_described_is_told_with_its_place():
    found = [Read("caffe/a.py", 3, frozenset({"CAFFE_NEW"})), Read("caffe/b.py", 7, frozenset())]
    assert environment.undocumented(found) == [
        "caffe/a.py:3: CAFFE_NEW",
        "caffe/b.py:7: a variable whose name the scan cannot tell",
    ]


SOURCES = {
    "os.environ['A']": {"A"},
    "os.environ.get('A', '')": {"A"},
    "os.getenv('A')": {"A"},
    "'A' in os.environ": {"A"},
    "os.environ['A'] = '1'": {"A"},
    "del os.environ['A']": {"A"},
    "NAME = 'A'\nos.environ.get(NAME)": {"A"},
    "from elsewhere import NAME\nos.environ.get(NAME)": {"ELSEWHERE"},
    "import elsewhere\nos.environ.get(elsewhere.NAME)": {"ELSEWHERE"},
    "NAMES = ('A', 'B')\nany(os.environ.get(name) for name in NAMES)": {"A", "B"},
    "def f(names):\n    os.environ[names[0]] = ''\nf(('A', 'B'))": {"A", "B"},
    "def f(x):\n    return x + '_FILE'\nos.environ.get(f(1))": {"*_FILE"},
    "os.environ.get(f'{x}_FILE')": {"*_FILE"},
    "from os import environ\nenviron['A']": {"A"},
    "os.environ.get(unknown())": set(),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_variable_is_found_however_it_is_named(tmp_path: Path, source):
    (tmp_path / "a.py").write_text(f"import os\n{source}\n", encoding="utf-8")
    (tmp_path / "elsewhere.py").write_text("NAME = 'ELSEWHERE'\n", encoding="utf-8")
    found = Scan(tmp_path, [tmp_path / "a.py", tmp_path / "elsewhere.py"]).reads()
    assert [set(read.names) for read in found] == [SOURCES[source]]


def test_public_names_have_docstrings_and_stand_on_the_page():
    text = (generate.ROOT / api.PAGE).read_text(encoding="utf-8")
    for name in api.MODULES:
        module = __import__(name, fromlist=["*"])
        assert list(api.without_docstring(module)) == []
        for public, value in api.public(module):
            if isinstance(value, type) and not hasattr(value, "DESCRIPTOR"):
                assert f"\n### {name}.{public}\n" in text


def test_a_first_sentence_ends_at_its_full_stop():
    def documented():
        """Reads a file, e.g. x.npy, of v. 1.0 or later. Raises nothing.

        More.
        """

    assert api.sentence(documented) == "Reads a file, e.g. x.npy, of v. 1.0 or later."
    assert api.sentence(lambda: None) == ""


def test_a_signature_is_as_the_source_has_it():
    def f(a, *, b: int = 3) -> str:
        """It."""
        return str(a + b)

    assert api.signature("f", f) == "f(a, *, b: int=3) -> str"
