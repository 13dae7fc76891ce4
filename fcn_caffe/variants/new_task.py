"""Makes a task: pairs, checks and divides images and labels, and writes its folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format

from fcn_caffe import CHECKOUT
from fcn_caffe.data_layers.segdata import shown, splits, text
from fcn_caffe.data_layers.segdata.splits import Entry
from fcn_caffe.datasets import layouts, lint
from fcn_caffe.datasets.findings import Findings
from fcn_caffe.net_spec.catalogue import ROWS, files
from fcn_caffe.variants.tasks import FILE, TASKS, Task

LONGEST = 100
"""The number of characters of a name that are shown."""
HEADER = "# Written by `fcn new`; yours to change.\n"


def paired(images: dict[str, str], label_files: dict[str, str]) -> list[str]:
    """The names that have an image and a label. Says how many have one alone; raises ValueError for fewer than two."""
    names = [name for name in images if name in label_files]
    if len(names) < 2:
        raise ValueError(
            f"{len(names)} image(s) have a label, expected at least two: there are images such as "
            f"{next(iter(images))}, and labels such as {next(iter(label_files))}. Give both files of a pair one name "
            "but for the ending, or list the pairs (--train and --val): a line `1.jpg 1_mask.png` for each."
        )
    for what, found in (("images", images), ("labels", label_files)):
        if len(found) > len(names):
            print(f"{len(found) - len(names)} of {len(found)} {what} have no partner and are left out")
    return names


def divided(names: list[str], share: float, seed: int) -> dict[str, list[str]]:
    """Names to train on and to score, at least one of each; which, depends on the names and the seed alone."""
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    scored = min(max(round(share * len(names)), 1), len(names) - 1)
    return {"train": sorted(order[scored:]), "val": sorted(order[:scored])}


def listed(paths: dict[str, str], images: dict[str, str], label_files: dict[str, str]) -> dict[str, list[Entry]]:
    """What each list names. Raises ValueError for names that no pair has."""
    lists = {}
    for split, path in paths.items():
        lists[split] = splits.read_entries(path, "", images.__contains__, label_files.__contains__)
        unknown = [
            image if label is None else f"{image} with {label}"
            for image, label in lists[split]
            if image not in images or (label or image) not in label_files
        ]
        if unknown:
            raise ValueError(
                f"'{path}' names {len(unknown)} image(s) that are no pair of image and label: {_some(unknown)}. "
                "Correct it: one image on each line, and after it its label, if that has another name."
            )
    return lists


def check(task: Task, labels: str, class_file: str, lists: dict[str, list[Entry]], allow_absent: bool) -> Findings:
    """Look at every image and label, tell what was found, and give it. Raises ValueError if they cannot be used.

    labels: the folder where they are now.
    """
    layout = layouts.find(None, None, Path(task.images), Path(labels), class_file)
    layout.title = f"{task.images} and {task.labels}"
    layout.take(lists)
    layout.upright, layout.allow_absent = task.upright, allow_absent
    found = lint.look_over(layout)
    print(found.report())
    if found.errors:
        raise ValueError("images or labels cannot be used; see the errors above. Correct them first.")
    return found


def check_name(name: str) -> None:
    """Raises ValueError for a name that is taken, or that no make target and no folder can have."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(
            f"the name {name!r} has other characters than letters, digits, '-', '_' and '.'. Choose another."
        )
    if name in _make_targets() or any(row.startswith(f"{name}-fcn") for row in ROWS):
        raise ValueError(f"the name {name} is taken, by a net of the catalogue or a make target. Choose another.")
    if (TASKS / name).exists():
        raise ValueError(
            f"'{TASKS / name}' is there already. Remove it (and the trainings in snapshot/{name}-fcn*), or choose "
            "another name."
        )


def _make_targets() -> list[str]:
    """The targets of the checkout's Makefile; none without a checkout."""
    if CHECKOUT is None:
        return []
    return re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.M)


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """A folder to fill, which becomes that of a task, whole or not at all."""
    TASKS.mkdir(exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=TASKS, prefix=f".{name}."))
    try:
        yield part
        part.chmod(0o755)
        os.rename(part, TASKS / name)
    except BaseException:
        shutil.rmtree(part)
        with contextlib.suppress(OSError):
            TASKS.rmdir()  # if nothing else is in it
        raise


def write(task: Task, part: Path, class_file: str, lists: dict[str, list[Entry]], n_classes: int) -> None:
    """Write what a task's folder has: lists, classes, nets and solvers."""
    rows = task.stages(n_classes, len(lists["train"]), len(lists["val"]))
    texts = {f"{split}.txt": "".join(map(_line, entries)) for split, entries in lists.items()}
    texts["classes.txt"] = text.read(class_file)
    texts[FILE] = task.to_json()
    for path, message in files(rows, task.root).items():
        texts[path[len(task.root) :]] = HEADER + text_format.MessageToString(message)
    for name, content in texts.items():
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        (part / name).write_text(content, encoding="utf-8")


def _line(entry: Entry) -> str:
    """The line of a list: the image, and a label of another name as a file, so that it is not taken for a remark."""
    return f"{entry.image}\n" if entry.label is None else f"{entry.image}\t{entry.label}.png\n"


def _some(names: list[str]) -> str:
    return shown.first((name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in names), 4)
