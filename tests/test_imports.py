"""Who may import whom, how long a module may be, and that each says what it is."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from fcn_caffe import cli

ROOT = Path(__file__).resolve().parents[1]
BELOW = ("net_spec", "surgery", "data_layers")
"""Packages that lie at the top level of the repository and belong to fcn_caffe."""
PACKAGES = ("caffe", "fcn_caffe", *BELOW, "tools", "analyses")
MOST_LINES = 500
GENERATED = "caffe/proto/caffe_pb2.py"

RANKS = """
    __main__
    cli
    classifier detector testing
    pycaffe
    _caffe
    solver
    export
    net
    timer
    plan
    forks
    layer_types
    ops
    data
    blob
    ranks
    device
    process
    coord_map draw io
    net_spec copying dialect flags limits modes registration
    formats
    cpus errors log meeting proto shapes switches version
"""
"""The parts of caffe: each imports only from lines below its own. Names on one line do not import each other."""
RANK = {name: rank for rank, line in enumerate(RANKS.split("\n")) for name in line.split()}

ROOMS = """
    __main__
    functions
    cli
    commands
    demo
    importers
    bundled reporting serve
    inference
    training
    boxes
    variants
    scoring
    annotations
    datasets
    pictures
    large
    program
    progress device_options sharing
    home names whole_files engine shadowed
    net_spec surgery data_layers
    bare_names
"""
"""Likewise the parts of fcn_caffe."""
ROOM = {name: rank for rank, line in enumerate(ROOMS.split("\n")) for name in line.split()}

WITHOUT_TORCH = (
    "proto",
    "formats",
    "net_spec",
    "coord_map",
    "io",
    "draw",
    "log",
    "copying",
    "errors",
)
MESSAGES = ("caffe/net/passes.py", "caffe/net/gradients.py")
PROJECT = {
    "net_spec",
    "data_layers",
    "segdata",
    "voc_layers",
    "nyud_layers",
    "siftflow_layers",
    "tag_layers",
    "pascalcontext_layers",
    "camvid_layers",
    "folder_layers",
    "edge_layers",
    "edge_folder_layers",
    "depth_layers",
    "surgery",
    "fcn_caffe",
    "tools",
    "analyses",
    "benchmarks",
    "tests",
}

FILES = {str(path.relative_to(ROOT)): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
ENGINE = [name for name in FILES if name.startswith("caffe/") and name not in ("caffe/__init__.py", GENERATED)]


def module_of(file: str) -> str:
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"fcn_caffe.{name}" if file.startswith(BELOW) else name


MODULES = {module_of(file): file for file in FILES}


class Imports(ast.NodeVisitor):
    """Every module that is imported, in functions and for type checkers, too."""

    def __init__(self):
        self.found: set[str] = set()

    def visit_Import(self, node):
        self.found.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node):
        for alias in node.names:
            inside = f"{node.module}.{alias.name}"
            self.found.add(inside if inside in MODULES else node.module)


@cache
def imports(file: str) -> set[str]:
    visitor = Imports()
    visitor.visit(ast.parse(FILES[file].read_text(encoding="utf-8")))
    return visitor.found


def part(module: str) -> str:
    return module.split(".")[1]


def each(files):
    return pytest.mark.parametrize("file", files)


@each(ENGINE)
def test_inside_caffe_imports_go_strictly_down(file):
    here = part(module_of(file))
    below = {part(name) for name in imports(file) if name.startswith("caffe.")} - {here}
    wrong = {name for name in below if RANK[name] <= RANK[here]}
    assert not wrong


def circle(modules: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the next, and the last the first; [] if there are none."""
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return way[way.index(module) :]
        if module not in done:
            for other in sorted(modules[module]):
                if found := visit(other, [*way, module]):
                    return found
            done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in sorted(modules))), [])


def test_no_modules_of_caffe_import_each_other_in_a_circle():
    engine = {module_of(file): imports(file) for file in ENGINE}
    assert not circle({module: (names & engine.keys()) - {module} for module, names in engine.items()})


