"""`python -m docs.generate`: see the package."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import docs.generate
from docs.generate import api, cli, environment, fork_layers, layers

ROOT = Path(__file__).resolve().parents[2]
PAGES: tuple[ModuleType, ...] = (layers, fork_layers, cli, environment, api)
COMMAND = "python -m docs.generate"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write or check all pages below `root`; the exit status, 1 if a page is out of date."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=docs.generate.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail with a diff for what is out of date")
    check = parser.parse_args(arguments).check
    outdated = []
    for page in PAGES:
        path, new = root / page.PAGE, page.text()
        if not check:
            path.write_text(new, encoding="utf-8")
            continue
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old != new:
            outdated.append(page.PAGE)
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), page.PAGE, "new"))
    if outdated:
        print(f"{', '.join(outdated)} out of date: run `{COMMAND}`", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
