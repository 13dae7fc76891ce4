"""Writes nets/ and solvers/ into the project's home; the options are those of `python -m net_spec`."""

from __future__ import annotations

from fcn_caffe import program
from fcn_caffe.net_spec import __main__ as net_spec


@program.command
def main(arguments: list[str]) -> int:
    parser = net_spec.make_parser(program.called or net_spec.COMMAND)
    program.add_options(parser)
    net_spec.main(arguments, parser)
    return 0
