"""Settings that no kernel could count with are refused when the net is built, by the names of layer and field."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError

ROOT = Path(__file__).resolve().parents[1]
MOST = 2**31 - 1
TYPES = sorted(caffe.layer_type_list())


def build(tmp_path, layer):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }'
        f'layer {{ name: "it" bottom: "x" top: "y" {layer} }}'
    )
    return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            f'type: "Convolution" convolution_param {{ num_output: 1 kernel_size: 3 dilation: {MOST} pad: {MOST} }}',
            r"Convolution\): a bottom's image with a pad of .* Lower `pad`",
        ),
        (
            'type: "Deconvolution" convolution_param { num_output: 1 kernel_size: 3 stride: 2000000000 }',
            r"Deconvolution\): .* Lower `stride`",
        ),
        (
            'type: "Convolution" convolution_param { num_output: 1 kernel_size: 3 dilation: 1000000 stride: 3000000 }',
            r"Convolution\): what a kernel of \(3, 3\) spans, dilated by .* Lower `dilation`",
        ),
        (
            f'type: "Convolution" convolution_param {{ num_output: {MOST} kernel_size: 3 }}',
            r"Convolution\): the weights would be 2147483647×3×3×3, .* Lower num_output or kernel_size",
        ),
        (
            'type: "Convolution" convolution_param { num_output: 1 kernel_size: 4294967295 }',
            r"Convolution\): convolution_param.kernel_size is 4,294,967,295, expected at most 2,147,483,647",
        ),
        (
            f'type: "Deconvolution" convolution_param {{ num_output: 1 kernel_size: 3 stride: {MOST} }}',
            r"Deconvolution\): a bottom's image with a pad",
        ),
        (
            f'type: "Pooling" pooling_param {{ kernel_size: {MOST} pad: {MOST - 1} stride: {MOST} }}',
            r"Pooling\): a bottom's image with a pad",
        ),
        (f'type: "LRN" lrn_param {{ local_size: {MOST} }}', r"LRN\): an image with a border for a local_size"),
        (f'type: "Tile" tile_param {{ tiles: {MOST} }}', r"Tile\): top 0 would be 1×6442450941×8×8"),
        ('type: "InnerProduct"', r"InnerProduct\): num_output is 0, expected at least 1"),
        (f'type: "InnerProduct" inner_product_param {{ num_output: {MOST} }}', r"InnerProduct\): parameter 0 would be"),
        ('type: "Dropout" dropout_param { dropout_ratio: 2 }', r"Dropout\): dropout_ratio is 2, expected"),
        ('type: "Dropout" dropout_param { dropout_ratio: nan }', r"Dropout\): dropout_param.dropout_ratio is nan"),
        (
            'type: "InnerProduct" inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: nan } }',
            r"InnerProduct\): inner_product_param.weight_filler.std is nan",
        ),
        (
            'type: "InnerProduct" inner_product_param { num_output: 2 bias_filler { value: inf } }',
            r"InnerProduct\): inner_product_param.bias_filler.value is inf",
        ),
        ('type: "ReLU" param { lr_mult: nan }', r"ReLU\): param.lr_mult is nan"),
        ('type: "ReLU" blobs { shape { dim: 3 } data: 1 }', r"ReLU\): a blob of shape 3 has 1 values of data"),
        ('type: "Python" python_param { module: ".." layer: "X" }', r"Python\): python_param's module is '..'"),
        ('type: "Python" python_param { module: "/etc/x" layer: "X" }', r"Python\): python_param's module is '/etc/x'"),
        (
            f'type: "Python" python_param {{ module: "{"x" * 5000}" layer: "X" }}',
            r"Python\): python_param's module is 'x+… \(5,000 characters\)'",
        ),
        ('type: "Reshape" reshape_param { shape { dim: -3 dim: -64 } }', r"Reshape\): Blob.reshape: shape -3×-64"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(tmp_path, layer, words):
    with pytest.raises(CaffeError, match=r"layer 'it' \(" + words):
        build(tmp_path, layer)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (f'type: "Input" input_param {{ shape {{ dim: {MOST} dim: 2 }} }}', r"Input\): Blob.reshape: shape"),
        (
            f'type: "DummyData" dummy_data_param {{ shape {{ dim: {MOST} dim: 2 }} }}',
            r"DummyData\): Blob.reshape: shape",
        ),
        (
            f'type: "MemoryData" top: "l" memory_data_param {{ batch_size: {MOST} channels: 2 height: 1 width: 1 }}',
            r"MemoryData\): Blob.reshape: shape",
        ),
        (
            f'type: "ImageData" top: "l" image_data_param {{ source: "l" new_height: {MOST} new_width: {MOST} }}',
            r"ImageData\): a batch of images would be .* Lower batch_size, new_height or new_width",
        ),
        (
            'type: "WindowData" top: "l" transform_param { crop_size: 99999 } window_data_param { batch_size: 1 }',
            r"WindowData\): a batch of windows would be .* Lower batch_size or crop_size",
        ),
        *(
            (
                'type: "WindowData" top: "l" transform_param { crop_size: 4 } '
                f"window_data_param {{ batch_size: 1 fg_fraction: {fraction} }}",
                r"WindowData\): window_data_param.fg_fraction is .*, expected a share",
            )
            for fraction in ("inf", "-0.1", "1.5")
        ),
    ],
)
def test_a_size_that_cannot_be_is_refused_by_name(tmp_path, layer, words):
    (tmp_path / "net.prototxt").write_text(f'layer {{ name: "it" top: "y" {layer} }}')
    with pytest.raises(CaffeError, match=r"layer 'it' \(" + words):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)


def test_a_neighbourhood_wider_than_the_channels_is_their_sum(tmp_path):
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    net = build(tmp_path, 'type: "LRN" lrn_param { local_size: 10001 alpha: 5 beta: 1 }')
    net.blobs["x"].data[...] = x
    expected = x / (1 + 5 / 10001 * (x * x).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(net.forward()["y"], expected, rtol=1e-5)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What came of each whole number of each setting, made extreme in a process of its own."""
    folder = str(tmp_path_factory.mktemp("extreme"))
    environment = {**os.environ, "GLOG_minloglevel": "3", "OMP_NUM_THREADS": "1", "TMPDIR": folder}
    command = [sys.executable, "-m", "tests.extreme_settings", *TYPES]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow(reason="a thousand nets, some of which take seconds to be refused")
@pytest.mark.parametrize("layer_type", TYPES)
def test_no_whole_number_of_a_setting_ends_the_process_or_in_words_that_are_not_ours(outcomes, layer_type):
    of_type = [line for line in outcomes if line["type"] == layer_type]
    begun = [line for line in of_type if "setting" in line and "outcome" not in line]
    ended = [line for line in of_type if "outcome" in line]
    assert [line["status"] for line in of_type if "status" in line] == [0], f"it ended in {begun[-1:]}"
    assert len(begun) == len(ended)
    refused = [line for line in ended if line["outcome"] != "ran"]
    assert [line for line in refused if f"' ({layer_type})" not in line["outcome"]] == []
