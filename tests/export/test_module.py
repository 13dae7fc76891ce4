"""caffe.to_module: a net in PyTorch, with its parameters by name, its gradients, and the way back."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import caffe
from caffe import cli
from caffe.errors import FormatError, NetError, UsageError, WeightsError
from caffe.formats import caffemodel
from tests.cases.case import input_layer, layer
from tests.export.nets import ROOT, filled

SMALL = "\n".join(
    [
        input_layer("data", (2, 3, 9, 8)),
        layer("conv.1", "Convolution", ["data"], ["conv"], "convolution_param { num_output: 4 kernel_size: 3 }"),
        layer("norm", "BatchNorm", ["conv"], ["conv"]),
        layer("scale", "Scale", ["conv"], ["conv"], "scale_param { bias_term: true }"),
        layer("relu", "ReLU", ["conv"], ["conv"]),
        layer("pool", "Pooling", ["conv"], ["pool"], "pooling_param { kernel_size: 2 stride: 2 }"),
        layer("drop", "Dropout", ["pool"], ["pool"]),
        layer("fc", "InnerProduct", ["pool"], ["fc"], "inner_product_param { num_output: 5 }"),
    ]
)


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.prototxt").write_text(SMALL)
    return filled(tmp_path / "net.prototxt")


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scores(net, x):
    net.blobs["data"].reshape(*x.shape)
    net.blobs["data"].data[...] = x
    return net.forward()[net.outputs[0]].copy()


def test_a_module_computes_what_the_net_computes_and_has_its_parameters_by_name(net):
    module = caffe.to_module(net)
    x = images(2, 3, 9, 8)
    assert np.allclose(module(torch.from_numpy(x)).detach(), scores(net, x), rtol=1e-5, atol=1e-5)
    assert set(dict(module.named_parameters())) == {
        *("conv_1.weight", "conv_1.bias", "scale.weight", "scale.bias", "fc.weight", "fc.bias"),
    }
    assert set(dict(module.named_buffers())) == {"norm.mean", "norm.variance", "norm.count"}
    assert module.state_dict()["fc.weight"].shape == (5, 4 * 4 * 3)


def test_sizes_may_change_and_the_net_keeps_its_own():
    net = filled(ROOT / "nets/demo-fcn8s/deploy.prototxt")
    module = caffe.to_module(net)
    for shape in ((1, 3, 40, 61), (2, 3, 72, 33)):
        x = images(*shape)
        assert np.allclose(module(torch.from_numpy(x)).detach(), scores(net, x), rtol=1e-4, atol=1e-5)


def test_gradients_are_caffes(tmp_path):
    (tmp_path / "net.prototxt").write_text("force_backward: true\n" + SMALL)
    net = filled(tmp_path / "net.prototxt")
    module, x = caffe.to_module(net), images(2, 3, 9, 8)
    seed = images(2, 5, seed=1)
    given = torch.from_numpy(x).requires_grad_()
    module(given).backward(torch.from_numpy(seed))
    scores(net, x)
    net.blobs["fc"].diff[...] = seed
    net.backward()
    assert np.allclose(given.grad, net.blobs["data"].diff, rtol=1e-4, atol=1e-5)
    assert np.allclose(module.get_parameter("fc.weight").grad, net.params["fc"][0].diff, rtol=1e-4, atol=1e-5)
    assert np.allclose(module.get_parameter("conv_1.bias").grad, net.params["conv.1"][1].diff, rtol=1e-4, atol=1e-4)


def test_it_trains_in_pytorch_and_what_it_learned_goes_back(net):
    module, x = caffe.to_module(net).train(), torch.from_numpy(images(8, 3, 9, 8))
    labels = torch.arange(8) % 5
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    torch.manual_seed(0)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    module.eval()
    assert not np.allclose(module(x).detach(), scores(net, x.numpy()), atol=1e-2)
    module.copy_to(net)
    assert np.allclose(module(x).detach(), scores(net, x.numpy()), rtol=1e-4, atol=1e-4)


def test_dropout_acts_while_a_module_trains_alone(net):
    module, x = caffe.to_module(net), torch.from_numpy(images(2, 3, 9, 8))
    assert torch.equal(module(x), module(x))
    module.train()
    assert not torch.equal(module(x), module(x))


def test_state_dicts_and_safetensors_go_both_ways(net, tmp_path):
    module = caffe.to_module(net)
    file = str(tmp_path / "weights.safetensors")
    save_file(module.state_dict(), file)
    other = filled(tmp_path / "net.prototxt", seed=5)
    x = images(2, 3, 9, 8)
    assert not np.allclose(scores(other, x), scores(net, x))
    other.copy_from(file)
    for name, blobs in net.params.items():
        assert all(
            np.array_equal(blob.data, copied.data) for blob, copied in zip(blobs, other.params[name], strict=True)
        )
    assert np.allclose(scores(other, x), scores(net, x), rtol=1e-5, atol=1e-6)  # a later pass may round differently
    third = caffe.to_module(filled(tmp_path / "net.prototxt", seed=6))
    third.load_state_dict(load_file(file))
    assert torch.equal(third(torch.from_numpy(x)), module(torch.from_numpy(x)))


def test_the_command_writes_safetensors_and_a_program_of_torch(net, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    net.save("net.caffemodel")
    assert cli.main(["export", "net.prototxt", "net.caffemodel", "w.safetensors"]) == 0
    assert "w.safetensors: 9 tensors" in capsys.readouterr().out
    assert torch.equal(load_file("w.safetensors")["fc.bias"], caffe.to_module(net).state_dict()["fc.bias"])
    assert cli.main(["export", "net.prototxt", "w.safetensors", "net.pt2"]) == 0
    assert "largest difference" in capsys.readouterr().out
    x = images(2, 3, 9, 8)
    program = torch.export.load("net.pt2").module()
    assert np.allclose(program(torch.from_numpy(x)).detach(), scores(net, x), rtol=1e-4, atol=1e-5)


def test_a_program_of_an_fcn_computes_what_the_engine_computes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = str(ROOT / "nets/demo-fcn8s/deploy.prototxt")
    filled(file).save("net.caffemodel")
    assert cli.main(["export", file, "net.caffemodel", "net.pt2", "--input-size", "60x77"]) == 0
    x = images(1, 3, 60, 77)
    net = caffe.Net(file, caffe.TEST, weights="net.caffemodel")
    found = torch.export.load("net.pt2").module()(torch.from_numpy(x))
    assert np.allclose(found.detach(), scores(net, x), rtol=1e-4, atol=1e-4)


def test_shared_parameters_are_one(tmp_path):
    body = 'inner_product_param { num_output: 4 } param { name: "w" } param { name: "b" }'
    text = [input_layer("data", (2, 4))]
    text += [layer(f"fc{i}", "InnerProduct", [f"{'data' if i == 0 else 'y0'}"], [f"y{i}"], body) for i in (0, 1)]
    (tmp_path / "net.prototxt").write_text("\n".join(text))
    net = filled(tmp_path / "net.prototxt")
    module = caffe.to_module(net)
    assert set(module.state_dict()) == {"fc0.weight", "fc0.bias"}
    x = images(2, 4)
    assert np.allclose(module(torch.from_numpy(x)).detach(), scores(net, x), rtol=1e-5, atol=1e-5)


def test_a_net_with_a_layer_that_is_no_function_is_refused_by_name(tmp_path):
    (tmp_path / "ours.py").write_text("import caffe\nclass L(caffe.Layer):\n  def setup(s, b, t): pass\n")
    text = SMALL + '\nlayer { name: "l" type: "DummyData" top: "l" dummy_data_param { shape { dim: 2 } } }'
    (tmp_path / "net.prototxt").write_text(text)
    with pytest.raises(NetError, match=r"layer 'l' \(DummyData\) is no function of tensors"):
        caffe.to_module(caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST))


def test_wrong_inputs_and_weights_are_refused(net, tmp_path):
    module = caffe.to_module(net)
    with pytest.raises(UsageError, match=r"0 inputs and \['picture'\] were given, the net takes \['data'\]"):
        module(picture=torch.zeros(1))
    file = str(tmp_path / "w.safetensors")
    save_file({"fc.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(WeightsError, match="shape mismatch"):
        net.copy_from(file)
    save_file({"fc.strange": torch.zeros(2, 2)}, file)
    with pytest.raises(FormatError, match="an array is called 'fc.strange', expected LAYER.weight"):
        net.copy_from(file)


@pytest.mark.parametrize("cut", [4, 9, 60, -1])
def test_a_damaged_safetensors_file_is_refused(net, tmp_path, cut):
    file = tmp_path / "w.safetensors"
    save_file(caffe.to_module(net).state_dict(), str(file))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(FormatError):
        net.copy_from(str(file))


def test_a_caffemodel_is_never_taken_for_safetensors(net, tmp_path):
    net.save(str(tmp_path / "x.caffemodel"))
    assert [each.name for each in caffemodel.read(tmp_path / "x.caffemodel") if each.blobs] == list(net.params)
    other = filled(tmp_path / "net.prototxt", seed=3)
    other.copy_from(str(tmp_path / "x.caffemodel"))
    assert np.array_equal(other.params["fc"][0].data, net.params["fc"][0].data)
