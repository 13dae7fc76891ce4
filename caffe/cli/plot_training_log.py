"""Draw a chart of one or several training logs; a log of several trainings has a line for each.

0 Test accuracy vs. Iters        4 Train learning rate vs. Iters
1 Test accuracy vs. Seconds      5 Train learning rate vs. Seconds
2 Test loss vs. Iters            6 Train loss vs. Iters
3 Test loss vs. Seconds          7 Train loss vs. Seconds

    caffe plot_training_log 6 loss.png train.log
"""

import argparse
from pathlib import Path

from caffe.cli.parse_log import LogRow, Tables, read
from caffe.errors import DataError, UsageError
from caffe.formats.atomic import open_atomic
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
        from matplotlib.backend_bases import FigureCanvasBase
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "plot_training_log: the package matplotlib is not installed. Install it: pip install matplotlib"
        ) from error
    quantity, axis = CHARTS[arguments.chart_type].split("  vs. ")
    kind = Path(arguments.picture).suffix[1:].lower() or "png"
    if kind not in FigureCanvasBase.get_supported_filetypes():
        known = ", ".join(sorted(FigureCanvasBase.get_supported_filetypes()))
        raise UsageError(
            f"plot_training_log: '{arguments.picture}' ends in .{kind}, expected one of {known}. Rename it."
        )
    figure = Figure(figsize=(8, 6))
    axes = figure.add_subplot(title=CHARTS[arguments.chart_type], xlabel=axis, ylabel=quantity)
    for path in arguments.logs:
        points = _points(read(path), quantity, _AXES[axis])
        if not points:
            raise DataError(f"'{path}' says nothing of the {quantity.lower()}. Draw another chart of it.")
        colour = None
        for training in trainings(points):
            label = Path(path).stem if colour is None else None
            (line,) = axes.plot(*zip(*training, strict=True), marker=".", linewidth=0.75, label=label, color=colour)
            colour = line.get_color()
    axes.legend()
    with open_atomic(arguments.picture) as file:
        figure.savefig(file, format=kind)
    log.info("Wrote %s", arguments.picture)
    return 0


def trainings(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The points in pieces that each go forwards: a log may hold several stages, or a training that was resumed."""
    pieces: list[list[tuple[float, float]]] = []
    for point in points:
        if not pieces or point[0] < pieces[-1][-1][0]:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _points(tables: Tables, quantity: str, axis: str) -> list[tuple[float, float]]:
    if quantity == "Train loss":
        rows, column = tables.losses, "loss"
    elif quantity == "Train learning rate":
        rows, column = tables.losses, "LearningRate"
    else:
        rows, column = tables.test, _test_column(tables.test, quantity.removeprefix("Test "))
    return [(row[axis], row[column]) for row in rows if column in row]


def _test_column(rows: list[LogRow], word: str) -> str:
    """The output of that name, or else the first whose name contains it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return word if word in names else next((name for name in names if word in name), word)
