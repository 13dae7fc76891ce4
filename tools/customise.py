"""The nets of the catalogue on data somewhere else, or on a data set of one's own."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

from net_spec.catalogue import ROWS, VARIANTS, adapt, files
from net_spec.datasets import DataSet, Split, data_set
from net_spec.generate import write
from net_spec.nets import Variant

USUAL_SPLITS = ("train", "val")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data somewhere else, or of one's own (in PASCAL VOC's layout)")
    group.add_argument("--voc-dir", help="PASCAL VOC, or with --classes any folder of its layout")
    group.add_argument("--sbd-dir", help="the folder `dataset` of SBD")
    group.add_argument("--classes", type=int, help="number of classes of your own data set, background included")
    group.add_argument("--name", help="its name: voc-fcn8s becomes NAME-fcn8s (default: the name of --voc-dir)")
    group.add_argument(
        "--splits",
        nargs=2,
        metavar=("TRAIN", "VAL"),
        help="its lists of images (default: train val); one with `train` in its name is taken in random order",
    )


@dataclass(frozen=True)
class Catalogue:
    """The variants by name.

    root: what comes before `nets/` and `solvers/`; empty for the files that the checkout has.
    own_names: what variants are called that were made for another data set (voc-fcn8s: camvid2-fcn8s).
    """

    rows: dict[str, Variant] = field(default_factory=lambda: {row.name: row for row in VARIANTS})
    root: str = ""
    own_names: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Variant:
        """A row by its name, or by the name of the variant it was made of. Raises ValueError with the names known."""
        row = self.rows.get(self.own_names.get(name, name))
        if row is None:
            raise ValueError(f"{name}: no such variant. There are {', '.join(self.rows)}.")
        return row

    def net_file(self, row: Variant, phase: str) -> str:
        """The path of a row's net."""
        return f"{self.root}nets/{row.name}/{phase}.prototxt"

    def solver_file(self, row: Variant) -> str:
        """The path of a row's solver."""
        return f"{self.root}solvers/{row.name}.prototxt"

    def write(self, row: Variant) -> None:
        """Write the row's nets and solver, unless the checkout has them."""
        if self.root:
            write(files((row,), self.root), "python tools/solve.py")


def catalogue(options: argparse.Namespace) -> Catalogue:
    """The catalogue as the options of `add_data_options`, and `variant`, ask for it. Raises ValueError if they do not
    fit together."""
    if options.classes is not None:
        return _own(options)
    for option in ("name", "splits"):
        if getattr(options, option):
            raise ValueError(f"--{option} without --classes, expected both: how many classes has your data set?")
    moved = {"voc_dir": options.voc_dir, "sbdd_dir": options.sbd_dir}
    if not any(moved.values()):
        return Catalogue()
    return Catalogue({row.name: replace(row, data=_moved(row.data, moved)) for row in VARIANTS}, "out/moved/")


def _own(options: argparse.Namespace) -> Catalogue:
    """The variants of one family (voc-… unless another is asked for) on a data set of one's own."""
    if not options.voc_dir or options.sbd_dir:
        raise ValueError("--classes needs --voc-dir, and no --sbd-dir: say where your data set in VOC's layout is")
    if not 2 <= options.classes <= 255:
        raise ValueError(f"--classes is {options.classes}, expected 2 to 255, the background included")
    folder = Path(options.voc_dir)
    prefix = options.name or folder.resolve().name.lower()
    family = options.variant.split("-", 1)[0] if options.variant in ROWS else "voc"
    names = {row.name: f"{prefix}-{row.name.split('-', 1)[1]}" for row in VARIANTS if _fits(row, family)}
    taken = [own for own in names.values() if own in ROWS]
    if taken:
        raise ValueError(
            f"--name {prefix}: the catalogue has a net {taken[0]} of its own, with its own recipe and snapshots. "
            f"Train that one (without --classes), or give another --name."
        )
    splits = options.splits or USUAL_SPLITS
    train, val = ((split, count_images(folder, split)) for split in splits)
    rows = {}
    for old, own in names.items():
        row = ROWS[old]
        data = data_set({"voc_dir": options.voc_dir, "n_classes": options.classes}, train, val, row.data.heads[0])
        data = replace(data, val=replace(data.val, params={**data.val.params, "randomize": False}))
        rows[own] = adapt(row, own, data, options.classes, tuple(names.get(start, start) for start in row.starts))
    return Catalogue(rows, f"out/{prefix}/", names)


def _fits(row: Variant, family: str) -> bool:
    return row.name.split("-", 1)[0] == family and len(row.data.heads) == 1 and row.data.inputs == {"data": 3}


def count_images(folder: Path, split: str) -> int:
    """Lines of a split's list; 0 without the folder. Raises FileNotFoundError that names the splits there are."""
    lists = folder / "ImageSets" / "Segmentation"
    path = lists / f"{split}.txt"
    if not folder.is_dir():
        return 0
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in lists.glob("*.txt"))) or "none"
        raise FileNotFoundError(
            f"'{path}' is missing, expected the names of the split's images. Lists there: {there}. "
            "Name two with --splits."
        )
    return len(path.read_text().split())


def _moved(data: DataSet, folders: dict[str, str | None]) -> DataSet:
    def moved(split: Split) -> Split:
        new = {key: folders[key] for key in split.params if folders.get(key)}
        return replace(split, params={**split.params, **new})

    return replace(data, train=moved(data.train), val=moved(data.val))
