"""Make tables of a training log: LOG.train and LOG.test, CSV files of the train and test net outputs.

Columns: NumIters, Seconds since training began, LearningRate (the last one logged before), then the outputs by name.

    caffe parse_log train.log tables/
"""

import argparse
import csv
import io
import os
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from caffe.errors import DataError, FormatError, UsageError
from caffe.formats.atomic import open_atomic
from caffe.log import log

LogRow = dict[str, float]

_STAMP = re.compile(r"^[IWEF](\d\d)(\d\d) (\d+):(\d+):(\d+)\.(\d+)")
_LEAP_DAY = re.compile(r"^[IWEF]0229 ", re.MULTILINE)
_ITERATION = re.compile(r"Iteration (\d+)")
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf)"
_OUTPUT = re.compile(rf"(Train|Test) net output #\d+: (\S+) = {_NUMBER}")
_RATE = re.compile(rf"lr = {_NUMBER}")
_LOSS = re.compile(rf"Iteration \d+.*, loss = {_NUMBER}")


@dataclass
class Tables:
    """What a log says: a row an iteration."""

    train: list[LogRow] = field(default_factory=list)
    test: list[LogRow] = field(default_factory=list)
    losses: list[LogRow] = field(default_factory=list)
    """NumIters, Seconds, LearningRate, and the smoothed `loss`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logfile_path", help="the log")
    parser.add_argument("output_dir", help="the folder for the tables")
    parser.add_argument("--verbose", action="store_true", help="say what was written")
    parser.add_argument("--delimiter", default=",", help="between columns (default: ',')")


def run(arguments: argparse.Namespace) -> int:
    if len(arguments.delimiter) != 1:
        raise UsageError(f"parse_log --delimiter {arguments.delimiter!r}: one character was expected. Correct it.")
    tables = read(arguments.logfile_path)
    if not tables.train and not tables.test:
        raise DataError(
            f"'{arguments.logfile_path}' has no line of a training with its outputs, expected a log in glog's format, "
            "as `caffe train` writes it to stderr. Save one: caffe train … 2>&1 | tee train.log"
        )
    for kind, rows in (("train", tables.train), ("test", tables.test)):
        path = Path(arguments.output_dir) / f"{Path(arguments.logfile_path).name}.{kind}"
        if rows:
            _write(path, rows, arguments.delimiter)
        if arguments.verbose:
            log.info("Wrote %s" if rows else "Not writing %s; no lines to write", path)
    return 0


def read(path: str) -> Tables:
    """The tables of a log in glog's format. Raises FormatError when there is no such file."""
    try:
        text = Path(path).read_text(errors="replace")
        year = datetime.fromtimestamp(os.path.getctime(path), timezone.utc).year
    except OSError as error:
        raise FormatError(f"'{path}' cannot be read: {error.strerror}. Correct the path.") from error
    return parse(text, year)


def parse(text: str, year: int = 2000) -> Tables:
    """The tables of a log's text. year: when it begins; glog's lines do not say."""
    if _LEAP_DAY.search(text):
        year -= year % 4
    tables = Tables()
    iteration, rate = -1, float("nan")
    start: datetime | None = None
    last: datetime | None = None
    for line in text.splitlines():
        stamp = _STAMP.match(line)
        if stamp is None:
            continue
        month, day, hour, minute, second, fraction = map(int, stamp.groups())
        year += last is not None and month < last.month
        last = datetime(year, month, day, hour, minute, second, fraction, tzinfo=timezone.utc)
        if start is None or "] Solving " in line:
            start = last
        if found := _ITERATION.search(line):
            iteration = int(found[1])
        if iteration < 0:
            continue
        if found := _RATE.search(line):
            rate = float(found[1])
        row = {"NumIters": iteration, "Seconds": (last - start).total_seconds(), "LearningRate": rate}
        if found := _LOSS.search(line):
            tables.losses.append({**row, "loss": float(found[1])})
        if found := _OUTPUT.search(line):
            rows = tables.train if found[1] == "Train" else tables.test
            if not rows or rows[-1]["NumIters"] != iteration:
                rows.append(row)
            rows[-1][found[2]] = float(found[3])
    for rows in (tables.train, tables.test, tables.losses):
        if len(rows) > 1:
            rows[0]["LearningRate"] = rows[1]["LearningRate"]
    return tables


def _write(path: Path, rows: list[LogRow], delimiter: str) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    with open_atomic(path) as file:
        file.write(text.getvalue().encode())
