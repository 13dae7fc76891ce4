"""Checks a user's data set, in PASCAL VOC's layout, before a training begins: once, until it changes."""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

from fcn_caffe import program
from fcn_caffe.datasets import layouts, lint
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import USUAL_SPLITS
from fcn_caffe.whole_files import open_atomic

CHECKED = Path("out/checked")
"""Holds a file for each state of a data set that was found well: what was said of it."""


def check(todo: list[Variant], options: argparse.Namespace) -> None:
    """Print what there is to say of the data that `todo`, one after another, would be trained on.

    Nothing is looked at where there is nothing to train, a training goes on that began before, the data are not one's
    own, or no file of them was written since they were found well. Raises ValueError if they cannot be used.
    """
    if not todo or options.classes is None or (options.resume and stages.progress(todo[0].name)):
        return
    train, val = options.splits or USUAL_SPLITS
    layout = layouts.to_train_on(Path(options.voc_dir), train, val, options.classes)
    layout.upright, layout.allow_absent = not options.as_stored, options.allow_absent
    before = CHECKED / f"{_state(layout)}.txt"
    if before.is_file():
        print(before.read_text(encoding="utf-8"), end="")
        print("(This was found before; no file was written since.)", flush=True)
        return
    found = lint.look_over(layout)
    print(found.report(), flush=True)
    if found.errors:
        raise ValueError(
            f"'{options.voc_dir}' cannot be trained on; see the errors above. Correct them first (or give --no-check)."
        )
    with open_atomic(before) as file:
        file.write(f"{found.report()}\n".encode())


def _state(layout: layouts.Layout) -> str:
    """A checksum of what is looked for, and of the name, size and time of every image and label."""
    state = hashlib.sha256(program.version().encode())
    asked = (layout.n_classes, layout.names, layout.colours, layout.elsewhere, layout.training, layout.splits)
    state.update(repr((os.getcwd(), layout.title, *asked, layout.upright, layout.allow_absent)).encode())
    for name in dict.fromkeys(name for names in layout.splits.values() for name in names):
        for path in (layout.image(name), layout.label(name)):
            there = os.stat(path) if os.path.exists(path) else None
            state.update(repr((path, there and (there.st_size, there.st_mtime_ns))).encode())
    return state.hexdigest()[:32]
