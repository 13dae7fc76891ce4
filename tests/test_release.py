"""Version, changelog, citation and the public forge's workflow tell one story."""

import re
import subprocess
import sys

import pytest

from caffe.version import VERSION
from docs.generate.__main__ import ROOT


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_has_one_source():
    metadata = read("pyproject.toml")
    assert 'version = { attr = "caffe.version.VERSION" }' in metadata
    assert not re.search(r'^version = "', metadata, re.M)
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_the_changelogs_top_section_is_this_versions():
    assert re.search(r"^## (\S+) \(.*\)$", read("CHANGELOG.md"), re.M)[1] == VERSION


def test_the_citation_is_of_this_version():
    assert re.search(r"^version: (\S+)$", read("CITATION.cff"), re.M)[1] == VERSION


def test_the_version_is_known_where_torch_is_not():
    lines = "import sys; sys.modules['torch'] = None; from caffe.version import VERSION; print(VERSION)"
    done = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{VERSION}\n"


@pytest.mark.parametrize("file", [".github/workflows/tests.yml", "CONTRIBUTING.md"])
def test_a_make_target_that_is_told_of_exists(file):
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    named = re.findall(r"(?:^|`|: |\$ |&& )make ([a-z][a-z-]*)", read(file), re.M)
    assert named
    assert set(named) <= targets


def test_the_workflow_tries_the_oldest_python_and_the_supported_ones():
    pythons = re.search(r"python: \[(.*)\]", read(".github/workflows/tests.yml"))[1].replace('"', "").split(", ")
    assert pythons == ["3.10", "3.12", "3.14"]
    assert re.search(r'requires-python = ">=(.*)"', read("pyproject.toml"))[1] == pythons[0]


def test_links_between_documents_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def constrained(file):
    """(package, version) of each line of a constraints file."""
    return re.findall(r"^([\w-]+)==([\d.]+)", read(file), re.M)


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-oldest.txt"])
def test_each_package_is_constrained_once(file):
    names = [name for name, _ in constrained(file)]
    assert sorted(set(names)) == sorted(names)


def test_the_oldest_packages_are_those_that_the_metadata_allow():
    """Of every package that is needed, by an extra, or by the tests: the lower bound, up to the last number."""
    needed = re.split(r"^(?:lint|coverage|dev) = |^\[tool\.", read("pyproject.toml"), flags=re.M)[0].split("[project]")[
        1
    ]
    bounds = dict(re.findall(r'"([\w-]+)>=([\d.]+)', needed.replace("requires-python", "")))
    oldest = dict(constrained("constraints-oldest.txt"))
    assert oldest.keys() == bounds.keys()
    assert {name: _minor(version) for name, version in oldest.items()} == {n: _minor(v) for n, v in bounds.items()}


def _minor(version):
    return tuple(map(int, f"{version}.0".split(".")[:2]))
