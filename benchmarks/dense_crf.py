"""The dense CRF beside pydensecrf2: the whole CRF with ten iterations, one image of 334×500, 7 and 21 classes.

    python -m benchmarks.dense_crf PYTHON [--image FILE] [--turns 7]

PYTHON is an interpreter with pydensecrf2 (1.1; Python up to 3.12). Each contestant runs in a process of its own, in
turns, with one thread and with two (pydensecrf2 has one always); a run is from scores to Q, lattices built anew, but
for that of the positions alone, which this project keeps. Every turn's Q must agree to `TOLERANCE`. Prints the medians
of CPU and wall time in milliseconds, and the ratios.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

HEIGHT, WIDTH, ITERATIONS = 334, 500, 10
CLASSES = (7, 21)
TOLERANCE = 1e-3
RUNS = 2  # in a turn, after one that is not counted

Infer = Callable[[np.ndarray], np.ndarray]  # scores (classes, H, W) to Q


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="an interpreter with pydensecrf2")
    parser.add_argument("--image", help="a picture, cut or tiled to 334×500 (default: a drawn one)")
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs.npz"
        np.savez(inputs, **_inputs(arguments.image))
        _race(arguments.python, inputs, arguments.turns)


def _race(python: str, inputs: Path, turns: int) -> None:
    contestants = {
        "pydensecrf2": [python, "pydensecrf2", "1"],
        "caffe, 1 thread": [sys.executable, "caffe", "1"],
        "caffe, 2 threads": [sys.executable, "caffe", "2"],
    }
    times: dict[str, dict[str, list[list[float]]]] = {name: {} for name in contestants}
    for _ in range(turns):
        for name, (interpreter, engine, threads) in contestants.items():
            command = [interpreter, __file__, "--worker", engine, threads, str(inputs)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            for classes, runs in json.loads(answer).items():
                times[name].setdefault(classes, []).extend(runs)
        _compare(inputs)
    for classes in map(str, CLASSES):
        rows = {name: [1e3 * median(column) for column in zip(*times[name][classes], strict=True)] for name in times}
        peer = rows["pydensecrf2"]
        for name, (cpu, wall) in rows.items():
            ratios = f"{cpu / peer[0]:.2f} × CPU, {wall / peer[1]:.2f} × wall"
            print(f"{classes:>2} classes  {name:<18} CPU {cpu:6.0f} ms  wall {wall:6.0f} ms  {ratios}")


def _compare(inputs: Path) -> None:
    for classes in CLASSES:
        theirs, ours = (np.load(_q(inputs, engine, classes)) for engine in ("pydensecrf2", "caffe"))
        difference = float(abs(theirs - ours).max())
        if not difference < TOLERANCE:
            raise SystemExit(f"dense_crf: Q of {classes} classes differs by {difference:.2g}; expected < {TOLERANCE}")


def _q(inputs: Path, engine: str, classes: int) -> Path:
    return inputs.with_name(f"{engine}-{classes}.npy")


def _inputs(picture: str | None) -> dict[str, np.ndarray]:
    """An image, and scores of which each part of the image has one higher."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, max(CLASSES), (HEIGHT // 48 + 1, WIDTH // 48 + 1)).repeat(48, 0).repeat(48, 1)
    labels = labels[:HEIGHT, :WIDTH]
    arrays = {"image": _picture(picture) if picture else _drawn(draw, labels)}
    for classes in CLASSES:
        higher = 2 * np.eye(classes)[labels % classes].transpose(2, 0, 1)
        arrays[str(classes)] = (draw.normal(0, 1.5, (classes, HEIGHT, WIDTH)) + higher).astype(np.float32)
    return arrays


def _drawn(draw: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Patches with shading and noise."""
    colours = draw.integers(0, 256, (max(CLASSES), 3))[labels]
    shade = 1 + 0.3 * np.sin(np.arange(WIDTH) / 40)[None, :, None] * np.cos(np.arange(HEIGHT) / 30)[:, None, None]
    return np.clip(colours * shade + draw.normal(0, 6, colours.shape), 0, 255).astype(np.uint8)


def _picture(name: str) -> np.ndarray:
    from PIL import Image

    array = np.array(Image.open(name, formats=("JPEG", "PNG")).convert("RGB"))
    repeats = (-(-HEIGHT // array.shape[0]), -(-WIDTH // array.shape[1]), 1)
    return np.ascontiguousarray(np.tile(array, repeats)[:HEIGHT, :WIDTH])


def _worker(engine: str, threads: int, inputs: Path) -> None:
    arrays = np.load(inputs)
    infer = {"caffe": _caffe, "pydensecrf2": _pydensecrf2}[engine](arrays["image"], threads)
    times: dict[int, list[tuple[float, float]]] = {classes: [] for classes in CLASSES}
    for classes in CLASSES:
        scores = arrays[str(classes)]
        for run in range(1 + RUNS):
            wall, cpu = time.perf_counter(), time.process_time()
            q = infer(scores)
            if run:
                times[classes].append((time.process_time() - cpu, time.perf_counter() - wall))
        np.save(_q(inputs, engine, classes), q)
    print(json.dumps(times))


def _caffe(image: np.ndarray, threads: int) -> Infer:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import caffe

    caffe.tune_process()  # as the commands do, before torch is imported
    import torch

    from caffe.ops import dense_crf

    torch.set_num_threads(threads)
    parameters = dense_crf.PRESETS["pydensecrf"]._replace(iterations=ITERATIONS)

    def infer(scores: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
        with torch.no_grad():
            return dense_crf.dense_crf(torch.from_numpy(scores)[None], pixels, parameters)[0].numpy()

    return infer


def _pydensecrf2(image: np.ndarray, threads: int) -> Infer:
    import pydensecrf.densecrf as peer

    def infer(scores: np.ndarray) -> np.ndarray:
        crf = peer.DenseCRF2D(WIDTH, HEIGHT, len(scores))
        crf.setUnaryEnergy(-scores.reshape(len(scores), -1))
        crf.addPairwiseGaussian(sxy=3, compat=3)
        crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
        return np.array(crf.inference(ITERATIONS)).reshape(scores.shape)

    return infer


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _worker(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
