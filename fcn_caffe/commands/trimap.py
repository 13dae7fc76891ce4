"""Mean IU along the boundaries of objects, which shows how well predicted labels follow them.

    fcn score voc-fcn8s --save-dir out/labels/voc-fcn8s
    fcn trimap out/labels/voc-fcn8s --voc-dir data/pascal/VOC2011 --split seg11valid --plot trimap.png

Scores only the pixels that are no farther from a boundary than a width, for each of several widths (Kohli, Ladický and
Torr, IJCV 2009; the figure of the same name in Chen et al., DeepLab, ICLR 2015). Several folders of predictions are
compared. A boundary is the void that PASCAL VOC's labels have around objects, or (--boundary classes) where two classes
meet; the distance is Euclidean, from pixel centre to pixel centre.
"""

from __future__ import annotations

import argparse

from fcn_caffe import home, program
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.pictures import outputs
from fcn_caffe.scoring import metrics, trimap
from fcn_caffe.whole_files import write_json

PLOTS = (".png", ".svg", ".pdf")
WIDTHS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("predictions", nargs="+", type=home.path, metavar="FOLDER", help="predicted labels, NAME.png")
    parser.add_argument("--voc-dir", type=home.path, required=True, help="the true labels, in PASCAL VOC's layout")
    parser.add_argument("--split", default="val", help="list of images (default: val)")
    parser.add_argument("--classes", type=int, default=21, help="number of classes (default: 21)")
    parser.add_argument("--keep", type=int, nargs="+", metavar="ID", help="the classes that the net knows, if not all")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="in pixels (default: 1 to 40)")
    parser.add_argument("--boundary", choices=("void", "classes"), default="void", help="default: void")
    parser.add_argument("--json", type=home.path, help="write the scores there")
    parser.add_argument("--plot", type=home.path, help="draw the curves there (.png, .svg, .pdf)")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.json:
        outputs.check_json(options.json)
    widths = sorted(set(options.widths))
    if widths[0] < 1:
        parser.error(f"--widths has {widths[0]}, expected pixels, at least 1")
    if not 1 < options.classes <= VOID:
        parser.error(f"--classes is {options.classes}, expected 2 to {VOID}")
    kept = options.keep or []
    if len(set(kept)) < len(kept) or not set(kept) <= set(range(options.classes)):
        parser.error(f"--keep has {' '.join(map(str, kept))}, expected different classes, 0 to {options.classes - 1}")
    if options.plot and options.plot.suffix.lower() not in PLOTS:
        parser.error(f"--plot {options.plot}: expected a name that ends in {', '.join(PLOTS)}")
    counted = trimap.count(
        options.predictions, options.voc_dir, options.split, widths, options.classes, options.boundary, options.keep
    )
    titles = [folder.name for folder in options.predictions]
    print(trimap.table(counted, titles))
    if options.json:
        values = [
            {"folder": str(folder), "widths": widths, "bands": [metrics.scores(hist).as_dict() for hist in bands.hists]}
            for folder, bands in zip(options.predictions, counted)
        ]
        write_json(options.json, {"boundary": options.boundary, "split": options.split, "predictions": values})
    if options.plot:
        trimap.plot(counted, titles, options.plot)
    return 0
