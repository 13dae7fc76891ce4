"""Scores a net on labelled images: the four metrics of the papers, and every class.

    python tools/score.py voc-fcn8s                                    the variant's val net, its newest snapshot
    python tools/score.py --net nets/voc-fcn8s/val.prototxt --weights fcn8s-heavy-pascal.caffemodel

Prints a table; --json writes the numbers, --save-dir the predicted labels as palette PNGs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools import project  # isort: skip  (it puts the data layers on the path)

import numpy as np

import caffe
from tools import metrics, pictures, stages
from tools.customise import add_data_options, catalogue
from tools.device import add_device_options, use_device
from tools.progress import progress


def confusions(
    net: Any, heads: dict[str, str], images: int | None = None, save_dir: Path | None = None
) -> dict[str, np.ndarray]:
    """Run the images of the net's data layer through it, once each, and count pixels: true class × predicted class.

    heads: the blobs of labels, and for each the blob of scores; the result has the same keys.
    images: how many to take, where the data layer cannot tell how many it has.
    save_dir: where predicted labels go, NAME.png (of several heads LABEL_NAME.png).
    """
    unknown = [blob for pair in heads.items() for blob in pair if blob not in net.blobs]
    if unknown:
        raise ValueError(f"score: the net has no blob {', '.join(unknown)}; there are {', '.join(net.blobs)}.")
    names = getattr(net.layers[0], "indices", None)
    images = len(names) if names else images
    if not images:
        raise ValueError("score: the data layer does not tell how many images it has: give --images")
    _rewind(net.layers[0])
    hists = {label: np.zeros((net.blobs[score].shape[1],) * 2, np.int64) for label, score in heads.items()}
    done = 0
    with progress("scoring", "images", images) as advance:
        while done < images:
            net.forward()
            batch = min(net.blobs[next(iter(heads))].shape[0], images - done)
            for item in range(batch):
                name = names[done + item] if names else f"{done + item:06d}"
                for label, score in heads.items():
                    predicted = net.blobs[score].data[item].argmax(0)
                    truth = net.blobs[label].data[item].reshape(predicted.shape).astype(np.int64)
                    hists[label] += metrics.confusion(truth, predicted, len(hists[label]))
                    if save_dir is not None:
                        prefix = f"{label}_" if len(heads) > 1 else ""
                        pictures.save_labels(predicted, save_dir / f"{prefix}{name}.png")
                advance()
            done += batch
    return hists


def _rewind(layer: Any) -> None:
    """Let a data layer begin with its first image, whatever it gave before."""
    if hasattr(layer, "set_state"):
        layer.set_state({**layer.state(), "position": 0})


def report(hist: np.ndarray, exclude_absent: bool = False) -> str:
    """The metrics as a table, with a warning where the net predicts background only."""
    found = metrics.scores(hist, exclude_absent)
    lines = [
        f"pixel accuracy {found.pixel_accuracy:.4f}   mean accuracy {found.mean_accuracy:.4f}   "
        f"mean IU {found.mean_iu:.4f}   frequency weighted IU {found.fw_iu:.4f}"
    ]
    lines += [
        f"  {index:3}  accuracy {accuracy:.3f}  IU {iu:.3f}"
        for index, (accuracy, iu) in enumerate(zip(found.accuracy, found.iu))
    ]
    if metrics.is_all_background(hist):
        lines.append(
            "WARNING: everything is predicted as class 0. The usual cause: score or upsampling layers are zero, "
            "because weights were not loaded (--weights) or surgery.interp was not run; or the training has not begun "
            "to learn."
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", help="a net of the catalogue")
    parser.add_argument("--net", help="a prototxt with a data layer (default: the variant's val net)")
    parser.add_argument("--weights", help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--images", type=int, help="how many images, where the data layer cannot tell")
    parser.add_argument("--score", help="the blob of scores (default: score, or those of the variant)")
    parser.add_argument("--label", help="the blob of labels (default: label, or those of the variant)")
    parser.add_argument("--exclude-absent", action="store_true", help="leave classes out that the truth has nowhere")
    parser.add_argument("--json", type=Path, help="write the metrics and the confusion matrix there")
    parser.add_argument("--save-dir", type=Path, help="write predicted labels there")
    add_data_options(parser)
    add_device_options(parser)
    return parser


@project.tool
def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    heads, net_file, weights = {options.label or "label": options.score or "score"}, options.net, options.weights
    if options.variant:
        nets = catalogue(options)
        row = nets.find(options.variant)
        weights = weights or str(stages.trained_weights(row.name))
        if not net_file:
            nets.write(row)
            net_file = nets.net_file(row, row.data.val.file)
        if not (options.label or options.score):
            heads = {head.label: "score" + head.suffix for head in row.data.heads}
    elif not (net_file and weights):
        parser.error("give a variant, or --net and --weights")
    project.quiet(caffe)
    use_device(options)
    net = caffe.Net(net_file, caffe.TEST, weights=weights)
    hists = confusions(net, heads, options.images, options.save_dir)
    for label, hist in hists.items():
        print(("" if len(hists) == 1 else f"{label}: ") + report(hist, options.exclude_absent))
    if options.json:
        values = {
            label: {**metrics.scores(hist, options.exclude_absent).as_dict(), "confusion": hist.tolist()}
            for label, hist in hists.items()
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(values if len(values) > 1 else next(iter(values.values()))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
