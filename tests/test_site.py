"""The site is made of the same Markdown, without a network, and its links lead somewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import notebook, site

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_MATERIAL = "mkdocs-material is not installed: `make site` installs it"
LOADED = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?((?:https?:)?//[^"'>\s]+)""")


@pytest.mark.slow(
    reason="half a minute; which pages there are changes seldom, and their links are checked elsewhere, too"
)
def test_the_site_is_built_without_a_network_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("material", reason=WITHOUT_MATERIAL)
    no_network = "import socket, sys, runpy\nclass Refused(socket.socket):\n"
    no_network += "    def connect(self, *_): raise OSError('no network')\nsocket.socket = Refused\n"
    program = f"{no_network}sys.argv = ['docs.site']\nrunpy.run_module('docs.site', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((ROOT / "out/site/html").rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        assert not LOADED.findall(page.read_text(encoding="utf-8")), page
    assert "Thirty seconds of pycaffe" in (ROOT / "out/site/html/index.html").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r"^\s+- (?:[^:\n]+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M))
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages <= named
    assert {path for path in named if not (ROOT / path).exists()} == {"LICENSE.md", "docs/notebook.md"}


def test_links_to_pages_stay_and_those_to_other_files_become_text():
    there = {Path("README.md"), Path("docs/a.md"), Path("benchmarks/README.md")}
    page = Path("docs/b.md")
    kept, picture = "[a](a.md#x) [home](../README.md)", "[no](nothing.md) ![p](p.png)"
    text = f"{kept} [n](notebook.ipynb) [how](../benchmarks/) [code](../caffe/io.py) {picture}"
    found = f"{kept} [n](notebook.md) [how](../benchmarks/README.md) code {picture}"
    assert site.linked(text, page, there) == found


def test_the_notebook_was_run_from_beginning_to_end_and_shows_what_came_of_it(tmp_path):
    cells = [cell for cell in json.loads(notebook.PATH.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"]
    notebook.as_markdown(notebook.PATH, tmp_path / "notebook.md")
    page = (tmp_path / "notebook.md").read_text()
    pictures = re.findall(r"!\[\]\((.*?)\)", page)
    assert pictures
    assert all((tmp_path / picture).is_file() for picture in pictures)
    assert "mean_iu" in page


def test_the_notebook_calls_what_there_is():
    import fcn_caffe

    source = "\n".join("".join(cell["source"]) for cell in json.loads(notebook.PATH.read_text())["cells"])
    for names in re.findall(r"^from fcn_caffe import (.*)$", source, re.M):
        assert all(hasattr(fcn_caffe, name.strip()) for name in names.split(","))


def test_the_container_copies_what_the_package_is_built_from():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", lines, re.M) for name in line.split()]
    assert all((ROOT / name).exists() for name in copied)
    folders = re.search(r"for folder in \((.*?)\)", (ROOT / "setup.py").read_text())[1]
    assert {*re.findall(r'"(\w+)"', folders), "caffe", "fcn_caffe", "setup.py", "pyproject.toml"} <= {*copied}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    assert {*copied} <= kept
