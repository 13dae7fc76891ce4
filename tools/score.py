"""Scores a net on labelled images: the four metrics of the papers, and every class.

    python tools/score.py voc-fcn8s                                    the variant's val net, its newest snapshot
    python tools/score.py --net nets/voc-fcn8s/val.prototxt --weights fcn8s-heavy-pascal.caffemodel --images 736

Prints a table; --json writes the numbers, --save-dir the predicted labels as palette PNGs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import caffe
from tools import (
    metrics,
    pictures,
    project,  # noqa: F401  (puts the data layers on the path)
    stages,
)
from tools.device import add_device_options, use_device


def confusion_of(
    net: Any, images: int, score: str = "score", label: str = "label", save_dir: Path | None = None
) -> np.ndarray:
    """Run `images` images of the net's data layer through it, and count pixels: true class × predicted class."""
    hist: np.ndarray | None = None
    names = getattr(net.layers[0], "indices", None)
    for number in range(images):
        name = names[net.layers[0].idx % len(names)] if names else f"{number:06d}"
        net.forward()
        scores, labels = net.blobs[score].data, net.blobs[label].data
        if hist is None:
            hist = np.zeros((scores.shape[1],) * 2, np.int64)
        for item in range(scores.shape[0]):
            predicted = scores[item].argmax(0)
            truth = labels[item].reshape(predicted.shape).astype(np.int64)
            hist += metrics.confusion(truth, predicted, scores.shape[1])
            if save_dir is not None:
                pictures.save_labels(predicted, save_dir / f"{name}.png")
    if hist is None:
        raise ValueError("score: no images, expected at least one: correct --images")
    return hist


def report(hist: np.ndarray, class_names: list[str] | None = None, exclude_absent: bool = False) -> str:
    """The metrics as a table, with a warning where the net predicts background only."""
    found = metrics.scores(hist, exclude_absent)
    lines = [
        f"pixel accuracy {found.pixel_accuracy:.4f}   mean accuracy {found.mean_accuracy:.4f}   "
        f"mean IU {found.mean_iu:.4f}   frequency weighted IU {found.fw_iu:.4f}"
    ]
    names = class_names or [str(index) for index in range(len(found.iu))]
    width = max(map(len, names))
    lines += [
        f"  {name:<{width}}  accuracy {accuracy:.3f}  IU {iu:.3f}"
        for name, accuracy, iu in zip(names, found.accuracy, found.iu)
    ]
    if metrics.is_all_background(hist):
        lines.append(
            "WARNING: everything is predicted as class 0. The usual cause: score or upsampling layers are zero, "
            "because weights were not loaded (--weights) or surgery.interp was not run; or the training has not begun to "
            "learn."
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", help="a net of the catalogue")
    parser.add_argument("--net", help="a prototxt with a data layer, instead of a variant")
    parser.add_argument("--weights", help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--images", type=int, help="how many images (default: the variant's)")
    parser.add_argument("--score", default="score", help="the blob of scores")
    parser.add_argument("--label", default="label", help="the blob of labels")
    parser.add_argument("--exclude-absent", action="store_true", help="leave classes out that the truth has nowhere")
    parser.add_argument("--json", type=Path, help="write the metrics and the confusion matrix there")
    parser.add_argument("--save-dir", type=Path, help="write predicted labels there")
    add_device_options(parser)
    options = parser.parse_args(arguments)
    use_device(options)
    if options.variant:
        row = stages.variant(options.variant)
        net_file = options.net or f"nets/{row.name}/{row.data.val.file}.prototxt"
        weights, images = options.weights or str(stages.weights_of(row.name)), options.images or row.data.val.images
    elif options.net and options.weights and options.images:
        net_file, weights, images = options.net, options.weights, options.images
    else:
        parser.error("give a variant, or --net, --weights and --images")
    net = caffe.Net(net_file, caffe.TEST, weights=weights)
    hist = confusion_of(net, images, options.score, options.label, options.save_dir)
    print(report(hist, exclude_absent=options.exclude_absent))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        values = metrics.scores(hist, options.exclude_absent).as_dict()
        options.json.write_text(json.dumps({**values, "images": images, "confusion": hist.tolist()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
