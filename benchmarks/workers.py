"""Four processes that serve one net: voc-fcn8s with 538 MB of weights, images of 200 × 200, one thread each. Linux.

    python -m benchmarks.workers FOLDER ENGINE [own]

loads the net of prepare.py (ENGINE caffe) or net.onnx (onnxruntime), runs it twice, and forks; with `own`, each process
loads it for itself. Prints as JSON: `memory`, bytes of all processes together, of which a page that several have counts
once (the sum of Pss); `processor`, seconds of it an image; `rate`, images a second.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

WORKERS, IMAGES, SIDE = 4, 4, 200
IMAGE = np.random.RandomState(4).uniform(-120, 120, (1, 3, SIDE, SIDE)).astype(np.float32)


def by_caffe(folder: str) -> Callable[[], np.ndarray]:
    import caffe

    net = caffe.Net(os.path.join(folder, "deploy.prototxt"), caffe.TEST, weights=f"{folder}/weights.caffemodel")
    net.keep_blobs = False
    net.blobs["data"].reshape(*IMAGE.shape)
    return lambda: net.forward(data=IMAGE)["score"]


def by_onnxruntime(folder: str) -> Callable[[], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/net.onnx", options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["score"], {"data": IMAGE})[0]


ENGINES = {"caffe": by_caffe, "onnxruntime": by_onnxruntime}


def pss(process: int) -> int:
    """Bytes of a process's memory, each page divided by how many processes have it."""
    with open(f"/proc/{process}/smaps_rollup") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("Pss:"))


def ready(engine: str, folder: str) -> Callable[[], np.ndarray]:
    """The net, after two passes, in which weights are prepared."""
    run = ENGINES[engine](folder)
    for _ in range(2):
        run()
    return run


def measure(folder: str, engine: str, own: bool = False, workers: int = WORKERS, images: int = IMAGES) -> dict:
    """The numbers above."""
    run = None if own else ready(engine, folder)
    results, begin, finish = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            os.close(begin[1])
            os.close(finish[1])
            _work(run or ready(engine, folder), images, results[1], begin[0], finish[0])
        children.append(child)
    for end in (results[1], begin[0], finish[0]):
        os.close(end)
    with os.fdopen(results[0]) as lines:
        for _ in range(workers):
            lines.readline()  # it is ready
        start = time.perf_counter()
        os.close(begin[1])
        processor = sum(float(lines.readline()) for _ in range(workers))
        seconds = time.perf_counter() - start
        memory = sum(map(pss, (os.getpid(), *children)))
        os.close(finish[1])
    for child in children:
        os.waitpid(child, 0)
    count = workers * images
    return {"memory": memory, "processor": processor / count, "rate": count / seconds}


def _work(run: Callable[[], np.ndarray], images: int, results: int, begin: int, finish: int) -> None:
    """In a child: say that it is ready, wait, compute, tell the seconds of the processor, wait, end."""
    run()
    os.write(results, b"ready\n")
    os.read(begin, 1)
    start = time.process_time()
    for _ in range(images):
        run()
    os.write(results, f"{time.process_time() - start}\n".encode())
    os.read(finish, 1)
    os._exit(0)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], own=sys.argv[3:] == ["own"])))
