"""Detect objects: classify windows of images.

The input is a CSV file with the columns filename, ymin, xmin, ymax, xmax (in any order): a window a line. The output is
a CSV file of the same columns and one for each class, or an HDF5 file of filename, window and prediction.

    caffe detect windows.csv found.h5 --model_def deploy.prototxt --pretrained_model net.caffemodel
"""

import argparse
import csv
import time
from itertools import groupby
from typing import Any

import h5py
import numpy as np

from caffe.cli import preprocessing
from caffe.data import lists
from caffe.detector import Detector
from caffe.errors import DataError, UsageError
from caffe.formats.atomic import replacing
from caffe.log import log

_CORNERS = ("ymin", "xmin", "ymax", "xmax")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input_file", help="CSV file of windows; with selective search, a .txt file of image files")
    parser.add_argument("output_file", help="output .csv or .h5 file")
    preprocessing.add_flags(parser)
    parser.add_argument(
        "--crop_mode",
        default="list",
        choices=["list", "selective_search"],
        help="where windows come from: the input file, or selective search (default: list)",
    )
    parser.add_argument("--context_pad", type=int, default=16, help="pixels of surroundings in the input (default: 16)")


def run(arguments: argparse.Namespace) -> int:
    settings = preprocessing.settings(arguments)
    mean = settings["mean"]
    if mean is not None and mean.ndim == 3 and mean.shape[1:] != (1, 1):
        settings["mean"] = mean.mean(axis=(1, 2))
    detector = Detector(arguments.model_def, arguments.pretrained_model, context_pad=arguments.context_pad, **settings)
    start = time.perf_counter()
    if arguments.crop_mode == "list":
        detections = detector.detect_windows(_windows(arguments.input_file))
    else:
        detections = detector.detect_selective_search(_lines(arguments.input_file))
    log.info("Processed %d windows in %.3f s.", len(detections), time.perf_counter() - start)
    _save(arguments.output_file, detections)
    log.info("Saved to %s.", arguments.output_file)
    return 0


def _lines(path: str) -> list[str]:
    lines = lists.read_lines(path, f"'{path}' cannot be read", "Correct the path.")
    return [line.strip() for _, line in lines]


def _windows(path: str) -> list[tuple[str, np.ndarray]]:
    reader = csv.DictReader(_lines(path), skipinitialspace=True)
    missing = {"filename", *_CORNERS} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"'{path}': no column {', '.join(sorted(missing))}. Name the columns in the first line.")
    try:
        rows = [(row["filename"], [float(row[corner]) for corner in _CORNERS]) for row in reader]
    except (TypeError, ValueError) as error:
        raise DataError(
            f"'{path}', line {reader.line_num}: four numbers were expected: {error}. Correct the line."
        ) from error
    return [(name, np.array([corners for _, corners in group])) for name, group in groupby(rows, lambda row: row[0])]


def _save(path: str, detections: list[dict[str, Any]]) -> None:
    if not detections:
        raise UsageError(
            "detect: there are no windows, so nothing is saved."
            " Give a file with a window, or images in which one is found."
        )
    names = [detection["filename"] for detection in detections]
    windows = np.array([detection["window"] for detection in detections])
    predictions = np.array([detection["prediction"] for detection in detections])
    with replacing(path) as temporary:
        if not path.lower().endswith(".csv"):
            with h5py.File(temporary, "w") as file:
                file["filename"], file["window"], file["prediction"] = names, windows, predictions
            return
        with open(temporary, "w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["filename", *_CORNERS, *(f"class{index}" for index in range(predictions.shape[1]))])
            writer.writerows(
                [name, *window, *scores] for name, window, scores in zip(names, windows, predictions, strict=True)
            )
