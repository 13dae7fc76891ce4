"""The site: `make site`, or `python -m docs.site`. The same Markdown, its links checked; no network is needed.

Pages, and pictures that they show, are put together in out/site/source, each where it lies in the checkout, so that the
links between them hold. mkdocs (the group `site` of pyproject.toml) writes out/site/html, and fails for a link or an
anchor that leads nowhere. A link to a file that is no page, such as a source, becomes plain text.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs import notebook

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path("out/site/source")
PAGES = ("*.md", "docs/**/*.md", "benchmarks/*.md", "benchmarks/results/*.md", "fcn_caffe/bundled/*.md")
PICTURES = ("docs/**/*.png", "docs/**/*.jpg")
NOTEBOOK = Path("docs/notebook.ipynb")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def stage(root: Path = ROOT) -> Path:
    """Put all pages together, and return the folder of them."""
    source = root / SOURCE
    shutil.rmtree(source, ignore_errors=True)
    pages = {path.relative_to(root) for pattern in PAGES for path in root.glob(pattern)}
    there = {*pages, Path("LICENSE.md"), NOTEBOOK.with_suffix(".md")}
    for page in sorted(pages):
        text = (root / page).read_text(encoding="utf-8")
        _write(source / page, linked(text, page, there))
    for picture in (path for pattern in PICTURES for path in root.glob(pattern)):
        target = source / picture.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target)
    _write(source / "LICENSE.md", f"# Licence\n\n```text\n{(root / 'LICENSE').read_text(encoding='utf-8')}```\n")
    notebook.as_markdown(root / NOTEBOOK, source / NOTEBOOK.with_suffix(".md"))
    return source


def linked(text: str, page: Path, there: set[Path]) -> str:
    """A page whose links lead to pages. A link to anything else of the checkout is its text, and one to a folder whose
    README.md is a page is to that."""

    def to(found: re.Match[str]) -> str:
        shown, link, anchor = found[1], found[2], found[3] or ""
        target = Path(*_parts(page.parent / link))
        if target in there:
            return found[0]
        if target == NOTEBOOK:
            return f"[{shown}]({link.removesuffix('.ipynb')}.md)"
        if target / "README.md" in there:
            return f"[{shown}]({link.rstrip('/')}/README.md{anchor})"
        if link == "LICENSE":
            return f"[{shown}](LICENSE.md)"
        return shown if (ROOT / target).exists() else found[0]

    return LINK.sub(to, text)


def _parts(path: Path) -> list[str]:
    """The parts of a path with `..` taken out."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return parts


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Make the site; the exit status."""
    stage()
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"], cwd=ROOT)
    if not done.returncode:
        print(ROOT / "out/site/html/index.html")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
