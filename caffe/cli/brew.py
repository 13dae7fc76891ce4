"""The flags of `caffe train`, `test`, `time` and `device_query`, and their meanings."""

import argparse
import logging
import os
import sys
from typing import Any

import torch

from caffe import device
from caffe.errors import UsageError
from caffe.layer_types.helpers import python_modules
from caffe.log import GlogFormatter, init_log, log


def add_flags(parser: argparse.ArgumentParser) -> None:
    """All flags of tools/caffe.cpp; as there, each command takes them all."""
    for name, default, text in (
        ("gpu", "", "optional; run in GPU mode on this device ID; 'train' takes several, separated by ',', or 'all'"),
        ("solver", "", "the solver definition protocol buffer text file"),
        ("model", "", "the model definition protocol buffer text file"),
        ("phase", "", "optional; network phase, TRAIN or TEST, for 'time'"),
        ("stage", "", "optional; network stages (not to be confused with phase), separated by ','"),
        ("snapshot", "", "optional; the snapshot solver state to resume training"),
        ("weights", "", "optional; the pretrained weights to initialize finetuning, separated by ','"),
        ("sigint_effect", "stop", "optional; what SIGINT does: snapshot, stop or none"),
        ("sighup_effect", "snapshot", "optional; what SIGHUP does: snapshot, stop or none"),
    ):
        parser.add_argument(
            f"-{name}", f"--{name}", default=default, metavar="TEXT", help=f"{text} (default: '{default}')"
        )
    for name, number, text in (
        ("level", 0, "optional; network level"),
        ("iterations", 50, "the number of iterations to run"),
    ):
        parser.add_argument(
            f"-{name}", f"--{name}", type=int, default=number, metavar="N", help=f"{text} (default: {number})"
        )

    parser.add_argument(
        "-precision",
        "--precision",
        action=_Precision,
        metavar="TEXT",
        help=f"how convolutions and inner products multiply: {', '.join(device.PRECISIONS)} (default: 'fp32')",
    )
    _add_glog_flags(parser)


def _add_glog_flags(parser: argparse.ArgumentParser) -> None:
    """glog's flags, which Caffe's tools take, too. The log goes to stderr always, so most of them change nothing."""
    for name in ("logtostderr", "alsologtostderr", "colorlogtostderr", "stderrthreshold", "v"):
        parser.add_argument(f"-{name}", f"--{name}", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("-minloglevel", "--minloglevel", action=_MinLogLevel, type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "-log_dir", "--log_dir", action=_LogDir, metavar="DIR", help="write the log to DIR/caffe.INFO, too"
    )


class _Precision(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        device.set_precision(values)


class _MinLogLevel(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        init_log(values)


class _LogDir(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        path = os.path.join(values, "caffe.INFO")
        try:
            handler = logging.FileHandler(path, encoding="utf-8")
        except OSError as error:
            parser.error(f"-log_dir: '{path}' cannot be written: {error.strerror}")
        handler.setFormatter(GlogFormatter())
        log.logger.addHandler(handler)


def devices(gpu: str) -> list[int]:
    """The GPUs that a -gpu flag names."""
    if gpu == "all":
        return list(range(torch.cuda.device_count()))
    ids = [each for each in gpu.split(",") if each]
    if not all(each.isdigit() for each in ids):
        raise UsageError(f"-gpu {gpu}: a device ID such as 0 was expected, or several such as 0,1. Correct it.")
    return [int(each) for each in ids]


def use_device(gpu: str) -> None:
    """CPU for '', else the GPU with this id. Raises UsageError for several."""
    ids = devices(gpu)
    if len(ids) > 1:
        raise UsageError(f"-gpu {gpu}: {len(ids)} devices were given, only `train` takes several. Give one.")
    use(ids[0] if ids else None)


def use(gpu: int | None) -> None:
    """The CPU for None, else the GPU with this id."""
    if gpu is None:
        log.info("Use CPU.")
        device.set_mode_cpu()
        return
    device.set_device(gpu)
    device.set_mode_gpu()
    log.info("Using GPUs %d", gpu)
    if device.mode_is_gpu():
        log.info("GPU %d: %s", gpu, torch.cuda.get_device_name(device.current()))


def stages(text: str) -> list[str]:
    """The stages of a -stage flag."""
    return [stage for stage in text.split(",") if stage]


def find_python_layers(*prototxts: str) -> None:
    """Let Python layers be imported from the working directory, and from each prototxt's folder and the one above; and,
    where no other module has their name, from the folders directly below these."""
    folders = [os.getcwd()]
    for path in filter(None, prototxts):
        folder = os.path.dirname(os.path.abspath(path))
        folders += [folder, os.path.dirname(folder)]
    sys.path[:0] = [folder for folder in dict.fromkeys(folders) if folder not in sys.path]
    python_modules.look_near(folders)
