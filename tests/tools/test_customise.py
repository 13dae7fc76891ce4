"""fcn_caffe/variants/customise.py: which nets are trained, and on which data."""

import argparse
from pathlib import Path

import pytest

from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import add_data_options, catalogue


def made(line, variant="voc-fcn8s"):
    parser = argparse.ArgumentParser()
    parser.add_argument("variant")
    add_data_options(parser)
    return catalogue(parser.parse_args([variant, *line.split()]))


def test_own_data_keeps_the_family_and_the_order_of_the_stages(folder):
    nets = made("--voc-dir mine --classes 3 --name foo")
    target = nets.find("voc-fcn8s")
    assert [row.name for row in stages.chain(target, nets.rows)] == ["foo-fcn32s", "foo-fcn16s", "foo-fcn8s"]
    assert nets.find("foo-fcn32s").starts == ("ilsvrc/vgg16",)
    assert nets.find("foo-fcn32s").trunk == made("").find("voc-fcn32s").trunk
    assert (target.data.train.images, target.data.val.images) == (4, 3)
    assert target.data.val.params["n_classes"] == 3


@pytest.mark.parametrize("variant", ["voc-deconvnet", "camvid-deconvnet", "camvid-segnet"])
def test_own_data_comes_in_the_size_that_a_net_is_made_for(folder, variant):
    row = made("--voc-dir mine --classes 3 --name foo", variant).find(variant)
    assert row.data.size == (512, 512)
    assert [split.params["square"] for split in (row.data.train, row.data.val)] == [512, 512]
    net = row.net("deploy")
    assert list(net.layer[0].input_param.shape[0].dim) == [1, 3, 512, 512]


def test_own_data_is_mirrored_where_the_recipe_says_so(folder):
    assert (
        made("--voc-dir mine --classes 3 --name foo", "camvid-segnet").find("camvid-segnet").data.train.params["mirror"]
    )
    assert "mirror" not in made("--voc-dir mine --classes 3 --name foo").find("voc-fcn8s").data.train.params


def test_edges_of_own_data_are_two_classes(folder):
    row = made("--voc-dir mine --classes 3 --name foo", "camvid-hed").find("camvid-hed")
    assert [(head.classes, head.label) for head in row.data.heads] == [(2, "edges")]
    assert row.data.train.params["n_classes"] == 3


def test_own_splits(folder):
    row = made("--voc-dir mine --classes 3 --name foo --splits val test").find("voc-fcn8s")
    assert [(s.params["split"], s.images) for s in (row.data.train, row.data.val)] == [("val", 3), ("test", 1)]


def test_a_missing_list_is_named_with_those_that_are_there(folder):
    with pytest.raises(FileNotFoundError, match=r"dev.txt.*Lists there: test, train, val"):
        made("--voc-dir mine --classes 3 --splits train dev")


def test_moved_data_keeps_names(folder):
    nets = made("--voc-dir a --sbd-dir b")
    row = nets.find("voc-fcn8s")
    assert (row.data.val.params["voc_dir"], row.data.train.params["sbdd_dir"]) == ("a", "b")
    nets.write(row)
    assert "'b'" in Path(nets.net_file(row, "train")).read_text().replace("\\", "")
    assert Path(nets.solver_file(row)).read_text().count("out/moved/nets/") == 2


@pytest.mark.parametrize(
    ("variant", "line", "words"),
    [
        ("nyud-fcn32s-color", "--voc-dir mine", "nyud-fcn32s-color has no data there, it reads data/nyud"),
        ("voc7-fcn8s", "--sbd-dir mine", "voc7-fcn8s has no data there, it reads data/voc"),
        ("siftflow-fcn8s", "--sbd-dir a --voc-dir b", "it reads data/sift-flow"),
    ],
)
def test_a_folder_that_a_variant_does_not_read_is_refused(folder, variant, line, words):
    with pytest.raises(ValueError, match=words):
        made(line, variant)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--classes 3", "needs --voc-dir"),
        ("--classes 1 --voc-dir mine", "expected 2 to 255"),
        ("--classes 3 --voc-dir mine --name camvid", "camvid-fcn32s of its own"),
        ("--name foo --voc-dir mine", "--name without --classes"),
        ("--splits a b", "--splits without --classes"),
    ],
)
def test_options_that_do_not_fit_together(folder, line, words):
    with pytest.raises(ValueError, match=words):
        made(line)


def test_an_unknown_variant_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"fcn9: no such variant.*voc-fcn8s"):
        made("").find("fcn9")
