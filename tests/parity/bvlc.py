"""Real BVLC Caffe: Debian 11 still carries it, so it lives in a Debian 11 folder, `.bvlc`, entered by chroot.

    python -m tests.parity.bvlc --make        make it (needs root, debootstrap and Debian's packages; about 2 GB)

`missing()` says in one line why it cannot be had. `run_tasks` runs functions of ours in it: the files they need are
copied in, nothing is mounted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CHROOT = ROOT / ".bvlc"
STAMP = CHROOT / "parity-stamp"
SUITE = "bullseye"
PACKAGES = ["python3-caffe", "caffe", "libopenblas0-pthread", "python3-scipy", "python3-pil", "python3-h5py"]
PROBE = "import caffe, scipy, PIL, h5py; print(caffe.__version__)"
ALWAYS_COPIED = ["tests/__init__.py", "tests/cases", "tests/parity"]


class BvlcError(Exception):
    """Real Caffe cannot be had or did not do what it was asked."""


@dataclass(frozen=True)
class Refused:
    """Real Caffe ended the process; its words."""

    words: str


@dataclass(frozen=True)
class Task:
    """`module.function(argument)` in real Caffe; it returns a dict of arrays. `folder` (on this side) is copied in and
    is the working directory there; what the task writes into it comes back."""

    module: str
    function: str
    argument: object
    folder: Path | None = None
    seconds: int = 60


def missing() -> str | None:
    """Why real Caffe is not here, in one line; None if it is."""
    if os.geteuid() != 0:
        return "real Caffe runs in a chroot, which needs root"
    if not STAMP.exists() or STAMP.read_text() != _stamp():
        return "real Caffe is not installed in .bvlc: python -m tests.parity.bvlc --make"
    return None


def make() -> None:
    """Installs Debian 11 with Caffe into .bvlc. Does nothing if it is there, goes on where it was interrupted."""
    if missing() is None:
        return
    if os.geteuid() != 0:
        raise BvlcError("it runs in a chroot, which needs root")
    if not (CHROOT / "usr/bin/apt-get").exists() or (CHROOT / "debootstrap").exists():
        if shutil.which("debootstrap") is None:
            _say("apt-get install debootstrap")
            _shell(["apt-get", "update", "-qq"], "the package lists could not be fetched (no network?)")
            _shell(["apt-get", "install", "-y", "-qq", "debootstrap"], "debootstrap could not be installed")
        if CHROOT.exists():
            shutil.rmtree(CHROOT)
        _say(f"debootstrap {SUITE} (Debian 11, a minute or two)")
        _shell(
            ["debootstrap", "--variant=minbase", SUITE, str(CHROOT)], "Debian 11 could not be installed (no network?)"
        )
    if not _works():
        _say("apt-get install " + " ".join(PACKAGES) + " (a few minutes)")
        inside = ["chroot", str(CHROOT), "apt-get"]
        _shell([*inside, "update", "-qq"], "Debian 11's package lists could not be fetched (no network?)")
        install = [*inside, "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        _shell(install, "Caffe's Debian packages could not be installed")
    if not _works():
        raise BvlcError("Caffe was installed into .bvlc but `import caffe` fails there")
    STAMP.write_text(_stamp())


def run_tasks(
    tasks: Sequence[Task], copy: Sequence[str] = (), progress: bool = False
) -> list[dict[str, np.ndarray] | Refused]:
    """The results, in order. `copy`: further files or folders of this repository that the tasks import or read; they
    are found under the same names in the folder that the variable CHECKOUT names, which is on PYTHONPATH."""
    with _job(copy) as job:
        listed = []
        for index, task in enumerate(tasks):
            inner = None
            if task.folder is not None:
                shutil.copytree(task.folder, job / "folders" / str(index))
                inner = _inside(job / "folders" / str(index))
            listed.append([task.module, task.function, task.argument, inner, task.seconds])
        (job / "tasks.json").write_text(json.dumps(listed))
        (job / "out").mkdir()
        worker = ["python3", "-m", "tests.parity.worker", _inside(job / "tasks.json"), _inside(job / "out")]
        _work(worker, job, len(tasks) if progress else 0)
        for index, task in enumerate(tasks):
            if task.folder is not None:
                shutil.copytree(job / "folders" / str(index), task.folder, dirs_exist_ok=True)
        return [_result(job / "out" / str(index)) for index in range(len(tasks))]


def run_command(
    command: Sequence[str], folder: Path, seconds: int = 300, copy: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """A command (say `caffe train`) in the chroot, in a copy of `folder`; what it writes comes back into `folder`.
    `copy`: as for `run_tasks`; an argument that begins with `CHECKOUT/` is a file there."""
    with _job(copy) as job:
        work = job / "folder"
        shutil.copytree(folder, work)
        command = [argument.replace("CHECKOUT/", _inside(job / "checkout") + "/") for argument in command]
        line = ["chroot", str(CHROOT), "/bin/sh", "-c", 'cd "$0" && exec "$@"', _inside(work), *command]
        done = subprocess.run(line, env=_environment(job), capture_output=True, text=True, timeout=seconds, check=False)
        shutil.copytree(work, folder, dirs_exist_ok=True)
        return done


def _work(command: list[str], job: Path, count: int) -> None:
    line = ["chroot", str(CHROOT), "/bin/sh", "-c", 'cd "$CHECKOUT" && exec "$@"', "sh", *command]
    with subprocess.Popen(
        line, env=_environment(job), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        other = []
        for text in process.stdout:
            if not text.startswith("done "):
                other.append(text)
            elif count and sys.stderr.isatty():
                print(f"\rreal Caffe: {int(text.split()[1]) + 1}/{count}", end="", file=sys.stderr, flush=True)
        if count and sys.stderr.isatty():
            print(file=sys.stderr)
    if process.returncode != 0:
        raise BvlcError("the worker in the chroot failed:\n" + "".join(other[-20:]))


def _result(stem: Path) -> dict[str, np.ndarray] | Refused:
    arrays = stem.with_suffix(".npz")
    if not arrays.exists():
        return Refused(stem.with_suffix(".txt").read_text())
    with np.load(arrays) as file:
        return {name.replace("|", "/"): file[name] for name in file.files}


@contextmanager
def _job(copy: Sequence[str]) -> Iterator[Path]:
    """A folder in the chroot with our Python files in it."""
    (CHROOT / "tmp").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CHROOT / "tmp", prefix="parity-") as name:
        job = Path(name)
        for path in [*ALWAYS_COPIED, *copy]:
            source, target = ROOT / path, job / "checkout" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        yield job


def _inside(path: Path) -> str:
    return "/" + str(path.relative_to(CHROOT))


def _environment(job: Path) -> dict[str, str]:
    checkout = _inside(job / "checkout")
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": _inside(job),
        "TMPDIR": _inside(job),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GLOG_logtostderr": "1",
        "CHECKOUT": checkout,
        "PYTHONPATH": checkout,
    }


def _stamp() -> str:
    return f"{SUITE} {' '.join(PACKAGES)}\n"


def _works() -> bool:
    probe = ["chroot", str(CHROOT), "python3", "-c", PROBE]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _shell(command: list[str], complaint: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise BvlcError(f"{complaint}: {last}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Real BVLC Caffe in a chroot, for comparison.")
    parser.add_argument("--make", action="store_true", help="install it if it is not there")
    arguments = parser.parse_args()
    try:
        if arguments.make:
            make()
    except BvlcError as error:
        print(f"real Caffe cannot be had: {error}", file=sys.stderr)
        return 1
    print(missing() or f"real Caffe is in {CHROOT.relative_to(ROOT)}")
    return 0 if missing() is None else 1


if __name__ == "__main__":
    sys.exit(main())
