"""The nets of the catalogue on data somewhere else, or on a data set of one's own."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from net_spec.catalogue import VARIANTS, adapt, files
from net_spec.datasets import DataSet, Split, data_set
from net_spec.generate import write
from net_spec.nets import Variant


def add_data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data somewhere else, or of one's own (in PASCAL VOC's layout)")
    group.add_argument("--voc-dir", help="PASCAL VOC, or with --classes any folder of its layout")
    group.add_argument("--sbd-dir", help="the folder `dataset` of SBD")
    group.add_argument("--classes", type=int, help="number of classes of your own data set, background included")
    group.add_argument("--name", help="its name: voc-fcn8s becomes NAME-fcn8s (default: the name of --voc-dir)")
    group.add_argument(
        "--splits", nargs=2, default=("train", "val"), metavar=("TRAIN", "VAL"), help="default: train val"
    )


class Catalogue:
    """The variants by name, and where the solver of each is."""

    def __init__(self, options: argparse.Namespace):
        self.rows = {row.name: row for row in VARIANTS}
        self.root = ""
        if options.classes:
            self._adapt(options)
        elif options.voc_dir or options.sbd_dir:
            moved = {"voc_dir": options.voc_dir, "sbdd_dir": options.sbd_dir}
            self.rows = {name: replace(row, data=_moved(row.data, moved)) for name, row in self.rows.items()}
            self.root = "out/moved/"

    def _adapt(self, options: argparse.Namespace) -> None:
        if not options.voc_dir:
            raise ValueError("--classes without --voc-dir: say where your data set is")
        folder = Path(options.voc_dir)
        self.prefix = options.name or folder.name.lower()
        train, val = ((split, count_images(folder, split)) for split in options.splits)
        own = {}
        for name, row in self.rows.items():
            if len(row.data.heads) == 1 and row.data.inputs == {"data": 3}:
                data = data_set({"voc_dir": options.voc_dir}, train, val, row.data.heads[0])
                starts = tuple(self.own_name(start) if start in self.rows else start for start in row.starts)
                own[self.own_name(name)] = adapt(row, self.own_name(name), data, options.classes, starts)
        self.rows, self.root = own, f"out/{self.prefix}/"

    def own_name(self, name: str) -> str:
        """voc-fcn8s → NAME-fcn8s."""
        return f"{self.prefix}-{name.split('-', 1)[1]}"

    def find(self, name: str) -> Variant:
        """A row by its name, or by the name of the variant it was made of."""
        own = (
            name
            if name in self.rows or not self.root.startswith("out/") or "moved" in self.root
            else self.own_name(name)
        )
        if own not in self.rows:
            raise ValueError(f"{name}: no such variant. There are {', '.join(self.rows)}.")
        return self.rows[own]

    def solver_file(self, row: Variant) -> str:
        """The path of a row's solver; files of nets that are not the checkout's own are written first."""
        if self.root:
            write(files((row,), self.root), "python tools/solve.py")
        return f"{self.root}solvers/{row.name}.prototxt"


def count_images(folder: Path, split: str) -> int:
    """Lines of a split's list. Raises FileNotFoundError that names the splits there are."""
    lists = folder / "ImageSets" / "Segmentation"
    path = lists / f"{split}.txt"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in lists.glob("*.txt"))) or "no lists at all"
        raise FileNotFoundError(f"'{path}' is missing, expected the names of the split's images. There: {there}.")
    return len(path.read_text().split())


def _moved(data: DataSet, folders: dict[str, Any]) -> DataSet:
    def moved(split: Split) -> Split:
        new = {key: folders[key] for key in split.params if folders.get(key)}
        return replace(split, params={**split.params, **new})

    return replace(data, train=moved(data.train), val=moved(data.val))
