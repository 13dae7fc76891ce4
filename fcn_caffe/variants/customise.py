"""The available nets: those of the catalogue, also on other data, and those of tasks."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

from fcn_caffe import home, names
from fcn_caffe.datasets import layouts
from fcn_caffe.net_spec.catalogue import ROWS, VARIANTS, adapt, files
from fcn_caffe.net_spec.generate import write
from fcn_caffe.net_spec.input_data import DataSet, DataSplit, data_set, on_squares
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.unpooling import UnpoolingNet
from fcn_caffe.variants import tasks

USUAL_SPLITS = ("train", "val")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for data somewhere else, or of one's own, to a command."""
    group = parser.add_argument_group("data somewhere else, or of one's own (in PASCAL VOC's layout)")
    group.add_argument("--voc-dir", type=home.text, help="PASCAL VOC, or with --classes any folder of its layout")
    group.add_argument("--sbd-dir", type=home.text, help="the folder `dataset` of SBD")
    group.add_argument("--classes", type=int, help="number of classes of your own data set, background included")
    group.add_argument("--name", help="its name: voc-fcn8s becomes NAME-fcn8s (default: the name of --voc-dir)")
    group.add_argument(
        "--splits",
        nargs=2,
        metavar=("TRAIN", "VAL"),
        help="its lists of images (default: train val); one with `train` in its name is taken in random order",
    )
    group.add_argument("--as-stored", action="store_true", help="do not turn photos as their EXIF orientation says")


@dataclass(frozen=True)
class Catalogue:
    """The variants by name.

    roots: for each row whose files are not in the checkout's own folders, what comes before `nets/` and `solvers/`.
    writes: the rows whose files are written whenever they are needed; those of all others are there.
    own_names: other names of rows: of tasks (my-task: my-task-fcn8s), and of what was made for another data set
        (voc-fcn8s: camvid2-fcn8s).
    """

    rows: dict[str, Variant]
    roots: dict[str, str] = field(default_factory=dict)
    writes: frozenset[str] = frozenset()
    own_names: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Variant:
        """A row by its name, or by its other name. Raises ValueError with the names that are closest."""
        row = self.rows.get(self.own_names.get(name, name))
        if row is None:
            own = f"Tasks in {Path.cwd()}: {', '.join(tasks.names()) or 'none'}."
            listed = f"`fcn solve --list` shows all {len(self.rows)} variants. {own}"
            raise names.unknown(name, "variant or task", [*self.own_names, *self.rows], listed)
        return row

    def net_file(self, row: Variant, phase: str) -> str:
        """The path of a row's net."""
        return f"{self._root(row)}nets/{row.name}/{phase}.prototxt"

    def solver_file(self, row: Variant) -> str:
        """The path of a row's solver."""
        return f"{self._root(row)}solvers/{row.name}.prototxt"

    def write(self, row: Variant) -> None:
        """Write the row's nets and solver, unless they are there."""
        if row.name in self.writes:
            write(files((row,), self._root(row)), "fcn solve")

    def _root(self, row: Variant) -> str:
        return self.roots.get(row.name, "")


def everything() -> Catalogue:
    """The rows of the catalogue and of every task, with the files that are there."""
    rows, own_names = {row.name: row for row in VARIANTS}, {}
    roots = {} if Path("nets").is_dir() else dict.fromkeys(rows, "out/catalogue/")
    away = frozenset(roots)
    for name in tasks.names():
        task = tasks.read(tasks.TASKS / name)
        stages = tasks.rows(task)
        rows.update((row.name, row) for row in stages)
        roots.update((row.name, task.root) for row in stages)
        own_names[name] = stages[-1].name
    return Catalogue(rows, roots, away, own_names)


