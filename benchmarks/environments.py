"""The environments of the engines: this project and PyTorch in the current Python, the other peers in a virtual
environment of their own, BVLC Caffe in its Debian 11.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import Job
from tests.parity import bvlc

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / ".bench"
REQUIREMENTS = ROOT / "benchmarks" / "peers.txt"
REFERENCE_NETS = ROOT / "nets" / "reference"
INSIDE = "/opt/benchmarks"
"""Where this package and its files are in BVLC's Debian."""


class WorkerFailed(RuntimeError):
    """A worker ended with an error; its last words."""


class Environment:
    """The Python at hand; `folder` has the files that prepare.py writes. It is made when it is first used."""

    _ready = False

    packages: tuple[str, ...] = ("torch", "numpy")
    folder = BENCH / "work"

    def ready(self) -> None:
        """Make the environment, once. Raises WorkerFailed where that is not possible."""
        if not self._ready:
            try:
                self.make()
            except (bvlc.BvlcError, subprocess.CalledProcessError) as error:
                raise WorkerFailed(f"cannot be had: {error}") from error
            self._ready = True

    def make(self) -> None:
        """Install what is missing, and write the files that all share."""
        if _is_older(Environment.folder / "weights.caffemodel", ROOT / "benchmarks" / "prepare.py"):
            Environment().python("-m", "benchmarks.prepare", str(Environment.folder))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, *arguments]

    def inside(self, path: Path) -> str:
        """How the engine calls a file of ours."""
        return str(path)

    def python(self, *arguments: str, threads: int = 1) -> str:
        """Run Python with these arguments; what it prints. Raises WorkerFailed."""
        variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        paths = os.pathsep.join(self.inside(path) for path in (ROOT, ROOT / "data_layers"))
        environment = {**os.environ, **variables, "PYTHONPATH": paths, "GLOG_minloglevel": "2"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installs is compiled, as Debian's packages are
        done = subprocess.run(
            self.command(*arguments), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
            raise WorkerFailed(lines[-1])
        return done.stdout

    def work(self, engine: str, job: Job) -> dict[str, Any]:
        """A worker's result, with `outputs` if the job says `save`. Raises WorkerFailed."""
        self.ready()
        job_file, result_file = self.folder / "job.json", self.folder / "result.json"
        job_file.write_text(json.dumps(asdict(replace(job, folder=self.inside(self.folder)))))
        files = [self.inside(job_file), self.inside(result_file)]
        self.python("-m", "benchmarks.worker", engine, *files, threads=job.threads)
        result = json.loads(result_file.read_text())
        if job.save:
            with np.load(result_file.with_suffix(".npz")) as arrays:
                result["outputs"] = dict(arrays)
            result_file.with_suffix(".npz").unlink()
        return result

    def versions(self) -> dict[str, str]:
        """Of the packages that count."""
        code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
        return dict(zip(self.packages, self.python("-c", code, *self.packages).split(), strict=True))


class Peers(Environment):
    """ONNX Runtime, OpenVINO and OpenCV."""

    packages = ("onnxruntime", "openvino", "opencv-python-headless")

    def make(self) -> None:
        super().make()
        stamp = BENCH / "peers" / "installed.txt"
        wanted = REQUIREMENTS.read_text()
        if not stamp.exists() or stamp.read_text() != wanted:
            print("benchmarks: installing ONNX Runtime, OpenVINO and OpenCV", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(BENCH / "peers")], check=True)
            subprocess.run(self.command("-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)), check=True)
            stamp.write_text(wanted)
        model = self.folder / "net.onnx"
        sources = [self.folder / name for name in ("deploy.prototxt", "weights.caffemodel")]
        if _is_older(model, *sources):
            self.python("-m", "benchmarks.onnx_export", *map(str, (*sources, model)))

    def command(self, *arguments: str) -> list[str]:
        return [str(BENCH / "peers" / "bin" / "python"), *arguments]


class Bvlc(Environment):
    """Real Caffe, in the Debian 11 that the parity tests use: it needs root. Our files are copied into it."""

    folder = bvlc.CHROOT / INSIDE[1:] / "work"

    def make(self) -> None:
        bvlc.make()
        super().make()
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        shutil.copytree(Environment.folder, self.folder, copy_function=os.link)
        for folder in (ROOT / "benchmarks", REFERENCE_NETS):
            shutil.copytree(folder, self.folder.parent / folder.relative_to(ROOT))

    def command(self, *arguments: str) -> list[str]:
        """By a shell that stays: what Python is given to count memory from is small then (see worker.peak_memory)."""
        return ["chroot", str(bvlc.CHROOT), "sh", "-c", 'python3 "$@"; exit $?', "sh", *arguments]

    def inside(self, path: Path) -> str:
        if path.is_relative_to(bvlc.CHROOT):
            return f"/{path.relative_to(bvlc.CHROOT)}"
        return f"{INSIDE}/{path.relative_to(ROOT)}"

    def versions(self) -> dict[str, str]:
        return {"BVLC Caffe": self.python("-c", "import caffe; print(caffe.__version__)").strip()}


def _is_older(made: Path, *sources: Path) -> bool:
    """Whether a file is missing, or older than what it was made of."""
    return not made.exists() or made.stat().st_mtime < max(source.stat().st_mtime for source in sources)


ENVIRONMENTS = {"here": Environment(), "peers": Peers(), "bvlc": Bvlc()}
