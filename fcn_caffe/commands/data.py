"""Downloads published data sets and weights, and checks data sets.

    fcn data list                              what there is, where it comes from, whether it is here
    fcn data fetch voc2011 sbd vgg16           download, verify, unpack, convert, put in place
    fcn data fetch seg11valid --dir VOC_DIR    the papers' list of validation images, into PASCAL VOC
    fcn data check voc2011                     look at every image and label
    fcn data check --dir data/mine             … of any folder in PASCAL VOC's layout
    fcn data check --images photos --labels masks --classes classes.txt

`fetch` continues an interrupted download, checks the files, and writes nothing incomplete; running it again changes
nothing. Whoever fetches accepts the terms that it prints. `check` reports label values and their encoding, sizes,
missing and unreadable files, the frequency of each class, images that are in two lists, and duplicates; the exit status
is 1 if something must be corrected before training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fcn_caffe import home, program
from fcn_caffe.datasets import fetch, layouts, lint
from fcn_caffe.whole_files import write_json

DOWNLOADS = Path("data/downloads")


def _classes(typed: str) -> str:
    """A number as it is, and else the path of a file."""
    return typed if typed.isdecimal() else home.text(typed)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is")
    fetching = commands.add_parser("fetch", help="download, verify, unpack, convert")
    fetching.add_argument("names", nargs="+", metavar="NAME", help="see list")
    fetching.add_argument("--dir", type=home.path, help="where it is put (default: where the nets look for it)")
    fetching.add_argument(
        "--downloads", type=home.path, default=DOWNLOADS, help="where archives are kept, or are already"
    )
    fetching.add_argument("--mirror", default="", help="an address to try first, which has the archives by their names")
    checking = commands.add_parser("check", help="look a data set over")
    checking.add_argument("name", nargs="?", help="see list")
    checking.add_argument("--dir", type=home.path, help="a folder in PASCAL VOC's layout, or the data set's own")
    checking.add_argument("--images", type=home.path, help="instead: a folder of images, and with --labels …")
    checking.add_argument("--labels", type=home.path, help="… a folder of label images with the same names")
    checking.add_argument(
        "--classes", type=_classes, help="number of classes, or a file with their names (and colours)"
    )
    checking.add_argument("--as-stored", action="store_true", help="do not turn photos as their EXIF orientation says")
    checking.add_argument(
        "--allow-absent", action="store_true", help="allow classes without a pixel in the training images"
    )
    checking.add_argument("--json", type=home.path, help="write what was found there")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "list":
        print(fetch.overview())
        return 0
    if options.command == "fetch":
        if options.dir and len(options.names) > 1:
            parser.error("--dir with several names: give one name")
        for name in options.names:
            fetch.fetch(name, options.dir, options.downloads, options.mirror)
        return 0
    if bool(options.images) != bool(options.labels) or not (options.name or options.dir or options.images):
        parser.error("give a name, --dir, or --images and --labels")
    layout = layouts.find(options.name, options.dir, options.images, options.labels, options.classes)
    layout.upright, layout.allow_absent = not options.as_stored, options.allow_absent
    found = lint.look_over(layout)
    print(found.report())
    if options.json:
        write_json(options.json, found.as_dict())
    return 1 if found.errors else 0
