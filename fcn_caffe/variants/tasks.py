"""Tasks of one's own: what fcn new writes to tasks/NAME/, and every tool finds by name.

task.json            where images and labels are, and which net is trained on them
labels/              the labels, where they were drawn from annotations
labels.png           what some of them look like
class_weights.binaryproto    the weights of the classes, if they have some
classes.txt          the classes
train.txt, val.txt   the names of the images to train on, and of those to score
nets/, solvers/      a net and a solver for each stage. They are yours: change a learning rate there, and it counts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from caffe.proto import caffe_pb2
from fcn_caffe.data_layers.segdata import classes, splits, text
from fcn_caffe.net_spec.catalogue import own
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.input_data import MEAN, SEED, DataSet, DataSplit
from fcn_caffe.net_spec.nets import Variant

TASKS = Path("tasks")
FILE, WEIGHTS = "task.json", "class_weights.binaryproto"
KINDS = {"str": str, "int": int, "bool": bool, "dict[str, Any]": dict}


@dataclass(frozen=True)
class Task:
    """A task: folders of images and labels, and a net.

    backbone: one of net_spec.catalogue.BACKBONES.
    stride: of its last stage.
    upright: whether photos are turned as their EXIF orientation says.
    training: settings of the data layer in training, such as `mirror`.
    weighted: whether the classes have weights in the loss.
    """

    name: str
    images: str
    labels: str
    backbone: str
    stride: int
    upright: bool = True
    training: dict[str, Any] = field(default_factory=dict)
    weighted: bool = False

    @property
    def folder(self) -> Path:
        """The task's folder, tasks/NAME."""
        return TASKS / self.name

    @property
    def root(self) -> str:
        """What comes before `nets/` and `solvers/`."""
        return f"{self.folder.as_posix()}/"

    def stages(self, n_classes: int, train: int, val: int) -> tuple[Variant, ...]:
        """Its nets, coarsest first, for so many classes, and images to train on and to score."""

        def split(file: str, images: int, **more: Any) -> DataSplit:
            params = {
                "images": self.images,
                "labels": self.labels,
                "classes_file": f"{self.root}classes.txt",
                "split": f"{self.root}{file}.txt",
                "mean": MEAN,
                "seed": SEED,
            }
            if not self.upright:
                params["upright"] = False
            return DataSplit("FolderSegDataLayer", {**params, **more}, file, images)

        head = Head(n_classes, renamed=True, weights=f"{self.root}{WEIGHTS}" if self.weighted else "")
        data = DataSet("folder_layers", split("train", train, **self.training), split("val", val), (head,))
        return own(self.name, data, self.backbone, self.stride)

    def to_json(self) -> str:
        """The task as the text of its task.json."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read(folder: Path) -> Task:
    """The task in a folder. Raises ValueError if its file is not one that fcn new writes."""
    path = folder / FILE
    try:
        values = json.loads(text.read(str(path)))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"'{path}' is not JSON ({error}). Remove '{folder}', and run fcn new again.") from error
    kinds = {each.name: KINDS[str(each.type)] for each in fields(Task)}
    if isinstance(values, dict):
        values = {"upright": True, "training": {}, "weighted": False, **values}
    found = {key: type(value) for key, value in values.items()} if isinstance(values, dict) else {}
    if found != kinds or values["name"] != folder.name:
        raise ValueError(
            f"'{path}' does not describe a task called {folder.name}: expected {', '.join(kinds)}. Remove '{folder}', "
            "and run fcn new again."
        )
    return Task(**values)


def names() -> list[str]:
    """The names of the tasks there are."""
    return sorted(path.parent.name for path in TASKS.glob(f"*/{FILE}"))


def rows(task: Task) -> tuple[Variant, ...]:
    """The nets of a task that was written, coarsest first; each trains as long as its solver says."""
    count = {split: len(splits.read_names(f"{task.root}{split}.txt", task.name)) for split in ("train", "val")}
    made = task.stages(len(classes.read(f"{task.root}classes.txt").names), count["train"], count["val"])
    return tuple(replace(row, recipe=replace(row.recipe, iterations=_max_iter(task, row))) for row in made)


def _max_iter(task: Task, row: Variant) -> int:
    path = Path(f"{task.root}solvers/{row.name}.prototxt")
    try:
        return text_format.Parse(text.read(str(path)), caffe_pb2.SolverParameter()).max_iter
    except text_format.ParseError as error:
        raise ValueError(f"'{path}' is not a solver ({error}). Correct it.") from error
