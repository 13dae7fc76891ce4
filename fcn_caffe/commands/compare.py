"""A picture that compares several nets: image, truth, and each net's labels, for validation images.

    fcn compare voc-fcn32s voc-fcn16s voc-fcn8s --images 6 --out compare.png

Titles show each net's latest mean IU, captions the pixel accuracy of each image. The nets must have the same validation
data, and the first must take colour images. Classes have the data set's own colours. Of nets that find edges, the
picture shows the true edges and the probabilities, black on white.
"""

from __future__ import annotations

from pathlib import Path

import caffe
from fcn_caffe import home, program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.pictures.outputs import save_picture
from fcn_caffe.training import comparison


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("variants", nargs="+", help="variants that were trained, all on one data set")
    parser.add_argument("--images", type=int, default=6, help="how many (default: 6)")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave N images out after each")
    parser.add_argument("--out", type=home.path, default=Path("out/compare.png"))
    add_device_options(parser)
    options = parser.parse_args(arguments)
    if options.images < 1 or options.skip < 0:
        parser.error("--images counts images, and --skip those between: give at least 1 and 0")
    if options.out.suffix.lower() != ".png":
        parser.error(f"--out {options.out}: the picture is a PNG, give a name that ends in .png")
    program.quiet(caffe)
    use_device(options)
    save_picture(comparison.picture(options.variants, options.images, options.skip), options.out)
    print(options.out)
    return 0