def catalogue(options: argparse.Namespace) -> Catalogue:
    """The catalogue as the options of `add_data_options`, and `variant`, ask for it. Raises ValueError if they do not
    fit together."""
    if options.classes is not None:
        return _own(options)
    for option in ("name", "splits", "as_stored"):
        if getattr(options, option):
            raise ValueError(
                f"--{option.replace('_', '-')} without --classes, expected both: how many classes has your data set?"
            )
    moved = {key: folder for key, folder in (("voc_dir", options.voc_dir), ("sbdd_dir", options.sbd_dir)) if folder}
    nets = everything()
    if not moved:
        return nets
    if options.variant:
        _check_moved(nets.find(options.variant), moved)
    rows = {row.name: replace(row, data=_moved(row.data, moved)) for row in VARIANTS}
    return Catalogue(rows, dict.fromkeys(rows, "out/moved/"), frozenset(rows))


def _own(options: argparse.Namespace) -> Catalogue:
    """The variants of one family (voc-… unless another is asked for) on a data set of one's own."""
    if not options.voc_dir or options.sbd_dir:
        raise ValueError("--classes needs --voc-dir, and no --sbd-dir: say where your data set in VOC's layout is")
    if not 2 <= options.classes <= 255:
        raise ValueError(f"--classes is {options.classes}, expected 2 to 255, the background included. Correct it.")
    folder = Path(options.voc_dir)
    prefix = options.name or folder.resolve().name.lower()
    family = options.variant.split("-", 1)[0] if options.variant in ROWS else "voc"
    own_names = {row.name: f"{prefix}-{row.name.split('-', 1)[1]}" for row in VARIANTS if _fits(row, family)}
    taken = [own for own in own_names.values() if own in ROWS]
    if taken:
        raise ValueError(
            f"--name {prefix}: the catalogue has a net {taken[0]} of its own, with its own recipe and snapshots. "
            f"Train that one (without --classes), or give another --name."
        )
    splits = options.splits or USUAL_SPLITS
    train, val = ((split, count_images(folder, split)) for split in splits)
    settings = {"voc_dir": options.voc_dir, "n_classes": options.classes}
    if options.as_stored:
        settings["upright"] = False
    rows = {}
    for row in (row for row in VARIANTS if row.name in own_names):
        own = own_names[row.name]
        data = data_set(settings, train, val, row.data.heads[0], mirror=row.data.train.params.get("mirror", False))
        data = replace(data, val=replace(data.val, params={**data.val.params, "randomize": False}))
        if isinstance(row, UnpoolingNet):
            data = on_squares(data)
        rows[own] = adapt(row, own, data, options.classes, tuple(own_names.get(start, start) for start in row.starts))
    return Catalogue(rows, dict.fromkeys(rows, f"out/{prefix}/"), frozenset(rows), own_names)


def _fits(row: Variant, family: str) -> bool:
    heads = [head.classes > 1 for head in row.data.heads]
    return row.name.split("-", 1)[0] == family and heads == [True] and row.data.inputs == {"data": 3}


def count_images(folder: Path, split: str) -> int:
    """How many images a split's list names; 0 without the folder. Raises FileNotFoundError that names the lists."""
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
    return len(layouts.voc_names(folder, split))


def _check_moved(row: Variant, folders: dict[str, str]) -> None:
    """Raises ValueError if the row's data have no such folder, so that asking for another would change nothing."""
    own = {key: value for split in (row.data.train, row.data.val) for key, value in split.params.items()}
    for key, folder in folders.items():
        if key not in own:
            option = {"voc_dir": "--voc-dir", "sbdd_dir": "--sbd-dir"}[key]
            read = ", ".join(dict.fromkeys([*row.data.train.folders, *row.data.val.folders]))
            raise ValueError(
                f"{option} {folder}: {row.name} has no data there, it reads {read}. Put the data, or a link, in that "
                "place; or give --classes to train on a data set of your own."
            )


def _moved(data: DataSet, folders: dict[str, str]) -> DataSet:
    def moved(split: DataSplit) -> DataSplit:
        new = {key: folders[key] for key in split.params if key in folders}
        return replace(split, params={**split.params, **new})

    return replace(data, train=moved(data.train), val=moved(data.val))
