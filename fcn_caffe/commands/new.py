"""Nets for data of your own, in one command.

    fcn new my-task --images photos/ --labels labels/ --classes classes.txt --backbone squeezenet
    fcn new my-task --images photos/ --labels instances.json --backbone squeezenet

`photos/` and `labels/` have a label image for each image, of the same name but for the ending: class indices 0, 1, 2, …
and 255 for void, or, if classes.txt gives them, colours. classes.txt has a class on each line: `name`, or
`name red green blue` (or CSV, YAML, or as CamVid and CVAT write it).

Labels may also be annotations of other programs: a folder of labelme's JSON files, COCO's JSON file, or the exports of
masks of CVAT, Supervisely and Label Studio (for this one with the JSON export in the same folder), archives or
unpacked. They stay as they are: labels are drawn from them into the task's folder. Without --classes, the classes are
those that the annotations name, or the values or colours that label images have.

Everything is checked and reported, and a sheet of labelled images is drawn, tasks/my-task/labels.png. Then nets,
solvers and lists of images are written to tasks/my-task/, and all other tools know the task by its name:

    fcn solve my-task --chain               train all stages
    fcn score my-task
    fcn infer my-task photo.jpg …

The images are divided at random, but in the same way for the same names and --seed, unless --train and --val name
lists. Give lists if images resemble each other, such as those of one video, which must not be in both lists. A line of
a list is a name, with or without folders and extension, followed by the label if it has another name: `1.jpg
1_mask.png`.

Photos are turned upright according to their EXIF orientation. Give --as-stored if labels were made for the photos as
stored.
"""

from __future__ import annotations

import argparse

from fcn_caffe import home, program
from fcn_caffe.annotations import take
from fcn_caffe.data_layers.segdata import augment, classes, crops, pairs
from fcn_caffe.data_layers.segdata.layer import MOST_AHEAD
from fcn_caffe.data_layers.segdata.splits import Entry
from fcn_caffe.net_spec.catalogue import BACKBONES
from fcn_caffe.pictures import outputs
from fcn_caffe.variants import class_weights, label_sheet, missing, new_task, tasks
from fcn_caffe.variants.tasks import Task

SMALL = "squeezenet"
"""What few images are enough for, and minutes on a CPU."""


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("name", help="the name of the task")
    parser.add_argument("--images", type=home.text, required=True, help="folder of images")
    parser.add_argument("--labels", type=home.text, required=True, help="folder of label images, or annotations")
    parser.add_argument(
        "--classes",
        type=_class_file,
        default=take.AUTO,
        metavar="FILE",
        help="list of the classes (default: auto, which finds them in the labels)",
    )
    parser.add_argument("--backbone", choices=BACKBONES, default=SMALL, help=f"default: {SMALL}")
    parser.add_argument("--stride", type=int, default=8, help="of the last stage, in pixels (default: 8)")
    parser.add_argument("--train", type=home.text, metavar="LIST", help="names of the images to train on")
    parser.add_argument("--val", type=home.text, metavar="LIST", help="names of the images to score, with --train")
    parser.add_argument("--val-share", type=float, default=0.2, help="how many to score otherwise (default: 0.2)")
    parser.add_argument("--seed", type=int, default=1337, help="of that choice (default: 1337)")
    parser.add_argument("--no-mirror", action="store_true", help="do not mirror training images")
    parser.add_argument(
        "--scale", type=float, nargs=2, metavar=("LEAST", "MOST"), help="scale training images by factors between these"
    )
    parser.add_argument("--crop", type=int, metavar="N", help="train on squares of N pixels, cut out of the images")
    parser.add_argument(
        "--colour", type=float, metavar="S", help="change colours of training images, by at most S, from 0 to 1"
    )
    parser.add_argument(
        "--batch", type=int, metavar="N", help="train on N images at once, smaller ones padded with void"
    )
    parser.add_argument(
        "--class-weights",
        nargs="+",
        metavar="W",
        help="weights of the classes in the loss: auto (rare classes weigh more), or a number for each",
    )
    parser.add_argument("--as-stored", action="store_true", help="do not turn photos as their EXIF orientation says")
    parser.add_argument(
        "--allow-absent", action="store_true", help="allow classes without a pixel in the training images"
    )
    return parser


def _class_file(typed: str) -> str:
    return typed if typed == take.AUTO else home.text(typed)


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.train) != bool(options.val):
        parser.error("give both --train and --val, or neither")
    if not 0 < options.val_share < 1:
        parser.error("--val-share is a share of the images: give a number between 0 and 1")
    least, most = options.scale or (1, 1)
    if not augment.SMALLEST <= least <= most <= augment.LARGEST:
        parser.error(f"--scale takes two factors, the smaller first, from {augment.SMALLEST} to {augment.LARGEST:g}")
    if not 0 <= (options.colour or 0) <= 1:
        parser.error("--colour is a number from 0 to 1")
    if not (1 <= (options.crop or 1) <= crops.MOST and 1 <= (options.batch or 1) <= MOST_AHEAD):
        parser.error(f"--crop counts pixels, at most {crops.MOST}, and --batch images, at most {MOST_AHEAD}")
    new_task.check_name(options.name)
    images = pairs.by_stem(options.images, "images")
    with new_task.folder(options.name) as folder:
        taken = take.take(images, options.labels, options.classes, folder, not options.as_stored)
        labels = str(tasks.TASKS / options.name / take.LABELS) if taken.own else options.labels
        task = _task(options, labels)
        class_list = classes.read(taken.class_file)
        if len(class_list.names) < 2:
            raise ValueError(
                f"'{options.classes}' has one class, expected two or more: what is none of yours is one, too. Add it."
            )
        stages = task.stages(len(class_list.names), 0, 0)
        lists = _lists(options, images, pairs.by_stem(taken.labels, "labels"))
        found = new_task.check(task, taken.labels, taken.class_file, lists, options.allow_absent)
        if task.weighted:
            weights = class_weights.of(options.class_weights, found.pixels[: len(class_list.names)])
            print("weights:", ", ".join(f"{name} {each:.3g}" for name, each in zip(class_list.names, weights)))
            class_weights.write(weights, folder / tasks.WEIGHTS)
        new_task.write(task, folder, taken.class_file, lists, len(class_list.names))
        outputs.save_picture(label_sheet.draw(task, taken.labels, lists, class_list, found), folder / label_sheet.FILE)
    print(f"What the labels look like: {task.folder / label_sheet.FILE}")
    lacking = missing.weights(stages[0])
    print(f"wrote {task.folder}/: {', '.join(row.name for row in stages)}.", end=" ")
    print(f"Missing before training:\n{lacking}\nThen:" if lacking else "Next:", f"fcn solve {task.name} --chain")
    return 0


def _task(options: argparse.Namespace, labels: str) -> Task:
    training = {key: getattr(options, key) for key in ("scale", "crop", "colour", "batch")}
    training = {"mirror": not options.no_mirror or None, **training}
    return Task(
        options.name,
        options.images,
        labels,
        options.backbone,
        options.stride,
        not options.as_stored,
        {key: value for key, value in training.items() if value is not None},
        options.class_weights is not None,
    )


def _lists(options: argparse.Namespace, images: dict[str, str], labels: dict[str, str]) -> dict[str, list[Entry]]:
    """The images to train on and those to score: those in the user's lists, or drawn by chance."""
    if options.train:
        return new_task.listed({"train": options.train, "val": options.val}, images, labels)
    drawn = new_task.divided(new_task.paired(images, labels), options.val_share, options.seed)
    return {split: list(map(Entry, names)) for split, names in drawn.items()}
