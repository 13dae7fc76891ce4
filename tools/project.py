"""Where the checkout is, its folders on the module path, and how a tool ends: every tool imports this first."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[1]

Main = Callable[[Optional[list[str]]], int]

for _folder in (ROOT / "data_layers", ROOT):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))  # at the end: where BVLC's caffe is installed, it stays the one that is found


def environment() -> dict[str, str]:
    """The environment for a program that must find the data layers, such as `caffe train`."""
    paths = [str(ROOT), str(ROOT / "data_layers"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def quiet(caffe: Any) -> None:
    """Leave out Caffe's account of how it builds nets; warnings stay. (BVLC Caffe 1.0 has no switch for it.)"""
    if hasattr(caffe, "init_log"):
        caffe.init_log(1)


def tool(main: Callable[[list[str] | None], int]) -> Main:
    """A tool's main that ends with a line on stderr and exit status 1, not a traceback, where its user can help."""
    name = main.__module__.rsplit(".", 1)[-1]

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        who = Path(sys.argv[0]).stem if name == "__main__" else name
        try:
            return main(arguments)
        except (ValueError, OSError, RuntimeError) as error:
            print(f"{who}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{who}: interrupted", file=sys.stderr)
            return 130

    return run
