"""Writes nets/ and solvers/, from the root of the checkout.

python -m net_spec              every net of the catalogue, and the reference nets
python -m net_spec --check      nothing: compares, and fails with a diff if a file is out of date
python -m net_spec --variant voc-fcn8s --name camvid-fcn8s --classes 11 --data '{"voc_dir": "data/camvid"}'
                                one net of the catalogue for a data set and a number of classes of your own

--data has the settings of the Python layer that reads your data. Without "module" and "layer" it is
voc_layers.VOCSegDataLayer, for data in PASCAL VOC's layout; "split" comes from --splits, and the defaults of mean and
seed are those of the published nets.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any, Optional

from fcn_caffe.net_spec import reference
from fcn_caffe.net_spec.catalogue import EVERY, ROWS, adapt, files
from fcn_caffe.net_spec.generate import COMMAND, differences, write
from fcn_caffe.net_spec.input_data import data_set
from fcn_caffe.net_spec.nets import Variant


def main(arguments: list[str], parser: Optional[argparse.ArgumentParser] = None) -> None:
    """Write or check what the arguments say. parser: another than that of `python -m net_spec`."""
    parser = parser or make_parser(COMMAND)
    options = parser.parse_args(arguments)
    if options.variant:
        try:
            row = _adapted(options)
        except ValueError as error:
            parser.error(str(error))
        made = files((row,), "" if options.out == "." else options.out.rstrip("/") + "/")
        write(made, f"{COMMAND} {shlex.join(arguments)}")
        print("\n".join(made))
    elif options.check:
        check()
    else:
        made = everything()
        write(made)
        _tell_left_out()
        print(f"{len(made)} files in nets/ and solvers/")


def everything() -> dict[str, Any]:
    """Path to message, of every file in nets/ and solvers/ that the Caffe that is imported has the messages for."""
    return {**files(tuple(row for row in EVERY if row.name not in left_out())), **reference.files()}


def left_out() -> list[str]:
    """The rows with layers of a fork whose messages the Caffe that is imported does not have."""
    return [row.name for row in EVERY if isinstance(row, Variant) and not row.can_be_made()]


def check() -> None:
    """Exits with 1 and a diff if a file in nets/ or solvers/ is out of date."""
    lines = list(differences(everything(), Path(), left_out()))
    if lines:
        print("\n".join(lines))
        sys.exit(f"nets/ and solvers/ are out of date: run `{COMMAND}`")
    _tell_left_out()
    print("nets/ and solvers/ are up to date")


def _tell_left_out() -> None:
    if left_out():
        print(f"left out, as they have layers of a fork that this Caffe does not have: {', '.join(left_out())}")


def _adapted(options: argparse.Namespace) -> Variant:
    """The row that the options describe. Raises ValueError for options that are missing or wrong."""
    for option in ("name", "classes", "data"):
        if getattr(options, option) is None:
            raise ValueError(f"--variant {options.variant}: --{option} is missing")
    variant = ROWS.get(options.variant)
    if not isinstance(variant, Variant):
        names = ", ".join(name for name, row in ROWS.items() if isinstance(row, Variant))
        raise ValueError(f"--variant {options.variant}: no such segmentation net; there are {names}")
    if options.name in ROWS:
        raise ValueError(f"--name {options.name}: the catalogue has a net of that name; choose another")
    if options.classes < 1:
        raise ValueError(f"--classes {options.classes}: expected at least 1. Correct it.")
    settings = _settings(options.data)
    reader = {key: settings.pop(key) for key in ("module", "layer") if key in settings}
    (train, val), head = options.splits, variant.data.heads[0]
    data = data_set(settings, (train, 0), (val, options.val_images), head, **reader)
    return adapt(variant, options.name, data, options.classes)


def _settings(text: str) -> dict[str, Any]:
    example = """write it as '{"voc_dir": "data/camvid"}'"""
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--data {text}: not JSON ({error}); {example}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"--data {text}: not a JSON object; {example}")
    return settings


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser; prog: how the program is called."""
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail with a diff if a file is out of date")
    group = parser.add_argument_group("a net of your own")
    group.add_argument("--variant", help="the net to start from, such as voc-fcn8s")
    group.add_argument("--name", help="the name of the new one")
    group.add_argument("--classes", type=int, help="number of classes, background included")
    group.add_argument("--data", help="settings of the data layer, as JSON")
    group.add_argument(
        "--splits", nargs=2, default=("train", "val"), metavar=("TRAIN", "VAL"), help="default: train val"
    )
    group.add_argument("--val-images", type=int, default=1, help="images in the second split; the solver's test_iter")
    group.add_argument("--out", default=".", help="where nets/ and solvers/ are; default: here")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
