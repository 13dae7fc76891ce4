"""The net and the weights that all contestants are given.

python -m benchmarks.prepare FOLDER

deploy.prototxt                   nets/voc-fcn8s/deploy.prototxt
train.prototxt, check.prototxt    nets/voc-fcn8s/train.prototxt, an Input layer instead of the data layer; check
                                  without dropout
*-solver.prototxt                 their solvers
weights.caffemodel                538 MB, drawn from a fixed seed as the filler msra draws
"""

import sys
from pathlib import Path

import numpy as np

import caffe
from benchmarks.engines import RATE
from caffe.formats import prototxt
from fcn_caffe import surgery

NET = Path(__file__).resolve().parents[1] / "nets" / "voc-fcn8s"


def prepare(folder: Path) -> None:
    """Write all files; the weights last, so that where they are, all are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deploy.prototxt").write_text((NET / "deploy.prototxt").read_text())
    for name, dropout in (("train", 0.5), ("check", 0.0)):
        net = prototxt.read_net(str(NET / "train.prototxt"))
        data = net.layer[0]
        data.type = "Input"
        data.ClearField("python_param")
        for channels in (3, 1):
            data.input_param.shape.add().dim.extend([1, channels, 500, 500])
        for layer in net.layer:
            if layer.type == "Dropout":
                layer.dropout_param.dropout_ratio = dropout
        (folder / f"{name}.prototxt").write_text(str(net))
        (folder / f"{name}-solver.prototxt").write_text(
            f'train_net: "{name}.prototxt" base_lr: {RATE} lr_policy: "fixed" momentum: 0.99 weight_decay: 0.0005 '
            'snapshot_prefix: "none"\n'
        )
    net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
    random = np.random.RandomState(1)
    for name, (weights, *bias) in net.params.items():
        scale = 0.01 if "score" in name else 1.0  # so that no probability of the softmax is 0
        weights.data[...] = random.normal(0, scale * np.sqrt(2 / np.prod(weights.shape[1:])), weights.shape)
        for each in bias:
            each.data[...] = random.normal(0, 0.1, each.shape)
    surgery.interp(net, [name for name in net.params if "up" in name])
    net.save(str(folder / "weights.caffemodel"))


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
