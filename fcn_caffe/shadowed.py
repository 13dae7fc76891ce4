"""A checkout of BVLC Caffe that hides the package `caffe`: recognised before it ends in a circular import.

Caffe's examples insert `caffe_root/python` there, and PYTHONPATH often has it. Where Caffe was never built,
`import caffe` fails at `_caffe`, which Python calls a circular import.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn, Optional


def words() -> Optional[str]:
    """The message for a user whose `import caffe` finds a checkout that was never built; None if it finds another."""
    try:
        spec = find_spec("caffe")
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin:
        return None
    folder = Path(spec.origin).parent
    if not (folder / "pycaffe.py").is_file() or any(folder.glob("_caffe*.*")):
        return None
    return (
        f"`import caffe` finds '{folder}', a checkout of Caffe in which Caffe was never built: it hides this package, "
        "and ends in an error at `_caffe`, often told as a circular import. Take "
        f"'{folder.parent}' out of PYTHONPATH, and out of scripts the line that inserts caffe_root + 'python' into the "
        "path: the installed package needs neither."
    )


def refuse() -> None:
    """End the process with these words and status 1, where there is reason for them."""
    if told := words():
        sys.exit(told)


def caffe_command() -> NoReturn:
    """The program `caffe`."""
    refuse()
    from caffe.cli import main

    sys.exit(main())
