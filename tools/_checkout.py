"""Puts the checkout on the module path: its own `fcn_caffe` first, all else (its `caffe`) after what is installed."""

import sys
from pathlib import Path

_root = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, _root)
import fcn_caffe  # noqa: E402, F401

sys.path.remove(_root)
sys.path.append(_root)
