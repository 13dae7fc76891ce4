"""`caffe check` says of a net, without its data, whether it can run."""

import sys

import numpy as np
import pytest

import caffe
from caffe import cli

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }\n'
CONV = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
                  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }\n"""


@pytest.fixture
def check(tmp_path, capsys):
    def checked(text, *arguments):
        (tmp_path / "net.prototxt").write_text(text, encoding="utf-8")
        status = cli.main(["check", str(tmp_path / "net.prototxt"), *map(str, arguments)])
        return status, capsys.readouterr().out

    return checked


def test_a_net_that_can_run_is_said_so_with_its_size(check):
    status, told = check(INPUT + CONV)
    assert status == 0
    assert "TEST: 2 layers, 56 parameters" in told
    assert told.endswith("can run\n")


def test_forks_and_words_of_several_meanings_are_told(check):
    net = INPUT + CONV + 'layer { name: "n" type: "Normalize" bottom: "conv" top: "n" norm_param { eps: 1 } }\n'
    status, told = check(
        net + 'layer { type: "Pooling" bottom: "n" top: "p" pooling_param { kernel_size: 2 ceil_mode: false } }'
    )
    assert status == 0
    assert "Made for SSD: Normalize" in told
    assert "Fields that only forks have: norm_param, pooling_param.ceil_mode" in told
    assert "Several meanings: Normalize: NormFace's by normalize_param; else SSD's" in told


def test_everything_that_keeps_a_net_from_running_is_told_at_once(check):
    status, told = check(
        INPUT + 'layer { name: "a" type: "Quux" bottom: "data" top: "a" quux_param { x: 1 } }\nwibble: 2'
    )
    assert status == 1
    assert "LayerParameter has no field 'quux_param'" in told
    assert "NetParameter has no field 'wibble'" in told
    assert "layer 'a': Unknown layer type: Quux" in told
    assert told.endswith("cannot run\n")


def test_unknown_fields_may_be_allowed(check):
    net = INPUT + CONV.replace("bottom:", "odd_param { x: 1 } bottom:")
    assert check(net)[0] == 1
    assert check(net, "--allow-unknown")[0] == 0


def test_shapes_that_do_not_fit_are_told(check):
    status, told = check(INPUT + CONV.replace("kernel_size: 3", "kernel_size: 30"))
    assert status == 1
    assert "Cannot run: TEST: layer 'conv' (Convolution)" in told


def test_a_net_that_reads_data_needs_none(check):
    net = 'layer { name: "data" type: "Data" top: "data" data_param { source: "nowhere" batch_size: 1 } }\n' + CONV
    status, told = check(net)
    assert status == 0
    assert "TRAIN: 'data' (Data) would read data; shapes are not checked" in told


def test_a_python_layer_whose_module_is_missing_is_told(check):
    status, told = check(
        INPUT
        + 'layer { name: "p" type: "Python" bottom: "data" top: "p" python_param { module: "no.such" layer: "L" } }'
    )
    assert status == 1
    assert "Python layer 'p': no.such.L, its module is not on sys.path" in told


@pytest.mark.parametrize("folder", [".", "layers"])
def test_a_python_layers_module_is_looked_for_where_the_other_commands_find_it(check, tmp_path, monkeypatch, folder):
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setattr("caffe.layer_types.helpers.python_modules._near", [])
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / f"beside_{folder.strip('.')}.py").write_text("import caffe\nclass L(caffe.Layer): pass\n")
    layer = f'python_param {{ module: "beside_{folder.strip(".")}" layer: "L" }}'
    status, told = check(f'{INPUT}layer {{ name: "p" type: "Python" bottom: "data" top: "p" {layer} }}')
    assert status == 0
    assert "its module is there" in told


def weights_of(tmp_path, text):
    (tmp_path / "other.prototxt").write_text(text, encoding="utf-8")
    net = caffe.Net(str(tmp_path / "other.prototxt"), caffe.TEST)
    net.save(str(tmp_path / "w.caffemodel"))
    return tmp_path / "w.caffemodel"


def test_weights_that_load_are_counted(check, tmp_path):
    second = CONV.replace('"conv"', '"other"')
    status, told = check(INPUT + CONV + second, weights_of(tmp_path, INPUT + CONV + CONV.replace('"conv"', '"third"')))
    assert status == 0
    assert "weights for 1 of 2 layers" in told
    assert "Without weights, left as their fillers make them: other" in told
    assert "Weights of layers that the net does not have: third" in told


def test_weights_that_do_not_fit_are_told(check, tmp_path):
    status, told = check(INPUT + CONV.replace("num_output: 2", "num_output: 3"), weights_of(tmp_path, INPUT + CONV))
    assert status == 1
    assert "Cannot copy param 0 weights from layer 'conv'; shape mismatch" in told


def test_checking_writes_no_weights(check, tmp_path):
    path = weights_of(tmp_path, INPUT + CONV)
    before = np.fromfile(path, np.uint8)
    check(INPUT + CONV, path)
    assert np.array_equal(np.fromfile(path, np.uint8), before)


def test_a_file_that_is_no_net_is_told(check):
    status, told = check("layer {")
    assert status == 1
    assert told.count("Cannot run: Failed to parse NetParameter file") == 1
