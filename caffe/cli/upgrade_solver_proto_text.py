"""Bring a solver's prototxt with solver_type to today's form.

caffe upgrade_solver_proto_text old.prototxt new.prototxt
"""

import argparse

from caffe.cli import upgrading
from caffe.formats import prototxt, upgrade
from caffe.proto import caffe_pb2

add_arguments = upgrading.add_arguments


def run(arguments: argparse.Namespace) -> int:
    solver = prototxt.parse(prototxt.read_text(arguments.input), caffe_pb2.SolverParameter(), arguments.input)
    if not upgrade.solver_needs_upgrade(solver):
        upgrading.say_up_to_date(arguments.input)
    upgrade.upgrade_solver(solver, arguments.input)
    prototxt.write(arguments.output, solver)
    return upgrading.say_written("SolverParameter text proto", arguments.output)
