"""Attributes that are True or False."""

from typing import Any

import numpy as np

from caffe.errors import UsageError


def flag(value: Any, what: str) -> bool:
    """The value as a bool. Raises UsageError for what is neither True nor False, nor 1 nor 0: "no" would be true."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise UsageError(f"{what} = {value!r}, expected True or False. Give one of them.")
