"""Lists all nets: initial weights, training and validation data, own and published mean IU."""

from __future__ import annotations

from fcn_caffe import program
from fcn_caffe.training.listing import listing
from fcn_caffe.variants.customise import everything


@program.command
def main(arguments: list[str]) -> int:
    program.parser(__doc__).parse_args(arguments)
    print(listing(everything().rows))
    return 0
