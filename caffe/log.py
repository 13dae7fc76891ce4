"""The log, in glog's format on stderr, as Caffe's users and log parsers know it.

    I1121 08:55:00.123456 12345 solver.cpp:239] Iteration 0, loss = 3.04452
    │└┬─┘ └─────┬───────┘ └─┬─┘ └────┬───────┘
    │ month, day, time      thread   calling module (`.cpp`, because parsers look for solver.cpp) and line
    I, W, E or F

    from caffe.log import log
    log.info("Iteration %d, loss = %g", iteration, loss)

The environment variable GLOG_minloglevel silences what is below it: 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL.
"""

import logging
import os
import sys
import threading
import time

_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LETTERS = dict(zip(_LEVELS, "IWEF", strict=True))


class LogAdapter(logging.LoggerAdapter):
    """The standard logger "caffe"; called like a function it logs at INFO, as pycaffe's `caffe.log(message)` does."""

    def __call__(self, message: str) -> None:
        self.logger.info("%s", message, stacklevel=2)  # not self.info: Python 3.10 counts its frames


class GlogFormatter(logging.Formatter):
    """One record as one glog line; a multi-line message has one prefix, as in glog."""

    def format(self, record: logging.LogRecord) -> str:
        letter = _LETTERS.get(record.levelno, "I")
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        microseconds = int(record.created % 1 * 1_000_000)
        thread = threading.get_native_id()
        message = record.getMessage()
        return f"{letter}{moment}.{microseconds:06d} {thread:5d} {record.module}.cpp:{record.lineno}] {message}"


class _StderrHandler(logging.Handler):
    """Writes to the `sys.stderr` of the moment, so that redirection and capture work at any time."""

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        try:
            sys.stderr.write(line)
        except UnicodeEncodeError:  # a file's name, say, on a terminal that has no such letters
            sys.stderr.write(line.encode("ascii", "backslashreplace").decode())
        sys.stderr.flush()


def init_log(level: int = 0) -> None:
    """Log only what is at least this severe: 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL (as `GLOG_minloglevel`)."""
    log.setLevel(_LEVELS[min(max(level, 0), 3)])


def _level_from_environment() -> int:
    value = os.environ.get("GLOG_minloglevel", "0")  # noqa: SIM112 - glog's own name
    return int(value) if value.isdigit() else 0


_handler = _StderrHandler()
_handler.setFormatter(GlogFormatter())
log = LogAdapter(logging.getLogger("caffe"), {})
log.logger.propagate = False
log.logger.addHandler(_handler)
init_log(_level_from_environment())
