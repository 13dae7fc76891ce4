"""The time until a net can be used: `import caffe`, and the net of prepare.py with its 538 MB of weights.

    python -m benchmarks.startup FOLDER

prints seconds as JSON: `import`; `load`, what makes the net and its weights ready from then on; `load_alone`, the same
without importing torch, and `load_processor`, of which the processor computed; `ready`, import and load; `first` and
`second`, forwards of a small image, for what was put off until the first. Runs under Python 3.9 too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time


def main(folder: str) -> None:
    os.chdir(folder)
    times = [time.perf_counter()]
    import caffe

    times.append(time.perf_counter())
    if importlib.util.find_spec("torch"):  # BVLC Caffe has none
        import torch  # noqa: F401 - to be timed
    times.append(time.perf_counter())
    processor = time.process_time()
    net = caffe.Net("deploy.prototxt", caffe.TEST, weights="weights.caffemodel")
    times.append(time.perf_counter())
    processor = time.process_time() - processor
    net.blobs["data"].reshape(1, 3, 32, 32)
    for _ in range(2):
        net.forward()
        times.append(time.perf_counter())
    started, imported, begun, loaded, first, second = times
    print(
        json.dumps(
            {
                "import": imported - started,
                "load": loaded - imported,
                "load_alone": loaded - begun,
                "load_processor": processor,
                "ready": loaded - started,
                "first": first - loaded,
                "second": second - first,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
