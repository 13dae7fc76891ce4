"""Several solvers: started here, one process each, for `-gpu 0,1`; or found to be started already, by torchrun.

Both tell a process who it is in torchrun's environment variables: RANK, WORLD_SIZE, LOCAL_RANK.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from caffe import ranks
from caffe.errors import CaffeError

_MEETING_POINT = "CAFFE_MEETING_POINT"


def join() -> int | None:
    """Take the place among several solvers that the environment gives this process.

    Returns its number among those of this machine, None if it trains alone.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return None
    ranks.set_solver_count(int(os.environ["WORLD_SIZE"]))
    ranks.set_solver_rank(int(os.environ["RANK"]))
    return int(os.environ.get("LOCAL_RANK", "0"))


def meeting_point() -> str:
    """Where the solvers meet, for workers.NCCL."""
    return os.environ.get(_MEETING_POINT, "env://")


def start(command_line: Sequence[str], count: int) -> None:
    """Run `caffe COMMAND_LINE...` in `count` processes to the end. Raises CaffeError if one fails, and ends the others.

    SIGINT and SIGHUP go to the root, which agrees with the others what to do.
    """
    command = [sys.executable, "-m", "caffe", *command_line]
    with tempfile.TemporaryDirectory() as folder:
        place = {"WORLD_SIZE": str(count), _MEETING_POINT: f"file://{folder}/meeting"}
        processes: list[subprocess.Popen] = []
        try:
            for rank in range(count):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                processes.append(subprocess.Popen(command, env={**os.environ, **place, **own}, start_new_session=True))
            with _signals_to(processes[0]):
                _wait(processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _wait(processes: Sequence[subprocess.Popen]) -> None:
    while True:
        statuses = [process.poll() for process in processes]
        failed = [str(rank) for rank, status in enumerate(statuses) if status]
        if failed:
            raise CaffeError(
                f"train: solver {' and '.join(failed)} of {len(processes)} failed; all have been ended. Its last lines "
                "above say why."
            )
        if None not in statuses:
            return
        time.sleep(0.1)


@contextmanager
def _signals_to(root: subprocess.Popen) -> Iterator[None]:
    """SIGTERM ends everything, as ever."""

    passed_on = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda number, _: root.send_signal(number)) for number in passed_on}
    before[signal.SIGTERM] = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
