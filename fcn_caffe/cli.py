"""The command `fcn`: a subcommand for each file of commands/."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import NoReturn, Optional

from fcn_caffe import names, program, shadowed

COMMANDS = {
    "demo": "the whole job on an embedded data set, in minutes",
    "list": "the nets there are: what each starts from and learns from, and its scores",
    "nets": "write nets/ and solvers/",
    "new": "nets for images and labels of your own",
    "solve": "train a net, or all stages up to it",
    "score": "score a trained net",
    "infer": "segment images",
    "serve": "segment images on a page in the browser",
    "data": "data sets and weights: list, fetch, check",
    "convolutionalize": "a classifier's weights in fully convolutional form",
    "import-weights": "weights of other frameworks",
    "compare": "a picture of what several nets see",
    "curves": "a picture of loss and mean IU over trainings",
    "report": "what a training has come to, as one HTML file",
    "crf": "refine saved scores by a dense CRF, and find its parameters",
    "boxes": "boxes of masks, labels of boxes, and how good these are",
    "trimap": "scores near the boundaries",
    "edges": "score a net that finds edges, beside Sobel and Canny",
    "submission": "the archive for PASCAL VOC's evaluation server",
    "demo-data": "the demo's data set alone",
}
OTHER_NAMES = {"new-task": "new"}
"""What commands are called after their files in tools/."""


def run(command: Optional[str] = None) -> NoReturn:
    """The program `fcn`, or one command of it as a program of its own; ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules load: it ends the program at once, without a traceback
    shadowed.refuse()
    program.begin()
    arguments = sys.argv[1:] if command is None else [command, *sys.argv[1:]]
    sys.exit(main(arguments, "fcn" if command is None else None))


def main(arguments: list[str], who: Optional[str] = "fcn") -> int:
    """Run one command; its exit status. who: the program that the command is a part of, for its usage."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"fcn_caffe {program.version()}")
        return 0
    name = name_of(arguments[0])
    if name not in COMMANDS:
        print(f"fcn: {names.unknown(arguments[0], 'command', COMMANDS, '`fcn --help` lists them.')}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"fcn_caffe.commands.{name.replace('-', '_')}")
    before, program.called = program.called, f"{who} {name}" if who else None
    try:
        return module.main(arguments[1:])
    finally:
        program.called = before


def name_of(typed: str) -> str:
    """The name of a command that may be typed as its file in tools/ is called: `new_task` is `new`."""
    name = typed.replace("_", "-")
    return OTHER_NAMES.get(name, name)


def file_of(command: str) -> str:
    """The file of a command, below the folder of the package."""
    return f"fcn_caffe/commands/{name_of(command).replace('-', '_')}.py"


def usage() -> str:
    """The commands, one on a line."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {what}" for name, what in COMMANDS.items())
    about = "Fully convolutional networks on Caffe. `fcn COMMAND --help` tells more of each."
    return f"usage: fcn COMMAND …\n\n{about}\n\n{lines}"
