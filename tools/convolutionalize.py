"""Makes the weights of a fully convolutional net out of a classification net's.

    python tools/convolutionalize.py --net nets/ilsvrc/vgg16/deploy.prototxt \\
        --weights VGG_ILSVRC_16_layers.caffemodel \\
        --conv-net nets/ilsvrc/vgg16/conv.prototxt --out data/ilsvrc/vgg16-conv.caffemodel

Prints which parameters were copied, coerced into convolution kernels, dropped, and left as they were.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools import project  # isort: skip  (it puts the project's packages on the path)

import caffe
from surgery import convolutionalize


@project.tool
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", required=True, help="prototxt of the classification net")
    parser.add_argument("--weights", required=True, help="its weights (.caffemodel or .h5)")
    parser.add_argument("--conv-net", required=True, help="prototxt of its fully convolutional twin")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.caffemodel)")
    parser.add_argument(
        "--suffix", default="", help="what the twin adds to the names of fully connected layers, such as -conv"
    )
    options = parser.parse_args(arguments)
    for path in (options.net, options.weights, options.conv_net):
        if not Path(path).is_file():
            parser.error(f"there is no file '{path}'")
    net = caffe.Net(options.net, caffe.TEST, weights=options.weights)
    conv_net = caffe.Net(options.conv_net, caffe.TEST)
    convolutionalize(conv_net, net, suffix=options.suffix)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    conv_net.save(str(options.out))
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
