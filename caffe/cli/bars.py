"""Progress bars on stderr, if it is a terminal."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

UNKNOWN_SIZE = {"ncols": 80, "nrows": 24}
"""Of a terminal that does not say how large it is: some of containers and of `script` say that they have no columns."""


def bar(over: Iterable[Any] | None = None, **shown: Any) -> Any:
    """tqdm's bar on a terminal, of the terminal's width; hidden elsewhere."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # no terminal, or none that has a descriptor
        columns = None
    size: dict[str, Any] = UNKNOWN_SIZE if columns == 0 else {"dynamic_ncols": True}
    return tqdm(over, file=sys.stderr, disable=None, **size, **shown)
