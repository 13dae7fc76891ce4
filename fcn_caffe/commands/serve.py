"""Serves a page in the browser that segments images dropped on it.

    fcn serve                            the net that comes with the package
    fcn serve street                     a net that was trained here, by the name of its task or variant
    fcn serve models/street-fcn8s        a snapshot folder, wherever it was moved

Only this machine can reach the page unless --host says otherwise; images are not stored. Programs may use it, too: curl
--data-binary @photo.jpg http://127.0.0.1:8000/segment (JSON: shares and labels) or /overlay (a PNG). Ctrl-C ends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import caffe
from fcn_caffe import engine, home, program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.inference.segmenter import Segmenter
from fcn_caffe.serve.service import Service
from fcn_caffe.serve.uploads import Limits


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument(
        "training", nargs="?", help="a net or task by its name, or a snapshot folder (default: the package's own net)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=int, default=8000, help="0: a free one (default: 8000)")
    parser.add_argument("--weights", type=home.path, help="a caffemodel (default: the net's newest snapshot)")
    parser.add_argument("--score", default="score", help="the blob of scores")
    parser.add_argument("--max-mb", type=float, default=20, help="refuse larger files (default: 20)")
    parser.add_argument(
        "--max-megapixels", type=float, default=50, help="refuse images of more pixels (default: 50 million)"
    )
    parser.add_argument(
        "--max-side", type=int, default=1000, help="scale larger images down to so many pixels (default: 1000)"
    )
    add_device_options(parser)
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535 or min(options.max_mb, options.max_megapixels, options.max_side) <= 0:
        parser.error("--port is 0 to 65535; --max-mb, --max-megapixels and --max-side are above 0")
    engine.needs("fcn serve", "Run it with this project's.")
    program.quiet(caffe)
    use_device(options)
    limits = Limits(int(options.max_mb * 1e6), int(options.max_megapixels * 1e6), options.max_side)
    return _serve(options.training, (options.host, options.port), options.weights, options.score, limits)


def _serve(
    training: Optional[str], address: tuple[str, int], weights: Optional[Path], score: str, limits: Limits
) -> int:
    segment = Segmenter(training, weights, score=score)
    name = Path(training).name if training else "the package's own net"
    with Service(address, segment, name, limits) as service:
        print(f"{name}: {service.address} (Ctrl-C ends it)", flush=True)
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            print("serve: ended", flush=True)
    return 0
