"""Draw a chart of one or several training logs.

0 Test accuracy vs. Iters        4 Train learning rate vs. Iters
1 Test accuracy vs. Seconds      5 Train learning rate vs. Seconds
2 Test loss vs. Iters            6 Train loss vs. Iters
3 Test loss vs. Seconds          7 Train loss vs. Seconds
"""

import argparse
from pathlib import Path

from caffe.cli.parse_log import Row, Tables, read
from caffe.errors import DataError, UsageError
from caffe.log import log

_QUANTITIES = ("Test accuracy", "Test loss", "Train learning rate", "Train loss")
_AXES = {"Iters": "NumIters", "Seconds": "Seconds"}
CHARTS = [f"{quantity}  vs. {axis}" for quantity in _QUANTITIES for axis in _AXES]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chart_type", type=int, choices=range(len(CHARTS)), help="0 to 7, see above")
    parser.add_argument("picture", help="where to save the chart: png, svg, pdf, …")
    parser.add_argument("logs", nargs="+", help="the logs")


def run(arguments: argparse.Namespace) -> int:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "plot_training_log: the package matplotlib is not installed. Install it: pip install matplotlib"
        ) from error
    quantity, axis = CHARTS[arguments.chart_type].split("  vs. ")
    figure = Figure(figsize=(8, 6))
    axes = figure.add_subplot(title=CHARTS[arguments.chart_type], xlabel=axis, ylabel=quantity)
    for path in arguments.logs:
        points = _points(read(path), quantity, _AXES[axis])
        if not points:
            raise DataError(f"'{path}' says nothing of the {quantity.lower()}. Draw another chart of it.")
        axes.plot(*zip(*points, strict=True), marker=".", linewidth=0.75, label=Path(path).stem)
    axes.legend()
    figure.savefig(arguments.picture)
    log.info("Wrote %s", arguments.picture)
    return 0


def _points(tables: Tables, quantity: str, axis: str) -> list[tuple[float, float]]:
    if quantity == "Train loss":
        rows, column = tables.losses, "loss"
    elif quantity == "Train learning rate":
        rows, column = tables.losses, "LearningRate"
    else:
        rows, column = tables.test, _test_column(tables.test, quantity.removeprefix("Test "))
    return [(row[axis], row[column]) for row in rows if column in row]


def _test_column(rows: list[Row], word: str) -> str:
    """The output of that name, or else the first whose name contains it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return word if word in names else next((name for name in names if word in name), word)
