"""The whole job on the demo's data set: a classifier, its convolutional form, three stages, scores and pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fcn_caffe import program
from fcn_caffe.net_spec.catalogue import ROWS, files
from fcn_caffe.net_spec.generate import write
from fcn_caffe.reporting import write as report
from fcn_caffe.training import comparison
from fcn_caffe.training.curves import draw_curves
from fcn_caffe.training.score_history import read_scores
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import everything

OUT = Path("out/demo")
STAGES = ("32s", "16s", "8s")
CLASSIFIER = "demo-classifier"


class Steps:
    """Runs the parts one after another, and tells each with the time it took."""

    def __init__(self, count: int):
        self.count, self.number, self.started = count, 0, time.time()

    def __call__(self, title: str, *command: str, log: str) -> None:
        """Run a program; its output goes to the file `log`, and to the terminal only if it fails."""
        self.number += 1
        print(f"[{self.number}/{self.count}] {title} … ", end="", flush=True)
        begin, path = time.time(), OUT / "logs" / log
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as output:
            code = subprocess.call(command, stdout=output, stderr=subprocess.STDOUT, env=program.environment())
        if code:
            print(f"failed\n{''.join(path.read_text().splitlines(True)[-20:])}")
            raise RuntimeError(f"step {self.number} ({' '.join(command)}) failed with status {code}; all of it: {path}")
        print(f"{time.time() - begin:.0f} s", flush=True)


def seeded_solver(seed: int) -> Path:
    """The classifier's solver with a random seed; it and its nets are written to where the demo is."""
    root = f"{OUT.as_posix()}/"
    write(files((ROWS[CLASSIFIER],), root), "fcn demo")
    path = OUT / f"solvers/{CLASSIFIER}.prototxt"
    path.write_text(path.read_text() + f"random_seed: {seed}\n")
    return path


def fcn(*arguments: str) -> tuple[str, ...]:
    """The line that runs another command."""
    return (sys.executable, "-m", "fcn_caffe", *arguments)


def last_scores(name: str) -> dict[str, Any]:
    """What the training of a stage ended with."""
    return read_scores(stages.SNAPSHOTS / name)[-1]["label"]


def table(scores: dict[str, dict[str, Any]]) -> str:
    """The metrics of each stage as a table, one line for each."""
    lines = [f"{'':4} {'pixel acc.':>10} {'mean acc.':>10} {'mean IU':>10} {'f.w. IU':>10}   IU by class"]
    for stage, found in scores.items():
        numbers = [found[key] for key in ("pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu")]
        lines.append(
            f"{stage:4} "
            + " ".join(f"{value:10.4f}" for value in numbers)
            + "   "
            + " ".join(f"{v:.2f}" for v in found["iu"])
        )
    return "\n".join(lines)


def train(run: Steps, data: Path, seed: int) -> None:
    """Train the classifier and, from its convolutional form, all stages, one after another; score the last again."""
    python = sys.executable
    run("drawing the data set", *fcn("demo-data", "--out", str(data), "--seed", str(seed)), log="data.log")
    run(
        "training the classifier (caffe train)",
        *(python, "-m", "caffe", "train", f"--solver={seeded_solver(seed)}"),
        log="classifier.log",
    )
    nets = OUT / "nets" / CLASSIFIER
    run(
        "convolutionalizing it",
        *fcn("convolutionalize", "--net", str(nets / "deploy.prototxt")),
        *("--weights", str(stages.trained_weights(CLASSIFIER)), "--conv-net", str(nets / "conv.prototxt")),
        *("--out", str(stages.weights_of(CLASSIFIER))),
        log="surgery.log",
    )
    for stage in STAGES:
        run(
            f"training and scoring FCN-{stage}",
            *fcn("solve", f"demo-fcn{stage}", "--restart", "--seed", str(seed), "--score-every", "250", "--no-report"),
            log=f"fcn{stage}.log",
        )
    run(
        "scoring FCN-8s by caffe test",
        *(python, "-m", "caffe", "test", f"--model={stages.SNAPSHOTS}/demo-fcn8s/val.prototxt", "--iterations=60"),
        f"--weights={stages.weights_of('demo-fcn8s')}",
        log="test.log",
    )


def run(seed: int) -> None:
    """Do all of it, each step a program of its own, and write results.json and the pictures to out/demo/.

    seed: of the data set and of the training. Raises RuntimeError for a step that failed.
    """
    begin, steps, data = time.time(), Steps(8), OUT / "data"
    train(steps, data, seed)
    scores = {stage: last_scores(f"demo-fcn{stage}") for stage in STAGES}
    names = (data / "VOC/ImageSets/Segmentation/val.txt").read_text().split()[:6]
    shutil.rmtree(OUT / "segmented", ignore_errors=True)
    steps(
        "segmenting images",
        *fcn("infer", "demo-fcn8s", "--out", str(OUT / "segmented")),
        *(str(data / "VOC/JPEGImages" / f"{name}.jpg") for name in names),
        log="infer.log",
    )
    comparison.picture([f"demo-fcn{stage}" for stage in STAGES], len(names)).save(OUT / "grid.png")
    draw_curves([f"demo-fcn{stage}" for stage in STAGES], OUT / "curves.png")
    report.write([f"demo-fcn{stage}" for stage in STAGES], everything(), OUT / "report.html")
    results = {"stages": scores, "seed": seed, "seconds": round(time.time() - begin, 1)}
    (OUT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    made = f"{OUT}/report.html, results.json, grid.png, curves.png, segmented/, logs/"
    print(f"\n{table(scores)}\n\n{results['seconds']:.0f} s; {made}")
