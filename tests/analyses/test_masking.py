"""What a masked net gets to see, and the table."""

import numpy as np
import pytest

from analyses import masking
from analyses.masking import BACKGROUND, EVERYTHING, FOREGROUND, SHAPE, masked
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.variants.build import build


def seen(seen_part):
    row = ROWS["demo-fcn32s"]
    net = build(masked(row.net("val"), seen_part))
    net.forward()
    return net.blobs["data"].data[0].copy(), net.blobs["label"].data[0, 0].copy(), net.blobs["data_seen"].data[0].copy()


def test_foreground_and_background_are_parts_of_the_image(demo):
    image, labels, foreground = seen(FOREGROUND)
    background = seen(BACKGROUND)[2]
    assert (foreground == np.where(labels > 0, image, 0)).all()
    assert (background == np.where(labels > 0, 0, image)).all()
    assert foreground.any()
    assert background.any()


def test_shape_is_where_the_foreground_is(demo):
    _, labels, shape = seen(SHAPE)
    assert (shape == np.where(labels > 0, 127.5, -127.5)).all()


def test_the_net_itself_is_left_alone():
    net = ROWS["demo-fcn32s"].net("val")
    before = net.SerializeToString()
    assert masked(net, EVERYTHING) is net
    masked(net, SHAPE)
    assert net.SerializeToString() == before


def test_masked_nets_train_and_are_scored(demo, capsys):
    assert masking.main(["demo-fcn32s", "--train", "--updates", "1"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == list(masking.CONDITIONS)
    assert [tuple(row[1:3]) for row in rows] == list(masking.CONDITIONS.values())
    assert (demo / "out/analyses/masking/demo-fcn32s/shape-seed1/trained.caffemodel").exists()


def test_a_trained_net_is_tested_masked(trained, capsys):
    assert masking.main(["demo-fcn32s"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["reference", "reference-FG", "reference-BG"]


def test_without_background_only_foreground_counts():
    hist = np.array([[90, 5, 5], [40, 10, 0], [40, 5, 5]])
    line = masking.table({"reference": hist}).splitlines()[1].split()
    assert masking.table({"reference": np.diag([9, 0, 0])}).splitlines()[1].split()[6] == "–"
    assert float(line[6]) == pytest.approx((10 / 15 + 5 / 10) / 2, abs=1e-4)
