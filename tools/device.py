"""The options --gpu and --cpu that tools share."""

from __future__ import annotations

import argparse

import caffe


def add_device_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--gpu", type=int, metavar="N", help="compute on GPU N")
    group.add_argument("--cpu", action="store_true", help="compute on the CPU (the default)")


def use_device(options: argparse.Namespace) -> None:
    if options.gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(options.gpu)
        caffe.set_mode_gpu()
