"""Builds nets from messages, because Caffe builds them from files only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import text_format

import caffe
from fcn_caffe.net_spec.catalogue import ROWS


def published(name: str, phase: str, weights: str = "") -> Any:
    """A net of the catalogue that reads no data, in phase TEST."""
    return build(ROWS[name].net(phase), weights)


def build(message: Any, weights: str = "", phase: int | None = None) -> Any:
    """The caffe.Net of a NetParameter, with the weights of a caffemodel if one is named; by default in phase TEST."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(text_format.MessageToString(message))
        net = caffe.Net(str(path), caffe.TEST if phase is None else phase)
    if weights:
        net.copy_from(weights)
    return net
