"""Nets for data of your own, in one command.

    fcn new my-task --images photos/ --labels labels/ --classes classes.txt --backbone squeezenet

`photos/` and `labels/` have a label image for each image, of the same name but for the ending: class indices 0, 1, 2, …
and 255 for void, or, if classes.txt gives them, colours. classes.txt has a class on each line: `name`, or
`name red green blue` (or CSV, YAML, or as CamVid and CVAT write it). Everything is checked; then nets, solvers and
lists of images are written to tasks/my-task/, and all other tools know the task by its name:

    fcn solve my-task --chain               train all stages
    fcn score my-task
    fcn infer my-task photo.jpg …

The lists are drawn by chance, but the same for the same names and --seed, unless --train and --val name lists. Give
lists where images resemble each other, such as those of one video: they must not be on both sides. A line of a list is
a name, with or without folders and ending, and may go on with the label, if that has another name: `1.jpg 1_mask.png`.

Photos are turned upright, as their EXIF orientation says. Give --as-stored if labels were made without that.
"""

from __future__ import annotations

import argparse

from fcn_caffe import home, program
from fcn_caffe.data_layers.segdata import classes, pairs
from fcn_caffe.data_layers.segdata.splits import Entry
from fcn_caffe.net_spec.catalogue import BACKBONES
from fcn_caffe.variants import missing, new_task
from fcn_caffe.variants.tasks import Task


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("name", help="what the task is called")
    parser.add_argument("--images", type=home.text, required=True, help="folder of images")
    parser.add_argument("--labels", type=home.text, required=True, help="folder of label images")
    parser.add_argument("--classes", type=home.text, required=True, help="list of the classes")
    parser.add_argument("--backbone", choices=BACKBONES, default="vgg16", help="default: vgg16")
    parser.add_argument("--stride", type=int, default=8, help="of the last stage, in pixels (default: 8)")
    parser.add_argument("--train", type=home.text, metavar="LIST", help="names of the images to train on")
    parser.add_argument("--val", type=home.text, metavar="LIST", help="names of the images to score, with --train")
    parser.add_argument("--val-share", type=float, default=0.2, help="how many to score otherwise (default: 0.2)")
    parser.add_argument("--seed", type=int, default=1337, help="of that choice (default: 1337)")
    parser.add_argument("--as-stored", action="store_true", help="do not turn photos as their EXIF orientation says")
    parser.add_argument("--allow-absent", action="store_true", help="let there be classes that nothing is learned of")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.train) != bool(options.val):
        parser.error("give both --train and --val, or neither")
    if not 0 < options.val_share < 1:
        parser.error("--val-share is a share of the images: give a number between 0 and 1")
    new_task.check_name(options.name)
    task = Task(options.name, options.images, options.labels, options.backbone, options.stride, not options.as_stored)
    class_list = classes.read(options.classes)
    if len(class_list.names) < 2:
        raise ValueError(f"'{options.classes}' has one class, expected two or more: what is none of yours is one, too.")
    stages = [row.name for row in task.stages(len(class_list.names), 0, 0)]
    images, label_files = pairs.by_stem(options.images, "images"), pairs.by_stem(options.labels, "labels")
    if options.train:
        lists = new_task.listed({"train": options.train, "val": options.val}, images, label_files)
    else:
        drawn = new_task.divided(new_task.paired(images, label_files), options.val_share, options.seed)
        lists = {split: list(map(Entry, names)) for split, names in drawn.items()}
    new_task.check(task, options.classes, lists, options.allow_absent)
    new_task.write(task, options.classes, lists, len(class_list.names))
    lacking = missing.weights(task.stages(len(class_list.names), 0, 0)[0])
    print(f"wrote {task.folder}/: {', '.join(stages)}.", end=" ")
    print(f"Missing before training:\n{lacking}\nThen:" if lacking else "Next:", f"fcn solve {task.name} --chain")
    return 0
