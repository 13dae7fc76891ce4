"""A progress bar below the log lines, if stderr is a terminal."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from caffe.cli import bars
from caffe.log import log
from caffe.ranks import solver_rank
from caffe.solver import Solver


class _AboveTheBar(logging.Handler):
    """Passes log records on while the bar is hidden."""

    def __init__(self, handlers: list[logging.Handler]):
        super().__init__()
        self._handlers = handlers

    def emit(self, record: logging.LogRecord) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            for handler in self._handlers:
                handler.handle(record)


@contextmanager
def training_bar(solver: Solver) -> Iterator[None]:
    """Show the solver's iterations as a bar on stderr; nothing if that is no terminal, or another solver's."""
    if not sys.stderr.isatty() or solver_rank():
        yield
        return
    handlers = list(log.logger.handlers)
    with bars.bar(total=solver.max_iter, initial=solver.iter, unit="it") as bar:

        def on_gradients_ready() -> None:
            if bar.update(solver.iter + 1 - bar.n):
                bar.set_postfix_str(f"loss {solver.smoothed_loss:g}", refresh=False)

        solver.add_callback(lambda: None, on_gradients_ready)
        log.logger.handlers[:] = [_AboveTheBar(handlers)]
        try:
            yield
        finally:
            log.logger.handlers[:] = handlers
