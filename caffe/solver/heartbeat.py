"""How solvers that train together notice that one of them is lost: a cut link, a machine that stopped.

A thread of each solver increments a number at their meeting point, and checks that those of the others change. It
counts checks without a change, not time, so that a process that was suspended does not report the others as lost.
"""

import os
import threading

import torch.distributed

from caffe import ranks
from caffe.errors import UsageError

PERIOD = 2.0  # seconds between two looks
LOST_AFTER = "CAFFE_LOST_AFTER"
DEFAULT = 120.0  # seconds; a link that is back by then only delays the training


def lost_after() -> float:
    """Seconds of silence after which a solver counts as lost, as the environment says. Raises UsageError."""
    text = os.environ.get(LOST_AFTER, "")
    try:
        seconds = float(text or DEFAULT)
    except ValueError:
        seconds = -1
    if not seconds >= 2 * PERIOD:
        raise UsageError(
            f"{LOST_AFTER}='{text}': expected at least {2 * PERIOD:g} seconds. Set such a number, or leave it unset."
        )
    return seconds


class Heartbeat:
    """This solver's heartbeat, and the others'. Ends with `stop`.

    store: where they meet, a torch.distributed.Store that no other thread uses.
    """

    def __init__(self, store: torch.distributed.Store, seconds: float):
        self._store, self._rank = store, ranks.solver_rank()
        self._others = [rank for rank in range(ranks.solver_count()) if rank != self._rank]
        self._most = max(2, round(seconds / PERIOD))
        self._seen = dict.fromkeys(self._others, b"")
        self._missed = dict.fromkeys(self._others, 0)
        self._looks = self._looks_seen = self._stalled = 0
        self._failure: str | None = None
        self._stopped = threading.Event()
        self._store.set(_key(self._rank), "0")
        self._thread = threading.Thread(target=self._run, name="caffe-heartbeat", daemon=True)
        self._thread.start()

    def lost(self) -> str | None:
        """A message that names the lost solvers; None while there are none. Call it once a PERIOD while waiting."""
        if self._failure is None:
            self._stalled = self._stalled + 1 if self._looks == self._looks_seen else 0
            self._looks_seen = self._looks
            if self._stalled >= self._most:
                return f"the solvers' meeting point has not answered for {self._most * PERIOD:.0f} s"
        return self._failure

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _run(self) -> None:
        while self._failure is None and not self._stopped.wait(PERIOD):
            try:
                self._look()
            except RuntimeError as error:
                if not self._stopped.is_set():
                    self._failure = f"the solvers' meeting point is gone ({str(error).splitlines()[0]})"

    def _look(self) -> None:
        self._looks += 1
        self._store.set(_key(self._rank), str(self._looks))
        for rank in self._others:
            if not self._store.check([_key(rank)]):
                continue
            now = self._store.get(_key(rank))
            self._missed[rank] = self._missed[rank] + 1 if now == self._seen[rank] else 0
            self._seen[rank] = now
            if self._missed[rank] >= self._most:
                self._failure = f"nothing was heard of solver {rank} for {self._most * PERIOD:.0f} s"


def _key(rank: int) -> str:
    return f"alive/{rank}"
