"""A pytest plugin: tests are collected once, then run ten to a process, several processes at once.

    python -m pytest -p benchmarks.on_gpu.forked --results FILE --at-once N …

A process that a failure takes down, or that hangs, hides nine tests at most. FILE gets a line of JSON for each test as
it ends: [test, outcome, words].
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

TOGETHER = 10
"""Tests to a process."""
LIMIT = 60
"""Seconds for a process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", help="file of the results")
    parser.addoption("--at-once", type=int, default=1, help="processes at once")


def pytest_runtestloop(session: pytest.Session) -> bool:
    path, at_once = Path(session.config.getoption("--results")), session.config.getoption("--at-once")
    waiting = [session.items[i : i + TOGETHER] for i in range(0, len(session.items), TOGETHER)]
    running: dict[int, tuple[float, Sequence[pytest.Item]]] = {}
    path.write_text("")
    while waiting or running:
        while waiting and len(running) < at_once:
            group = waiting.pop(0)
            pid = os.fork()
            if not pid:
                _run(group, path)
            running[pid] = (time.monotonic(), group)
        for pid, (begin, _) in running.items():
            if time.monotonic() - begin > LIMIT:
                os.kill(pid, signal.SIGKILL)
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            time.sleep(0.05)
            continue
        _, group = running.pop(pid)
        ended = {json.loads(line)[0] for line in path.read_text().splitlines()}
        for item in group:
            if item.nodeid not in ended:
                _write(
                    path, item.nodeid, "failed", f"its process ended with status {os.waitstatus_to_exitcode(status)}"
                )
    session.testsfailed = sum(json.loads(line)[1] == "failed" for line in path.read_text().splitlines())
    session.testscollected = len(session.items)
    return True


def _run(group: Sequence[pytest.Item], path: Path) -> None:
    """In a process of its own, which ends here."""
    for item, following in zip(group, [*group[1:], None], strict=True):
        reports = runtestprotocol(item, log=False, nextitem=following)
        bad = [report for report in reports if not report.passed]
        words = f"{bad[0].longrepr}\n{bad[0].caplog}"[-2000:] if bad else ""
        _write(path, item.nodeid, bad[0].outcome if bad else "passed", words)
    os._exit(0)


def _write(path: Path, test: str, outcome: str, words: str) -> None:
    with path.open("a") as file:  # one short write: processes do not mix their lines
        file.write(json.dumps([test, outcome, words]) + "\n")
