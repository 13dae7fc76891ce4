"""Net, as pycaffe's users call it."""

import numpy as np
import pytest

import caffe
from caffe.errors import FormatError, NetError, UsageError, WeightsError

TEXT = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } include { stage: "scored" } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
        inner_product_param { num_output: 4 weight_filler { type: "gaussian" } } }
layer { name: "relu" type: "ReLU" bottom: "fc" top: "fc" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" include { stage: "scored" } }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def net(file):
    return caffe.Net(file, caffe.TEST)


@pytest.fixture
def scored(file):
    return caffe.Net(file, caffe.TRAIN, stages=["scored"])


def test_names_and_shapes(net):
    assert net.inputs == ["data"]
    assert net.outputs == ["fc"]
    assert list(net.params) == ["fc"]
    assert [blob.shape for blob in net.params["fc"]] == [(4, 3), (4,)]
    assert list(net.layer_dict) == ["data", "fc", "relu"]
    assert net.top_names["relu"] == ["fc"]
    assert net.bottom_names["fc"] == ["data"]


def test_stages_choose_layers(scored):
    assert scored.inputs == ["data", "label"]
    assert scored.outputs == ["loss"]
    assert scored.blob_loss_weights["loss"] == 1


def test_forward_computes(net):
    data = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    weights, bias = (blob.data for blob in net.params["fc"])
    found = net.forward(data=data)["fc"]
    np.testing.assert_allclose(found, np.maximum(data @ weights.T + bias, 0), rtol=1e-5, atol=1e-6)


def test_forward_returns_views(net):
    found = net.forward(data=np.ones((2, 3)))["fc"]
    net.params["fc"][0].data[...] = 0
    net.params["fc"][1].data[...] = 2
    net.forward()
    assert (found == 2).all()


def test_start_and_end_are_layer_names(net):
    net.blobs["fc"].data[...] = -1
    assert not net.forward(start="relu", end="relu")["fc"].any()
    with pytest.raises(UsageError, match="no layer 'conv'. Its layers are: data, fc, relu"):
        net.forward(start="conv")


def test_blobs_that_are_asked_for_must_be_there(net):
    for run in (lambda: net.forward(blobs=["fx"]), lambda: net.backward(diffs=["fx"])):
        with pytest.raises(UsageError, match="no blob 'fx'. Its blobs are: data, fc"):
            run()


def test_inputs_must_be_all_and_of_the_batch_size(net):
    with pytest.raises(UsageError, match="Input blob arguments do not match net inputs"):
        net.forward(image=np.ones((2, 3)))
    with pytest.raises(UsageError, match="Input is not batch sized"):
        net.forward(data=np.ones((5, 3)))
    with pytest.raises(UsageError, match="Reshape one of them"):
        net.forward(data=np.ones((2, 4)))


def test_backward_of_one_layer_without_a_forward(scored):
    scored.blobs["data"].data[...] = 1
    scored.blobs["fc"].diff[...] = 1
    scored.backward(start="fc", end="fc")
    assert (scored.params["fc"][0].diff == 2).all()
    assert (scored.params["fc"][1].diff == 2).all()


def test_parameter_diffs_add_up_until_cleared(scored):
    for _ in range(2):
        scored.forward(data=np.ones((2, 3)), label=np.array([0, 1]))
        scored.backward()
    twice = scored.params["fc"][0].diff.copy()
    scored.clear_param_diffs()
    scored.forward()
    scored.backward()
    np.testing.assert_allclose(twice, 2 * scored.params["fc"][0].diff, rtol=1e-5)


def test_reshape_goes_through_the_net(net):
    net.blobs["data"].reshape(5, 3)
    net.reshape()
    assert net.blobs["fc"].shape == (5, 4)


def test_forward_all_joins_batches(net):
    data = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    together = net.forward_all(data=data)["fc"]
    assert together.shape == (5, 4)
    np.testing.assert_allclose(together[4:], net.forward(data=np.stack([data[4], data[4]]))["fc"][:1], rtol=1e-6)


def test_hooks_run_around_every_layer(net):
    seen = []
    net.before_forward(lambda index: seen.append(("before", index)))
    net.after_forward(lambda index: seen.append(("after", index)))
    net.forward()
    assert seen == [(when, index) for index in range(3) for when in ("before", "after")]


@pytest.mark.parametrize("save", ["save", "save_hdf5"])
def test_weights_come_back(net, file, tmp_path, save):
    path = str(tmp_path / "weights")
    getattr(net, save)(path)
    other = caffe.Net(file, caffe.TEST, weights=path)
    assert (other.params["fc"][0].data == net.params["fc"][0].data).all()


def test_the_old_order_of_arguments(net, file, tmp_path, capsys):
    net.save(str(tmp_path / "w.caffemodel"))
    other = caffe.Net(file, str(tmp_path / "w.caffemodel"), caffe.TEST)
    assert (other.params["fc"][0].data == net.params["fc"][0].data).all()
    assert "DEPRECATION WARNING" in capsys.readouterr().err


def test_shared_weights_are_one_memory(net, file):
    other = caffe.Net(file, caffe.TEST)
    other.share_with(net)
    net.params["fc"][0].data[0, 0] = 42
    assert other.params["fc"][0].data[0, 0] == 42


def test_weights_that_do_not_fit_are_named_all_at_once_and_nothing_is_copied(net, tmp_path):
    text = TEXT.replace("num_output: 4", "num_output: 5")
    (tmp_path / "other.prototxt").write_text(text)
    other = caffe.Net(str(tmp_path / "other.prototxt"), caffe.TEST)
    net.save(str(tmp_path / "w.caffemodel"))
    before = other.params["fc"][0].data.copy()
    with pytest.raises(WeightsError, match="shape mismatch") as error:
        other.copy_from(str(tmp_path / "w.caffemodel"))
    assert "Cannot copy param 0" in str(error.value)
    assert "Cannot copy param 1" in str(error.value)
    assert "rename the layer" in str(error.value)
    assert (other.params["fc"][0].data == before).all()


def test_a_phase_is_needed(file):
    with pytest.raises(UsageError, match="no phase given"):
        caffe.Net(file)


def test_a_missing_file_is_named():
    with pytest.raises(FormatError, match="Could not open file nothing.prototxt"):
        caffe.Net("nothing.prototxt", caffe.TEST)


def test_set_input_arrays_needs_memory_data(net):
    with pytest.raises(NetError, match="only be called if the first layer is a MemoryDataLayer"):
        net.set_input_arrays(np.zeros((1, 1, 1, 1)), np.zeros(1))


def test_a_loss_map_that_grows_keeps_its_weight(tmp_path):
    (tmp_path / "map.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }'
        'layer { name: "y" type: "Power" bottom: "x" top: "y" loss_weight: 3 power_param { scale: 2 } }'
    )
    net = caffe.Net(str(tmp_path / "map.prototxt"), caffe.TRAIN)
    net.blobs["x"].reshape(1, 5)
    net.blobs["x"].data[...] = 1
    assert net._forward(0, 1) == 30
