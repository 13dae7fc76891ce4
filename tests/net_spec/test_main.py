"""`python -m net_spec`: what is written, what is compared, and what is refused."""

import shutil

import pytest
from google.protobuf import text_format

from caffe.proto import caffe_pb2
from fcn_caffe.net_spec import __main__ as command
from fcn_caffe.net_spec.__main__ import main
from fcn_caffe.net_spec.catalogue import ROWS, files
from fcn_caffe.net_spec.generate import differences, write


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def demo(checkout):
    """The files of one row, and the folder they lie in."""
    made = files((ROWS["demo-fcn32s"],))
    write(made)
    return made, checkout


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def small(checkout, monkeypatch):
    """A checkout whose catalogue has two rows."""
    monkeypatch.setattr(command, "EVERY", (ROWS["demo-fcn32s"], ROWS["voc-fcn8s"]))
    return checkout


@pytest.mark.slow(reason="every net is made twice; test_catalogue makes them once")
def test_everything_is_written_and_then_found_up_to_date(checkout, capsys):
    main([])
    main(["--check"])
    assert capsys.readouterr().out.endswith("nets/ and solvers/ are up to date\n")
    assert (checkout / "nets/voc-fcn8s/deploy.prototxt").read_text().startswith("# Written by `python -m net_spec`")


def test_a_change_is_shown_and_nothing_is_written(small, capsys):
    main([])
    path = small / "nets/voc-fcn8s/train.prototxt"
    edit(path, "pad: 100", "pad: 99")
    shutil.rmtree(small / "solvers")
    with pytest.raises(SystemExit, match=r"out of date: run `python -m net_spec`$"):
        main(["--check"])
    diff = capsys.readouterr().out
    assert "--- nets/voc-fcn8s/train.prototxt" in diff
    assert "-    pad: 99\n" in diff
    assert "+    pad: 100\n" in diff
    assert "--- solvers/voc-fcn8s.prototxt" in diff
    assert "pad: 99" in path.read_text()
    assert not (small / "solvers").exists()


def test_form_and_order_of_settings_are_free(demo):
    made, root = demo
    path = root / "nets/demo-fcn32s/train.prototxt"
    edit(
        path,
        r"{\'voc_dir\': \'out/demo/data/VOC\', \'split\': \'train\'",
        r"{'split': 'train', 'voc_dir': 'out/demo/data/VOC'",
    )
    path.write_text("# a comment\n" + path.read_text().replace("\n", " \n\n"))
    assert list(differences(made, root)) == []


def test_a_setting_that_changes_is_a_difference(demo):
    made, root = demo
    edit(root / "nets/demo-fcn32s/train.prototxt", r"\'seed\': 1337", r"\'seed\': 1")
    assert len([line for line in differences(made, root) if line.startswith(("+ ", "- "))]) == 2


def test_a_file_that_cannot_be_parsed_is_a_difference(demo):
    made, root = demo
    (root / "solvers/demo-fcn32s.prototxt").write_text("base_lr: quick")
    assert any("base_lr: quick" in line for line in differences(made, root))


def test_a_file_that_no_row_makes_any_more_is_a_difference(demo):
    made, root = demo
    del made["nets/demo-fcn32s/val.prototxt"]
    assert list(differences(made, root))[0] == "--- nets/demo-fcn32s/val.prototxt"


ADAPT = ["--variant", "voc-fcn16s", "--name", "mine", "--classes", "5", "--data", '{"voc_dir": "data/mine"}']


def test_a_net_of_ones_own(checkout, capsys):
    main([*ADAPT, "--splits", "train", "test", "--val-images", "12", "--out", "work"])
    solver = text_format.Parse((checkout / "work/solvers/mine.prototxt").read_text(), caffe_pb2.SolverParameter())
    assert (solver.train_net, solver.test_iter) == ("work/nets/mine/train.prototxt", [12])
    net = text_format.Parse((checkout / solver.test_net[0]).read_text(), caffe_pb2.NetParameter())
    assert "'split': 'test'" in net.layer[0].python_param.param_str
    assert "score_fr_5cls" in {layer.name for layer in net.layer}
    assert "work/nets/mine/deploy.prototxt" in capsys.readouterr().out


def test_a_net_of_ones_own_is_no_difference(checkout):
    main(ADAPT)
    assert list(differences({}, checkout)) == []


def test_a_net_of_ones_own_can_have_its_own_layer(checkout):
    arguments = [*ADAPT[:-1], '{"module": "my_layers", "layer": "Mine", "where": "there"}']
    main(arguments)
    net = text_format.Parse((checkout / "nets/mine/train.prototxt").read_text(), caffe_pb2.NetParameter())
    settings = net.layer[0].python_param
    assert (settings.module, settings.layer) == ("my_layers", "Mine")
    assert settings.param_str.startswith("{'where': 'there', 'split': 'train'")


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (1, "voc-fcn2s", "no such segmentation net; there are voc-fcn32s,"),
        (1, "ilsvrc/vgg16", "no such segmentation net"),
        (1, "siftflow-fcn8s", "siftflow-fcn8s has 2 heads"),
        (3, "voc-fcn8s", "the catalogue has a net of that name"),
        (5, "0", "--classes 0"),
        (7, "{voc_dir: x}", "not JSON"),
        (7, '["x"]', "not a JSON object"),
    ],
)
def test_what_is_refused(checkout, capsys, position, value, message):
    with pytest.raises(SystemExit):
        main([*ADAPT[:position], value, *ADAPT[position + 1 :]])
    assert message in capsys.readouterr().err
    assert not list(checkout.iterdir())


@pytest.mark.parametrize("missing", [2, 4, 6])
def test_an_option_that_is_missing_is_named(checkout, capsys, missing):
    with pytest.raises(SystemExit):
        main(ADAPT[:missing] + ADAPT[missing + 2 :])
    assert f"{ADAPT[missing]} is missing" in capsys.readouterr().err
