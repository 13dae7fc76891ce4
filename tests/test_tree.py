"""The tree in docs/design.md is the repository's."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TREE = (ROOT / "docs/design.md").read_text(encoding="utf-8").split("## The tree")[1].split("```")[1]
IGNORED = [line.strip("/\n") for line in (ROOT / ".gitignore").read_text().splitlines() if line]


def told(indent: int, below: str = "") -> set[str]:
    """The names that begin the lines of this indentation; below: within this folder alone. A folder ends in /."""
    found, inside = set(), not below
    for line in TREE.splitlines():
        names = re.match(r"( *)(\S+(?: \S+)*)(?:  |$)", line)
        if not names or len(names[1]) > 20:  # a line that goes on
            continue
        if below and not names[1]:
            inside = f"{below}/" in names[2].split()
        if inside and len(names[1]) == indent:
            found |= set(names[2].split())
    return found


def there(folder: Path) -> set[str]:
    """The packages, and the modules, without their ending."""
    packages = {f"{path.name}/" for path in folder.iterdir() if path.is_dir() and any(path.glob("[!.]*.*"))}
    modules = {path.stem for path in folder.glob("*.py")} - {"__main__"}
    return {name for name in packages | modules if not name.startswith(("__pycache__", "."))}


def test_the_folders_at_the_top_are_those_of_the_tree():
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    kept = {f"{name}/" for name in folders if not any(fnmatch(name, pattern) for pattern in IGNORED)}
    assert told(0) == kept


@pytest.mark.parametrize("package", ["caffe", "fcn_caffe"])
def test_a_packages_parts_are_those_of_the_tree(package):
    assert told(2, package) | {"__init__"} == there(ROOT / package) | {"__init__"}
