"""The options --gpu, --cpu and --precision that tools share."""

from __future__ import annotations

import argparse

import caffe
from fcn_caffe import engine


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Add --gpu, --cpu and --precision to a command."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--gpu", type=int, metavar="N", help="compute on GPU N")
    group.add_argument("--cpu", action="store_true", help="compute on the CPU (the default)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "tf32", "bf16"),
        help="in which to multiply (default: CAFFE_PRECISION in the environment, or fp32); weights stay float32",
    )


def use_device(options: argparse.Namespace, local: int = 0) -> None:
    """Compute where the options say. local: the number of this process among those of this machine, each of which takes
    a GPU of its own, from --gpu on.

    Raises RuntimeError if a GPU is asked for that is not there, and for either option under BVLC Caffe, which
    computes in fp32 and ends the process where there is no such GPU."""
    if options.precision:
        engine.needs(f"--precision {options.precision}", "Leave it out: fp32 is what it computes in.")
        caffe.set_precision(options.precision)
    if options.gpu is None:
        caffe.set_mode_cpu()
        return
    engine.needs(f"--gpu {options.gpu}", "Leave it out, or call caffe.set_mode_gpu() in a script of your own.")
    from caffe.device import mode_is_gpu

    caffe.set_device(options.gpu + local)
    caffe.set_mode_gpu()
    if not mode_is_gpu():
        raise RuntimeError(f"--gpu {options.gpu}: this machine has no CUDA device that can be used. Give --cpu.")