def test_a_circle_is_found():
    assert circle({"a": {"b", "d"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


@each(ENGINE)
def test_caffe_imports_nothing_of_the_project(file):
    assert not {name for name in imports(file) if name.split(".")[0] in PROJECT}


@each([file for file in ENGINE if part(module_of(file)) in WITHOUT_TORCH or file in MESSAGES])
def test_nets_and_files_need_no_torch(file):
    seen, waiting = set(), [module_of(file)]
    while waiting:
        module = waiting.pop()
        assert module.split(".")[0] != "torch", f"by way of {sorted(seen)}"
        if module in MODULES and module not in seen and module != "caffe":
            seen.add(module)
            waiting += imports(MODULES[module])


LAYER_FILES = [file for file in ENGINE if part(module_of(file)) == "layer_types"]
FAMILIES = {
    module_of(file) for file in LAYER_FILES if "\n@layer_type\nclass " in FILES[file].read_text(encoding="utf-8")
}
"""The modules that register layer types; the others are what families share."""


@each(LAYER_FILES)
def test_no_layer_family_imports_another(file):
    assert not imports(file) & FAMILIES


def test_there_are_families():
    assert {"caffe.layer_types.loss.loss", "caffe.layer_types.vision.pooling"} <= FAMILIES
    assert "caffe.layer_types.helpers.axes" not in FAMILIES


@each([file for file in FILES if not file.startswith("caffe/")])
def test_the_fcn_part_needs_no_torch(file):
    assert "torch" not in {name.split(".")[0] for name in imports(file)}


@each([file for file in FILES if file.startswith(("fcn_caffe/", *BELOW))])
def test_inside_fcn_caffe_imports_go_strictly_down(file):
    here = module_of(file).split(".")[1:2]
    below = {part(name) for name in imports(file) if name.startswith("fcn_caffe.")} - set(here)
    assert not {name for name in below if here and ROOM[name] <= ROOM[here[0]]}


@each([file for file in FILES if file.startswith(("fcn_caffe/", *BELOW))])
def test_the_fcn_part_calls_its_modules_by_their_full_names(file):
    assert not {name.split(".")[0] for name in imports(file)} & (PROJECT - {"fcn_caffe"})


@each([file for file in FILES if file.startswith("tools/") and not file.startswith("tools/_")])
def test_a_tool_is_a_command_of_fcn_and_nothing_else(file):
    assert imports(file) == {"_checkout", "fcn_caffe.cli"}
    assert cli.file_of(file.removeprefix("tools/").removesuffix(".py")) in FILES


def test_every_command_has_a_file_and_every_file_is_a_command():
    files = {file for file in FILES if file.startswith("fcn_caffe/commands/") and "__" not in file}
    assert {cli.file_of(name) for name in cli.COMMANDS} == files


@each([file for file in FILES if file != "fcn_caffe/cli.py"])
def test_nothing_imports_a_command(file):
    assert not {name for name in imports(file) if name.startswith("fcn_caffe.commands")}


@each([file for file in FILES if file.startswith("fcn_caffe/commands/") and "__" not in file])
def test_a_command_has_its_options_and_calls_others(file):
    defined = [node for node in ast.parse(FILES[file].read_text(encoding="utf-8")).body if hasattr(node, "name")]
    assert {node.name for node in defined if not node.name.startswith("_")} == {"main"}
    assert all(node.end_lineno - node.lineno < 60 for node in defined)


def test_types_are_checked_of_every_part_under_the_name_that_it_is_imported_by():
    links = {path.name: path.resolve() for path in (ROOT / ".mypy/fcn_caffe").iterdir()}
    assert links == {name: ROOT / name for name in BELOW} | {"__init__.py": ROOT / "fcn_caffe/__init__.py"}
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[tool.mypy]")[1]
    checked = re.search(r"^files = \[(.*?)\]", settings, re.M | re.S)[1]
    assert set(re.findall(r'"(.*?)"', checked)) == {
        "caffe",
        "fcn_caffe",
        "tools",
        *(f".mypy/fcn_caffe/{name}" for name in BELOW),
    }


def test_one_place_alone_changes_the_module_path():
    text = {file: path.read_text(encoding="utf-8") for file, path in FILES.items() if not file.startswith("caffe/")}
    assert {file for file in text if re.search(r"sys\.path\b", text[file])} - {"fcn_caffe/bare_names.py"} == {
        "tools/_checkout.py"
    }


def test_import_caffe_imports_no_torch():
    program = "import sys, caffe, caffe.net_spec, caffe.io; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


@each([file for file in FILES if file != GENERATED])
def test_a_module_is_short_and_says_what_it_is(file):
    text = FILES[file].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)) or not text.strip()
