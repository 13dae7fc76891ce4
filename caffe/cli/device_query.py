"""Show the properties of this machine's GPUs.

caffe device_query -gpu all
"""

import argparse

import torch

from caffe.cli import brew
from caffe.errors import UsageError
from caffe.log import log

add_arguments = brew.add_flags


def run(arguments: argparse.Namespace) -> int:
    log.info("Querying GPUs %s", arguments.gpu)
    count = torch.cuda.device_count()
    if not count:
        log.info("No cuda device present.")
    ids = range(count) if arguments.gpu in ("", "all") else arguments.gpu.split(",")
    for each in ids:
        if not str(each).isdigit() or int(each) >= count:
            raise UsageError(
                f"-gpu {arguments.gpu}: there is no device {each}, this machine has {count}."
                " Name one of them, or `all`."
            )
        _show(int(each))
    return 0


def _show(index: int) -> None:
    properties = torch.cuda.get_device_properties(index)
    for name, value in (
        ("Device id", index),
        ("Major revision number", properties.major),
        ("Minor revision number", properties.minor),
        ("Name", properties.name),
        ("Total global memory", properties.total_memory),
        ("Warp size", properties.warp_size),
        ("Maximum threads per multiprocessor", properties.max_threads_per_multi_processor),
        ("Number of multiprocessors", properties.multi_processor_count),
    ):
        log.info("%-36s %s", f"{name}:", value)
