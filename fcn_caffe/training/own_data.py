"""Looks a data set of one's own over, in PASCAL VOC's layout, before a training begins."""

from __future__ import annotations

import argparse
from pathlib import Path

from fcn_caffe.datasets import layouts, lint
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import USUAL_SPLITS


def check(todo: list[Variant], options: argparse.Namespace) -> None:
    """Print what there is to say of the data that `todo`, one after another, would be trained on.

    Nothing is looked at where there is nothing to train, a training goes on that began before, or the data are not
    one's own. Raises ValueError if they cannot be used.
    """
    if not todo or options.classes is None or (options.resume and stages.progress(todo[0].name)):
        return
    train, val = options.splits or USUAL_SPLITS
    layout = layouts.to_train_on(Path(options.voc_dir), train, val, options.classes)
    layout.upright, layout.allow_absent = not options.as_stored, options.allow_absent
    found = lint.look_over(layout)
    print(found.report(), flush=True)
    if found.errors:
        raise ValueError(
            f"'{options.voc_dir}' cannot be trained on; see the errors above. Correct them first (or give --no-check)."
        )
