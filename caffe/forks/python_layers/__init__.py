"""Python layers that published nets name, used if no module of their names is found: most were written for Python 2."""

import ast
import re
from typing import Any

from caffe.errors import NetError


def settings(text: str, owner: str) -> dict[str, Any]:
    """A param_str: a dict as Python writes it, or `name: value` lines as YAML has them. NetError for anything else."""
    plain = re.sub(r"!!python/\w+\s*", "", text).strip()
    if not plain.startswith("{"):
        plain = "{" + ",".join(line for line in plain.splitlines() if line.strip()) + "}"
    plain = re.sub(r"([{,]\s*)([A-Za-z_]\w*)\s*:", r"\1'\2':", plain)
    try:
        found = ast.literal_eval(plain)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise NetError(
            f"{owner}: param_str is {text!r}, expected settings such as 'feat_stride': 16. Correct it."
        ) from error
    return dict(found)
