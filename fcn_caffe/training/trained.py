"""The description of a snapshot folder: everything that is needed to use a trained net anywhere.

Beside the snapshots, the losses and the scores, snapshot/NAME/ has

    deploy.prototxt                                    the net to use
    train.prototxt, val.prototxt, solver.prototxt      what it was trained by (val: or whatever its data set calls it)
    trained.json                                       its inputs, mean, classes with their colours, data, and its start

The folder may be moved: `fcn infer FOLDER photo.jpg`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.net_spec.nets import DEPLOY, Variant
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.legend import Legend, legend_of, reader
from fcn_caffe.training import runs
from fcn_caffe.training.settings import TrainingSettings
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import Catalogue
from fcn_caffe.whole_files import open_atomic, read_json

FILE = "trained.json"
SCORE = "score"


@dataclass(frozen=True)
class Trained:
    """A trained net.

    inputs: its blobs and their channels. sees: what its data layer calls them. mean: what was subtracted.
    classes: of each blob of scores how many. legends: their names, where they have some, and colours.
    upright: whether images were turned as their EXIF orientation says.
    """

    name: str
    inputs: dict[str, int]
    sees: tuple[str, ...]
    mean: tuple[float, ...]
    classes: dict[str, int]
    legends: dict[str, Legend]
    upright: bool

    def check(self, row: Variant, remedy: str) -> None:
        """Raises ValueError if the net was trained for other classes or inputs than the row has now."""
        now = of(row)
        found = []
        for score in {**self.classes, **now.classes}:
            if self.classes.get(score) != now.classes.get(score):
                found.append(
                    f"{self.classes.get(score, 'no')} classes ({row.name} has {now.classes.get(score, 'none')})"
                )
            elif names(self, score) and names(now, score) and names(self, score) != names(now, score):
                was, is_ = ((", ".join(names(each, score))) for each in (self, now))
                found.append(f"the classes {was} (those of {row.name} are {is_})")
        for what in ("inputs", "sees"):
            if getattr(self, what) != getattr(now, what):
                found.append(f"other inputs, {', '.join(getattr(self, what))}")
                break
        if self.mean and now.mean and not np.allclose(self.mean, now.mean):
            found.append(f"the mean {self.mean} ({row.name} subtracts {now.mean})")
        if found:
            raise ValueError(f"'{stages.SNAPSHOTS / row.name}' holds a net that learned {'; '.join(found)}. {remedy}")


def names(net: Trained, score: str) -> tuple[str, ...]:
    """The names of the classes of a blob of scores; () if they have none."""
    return net.legends[score].names if score in net.legends else ()


def of(row: Variant) -> Trained:
    """The description of a net that this row would train now."""
    params, heads = row.data.val.params, {SCORE + head.suffix: head.classes for head in row.data.heads}
    mean = params.get("mean") or reader(row).own_mean or ()
    legends = {score: legend_of(row, score) for score in heads}
    upright = bool(params.get("upright", True))
    return Trained(row.name, dict(row.data.inputs), _sees(row), tuple(map(float, mean)), heads, legends, upright)


def _sees(row: Variant) -> tuple[str, ...]:
    return tuple(top for top in row.data.val.params.get("tops", ("color",)) if top in ("color", "depth", "hha"))


def check_sees_colours(name: str, sees: Sequence[str]) -> None:
    """Raises ValueError for a net that sees something else than the colours of a photo."""
    if tuple(sees) != ("color",):
        raise ValueError(
            f"{name} sees {' and '.join(sees)}, expected a net that sees colours. `fcn score {name} --save-dir "
            "DIR` writes what it predicts for the images of its data set."
        )


def is_there(folder: Path) -> bool:
    """Whether a folder has a description and a net."""
    return (folder / FILE).is_file() and (folder / f"{DEPLOY}.prototxt").is_file()


def read(folder: Path) -> Trained | None:
    """The description of a folder's net; None if there is none. Raises ValueError if it is damaged."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        values = read_json(path)
        legends = {score: _legend(each) for score, each in values["classes"].items()}
        return Trained(
            name=str(values["name"]),
            inputs={str(blob): int(channels) for blob, channels in values["inputs"].items()},
            sees=tuple(map(str, values["sees"])),
            mean=tuple(map(float, values["mean"])),
            classes={score: int(each["count"]) for score, each in values["classes"].items()},
            legends=legends,
            upright=bool(values["upright"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> ValueError:
    """The error for a description that cannot be used."""
    if isinstance(error, KeyError):
        found = f"it has no {error}"
    else:
        found = str(error) if isinstance(error, ValueError) else "something in it is of another kind"
    return ValueError(
        f"'{path}' does not describe a trained net ({found}), expected what fcn solve writes. Restore it, "
        "or remove it, and name net and weights: --net … --weights …"
    )


def _legend(values: dict[str, Any]) -> Legend:
    colours = drawing.palette()
    for cls, colour in values["colours"].items():
        if not all(0 <= part <= 255 for part in colour):  # NumPy 1 wraps others around
            raise ValueError(f"the colour of class {cls} is {colour}, expected numbers from 0 to 255")
        colours[int(cls)] = colour
    return Legend(tuple(map(str, values["names"] or ())), colours)


def write(row: Variant, folder: Path, files: dict[str, Path], started: dict[str, Any]) -> None:
    """Make a folder complete. files: the copies by their names. started: how the training began."""
    net = of(row)
    values = {
        "name": net.name,
        "inputs": net.inputs,
        "sees": net.sees,
        "mean": net.mean,
        "upright": net.upright,
        "classes": {score: _classes(net, score) for score in net.classes},
        "data": {
            split.file: {"module": row.data.module, "layer": split.layer, **split.params}
            for split in (row.data.train, row.data.val)
        },
        "heads": {head.label: SCORE + head.suffix for head in row.data.heads},
        "losses": {head.label: head.loss for head in row.data.heads},
        **started,
    }
    texts = {name: path.read_bytes() for name, path in files.items()}
    texts[FILE] = (json.dumps(values, indent=1) + "\n").encode()
    for name, text in texts.items():
        with open_atomic(folder / name) as file:
            file.write(text)


def _classes(net: Trained, score: str) -> dict[str, Any]:
    legend, count = net.legends[score], net.classes[score]
    shown = [*range(min(count, VOID)), VOID]
    return {
        "count": count,
        "names": legend.names or None,
        "colours": {str(cls): legend.colours[cls].tolist() for cls in shown},
    }


def record(solver: Any, row: Variant, nets: Catalogue, weights: Sequence[Path], settings: TrainingSettings) -> None:
    """Have the row's folder made complete as soon as an iteration has been computed: before, nothing there is touched.

    nets: the catalogue that knows where the row's files are. A description that is there stays when a training goes on.
    """
    folder = stages.SNAPSHOTS / row.name
    files = {f"{phase}.prototxt": Path(nets.net_file(row, phase)) for phase in row.phases}
    files["solver.prototxt"] = Path(nets.solver_file(row))
    started = {
        "starts": {start: str(path) for start, path in zip(row.starts, weights)},
        "iterations": settings.iterations or row.recipe.iterations,
        "seed": settings.seed,
        "precision": settings.precision,
    }
    waiting, begin = [True], solver.iter

    def first() -> None:  # which must not hold the solver: the lock of its snapshots goes with it
        if waiting and not (settings.resume and is_there(folder)):
            write(row, folder, files, started)
        if waiting:
            runs.add(folder, begin, settings.gpu)
        waiting.clear()

    solver.add_callback(lambda: None, first)


def check_chain(todo: list[Variant], rows: dict[str, Variant], resume: bool, own_weights: bool) -> None:
    """Raises ValueError if what the trainings of `todo` go on or start from is of other classes or inputs than now.

    resume: they go on from their snapshots. own_weights: the first starts from weights that the user names.
    """
    going_on = [row for row in todo if resume]
    first = [rows[start] for start in todo[0].starts if start in rows and not own_weights]
    for row in (*going_on, *first):
        check(row)


def weights(row: Variant) -> Path:
    """The newest weights of a net that was trained here, for what the row is now.

    Raises FileNotFoundError if there are none, and ValueError if they are of other classes or inputs.
    """
    found = stages.trained_weights(row.name)
    check(row)
    return found


def check(row: Variant) -> None:
    """Raises ValueError if the row's folder holds a training for other classes or inputs than the row's."""
    net = read(stages.SNAPSHOTS / row.name)
    if net is not None:
        net.check(
            row,
            f"To train anew: fcn solve {row.name} --restart. To keep it: move the folder; fcn infer takes it "
            "by its path.",
        )
