import csv

import lmdb
import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.formats import caffemodel, prototxt
from caffe.proto import caffe_pb2

V1_NET = """
name: "old"
layers { name: "data" type: DUMMY_DATA top: "data" dummy_data_param { num: 2 channels: 3 height: 4 width: 5 } }
layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" blobs_lr: 1 blobs_lr: 2
  inner_product_param { num_output: 2 } }
"""
DEPLOY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
layer { name: "prob" type: "Softmax" bottom: "flat" top: "prob" }
"""


def test_upgrade_net_proto_text(run, folder):
    (folder / "old.prototxt").write_text(V1_NET)
    status, _, err = run("upgrade_net_proto_text old.prototxt new.prototxt")
    assert status == 0
    assert "Wrote upgraded NetParameter text proto to new.prototxt" in err
    net = prototxt.parse((folder / "new.prototxt").read_text(), caffe_pb2.NetParameter())
    assert [layer.type for layer in net.layer] == ["DummyData", "InnerProduct"]
    assert [param.lr_mult for param in net.layer[1].param] == [1, 2]
    status, _, err = run("upgrade_net_proto_text new.prototxt again.prototxt")
    assert status == 0
    assert "File already in latest proto format: new.prototxt" in err
    assert (folder / "again.prototxt").read_text() == (folder / "new.prototxt").read_text()


def test_upgrade_net_proto_text_that_loses_something(run, folder):
    (folder / "old.prototxt").write_text(
        'input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1 layers { bottom: "x" top: "c" '
        'layer { name: "c" type: "conv" det_fg_fraction: 0.5 num_output: 1 kernelsize: 1 } }'
    )
    assert run("upgrade_net_proto_text old.prototxt new.prototxt")[0] == 1
    assert (folder / "new.prototxt").exists()


def test_upgrade_net_proto_binary(run, folder):
    net = prototxt.parse(V1_NET, caffe_pb2.NetParameter())
    net.layers[1].blobs.add(data=[1, 2, 3], num=1, channels=1, height=1, width=3)
    (folder / "old.caffemodel").write_bytes(net.SerializeToString())
    status, _, err = run("upgrade_net_proto_binary old.caffemodel new.caffemodel")
    assert status == 0
    assert "Wrote upgraded NetParameter binary proto to new.caffemodel" in err
    new = caffemodel.read_message("new.caffemodel")
    assert not new.layers
    assert list(new.layer[1].blobs[0].data) == [1, 2, 3]
    assert "File already in latest proto format" in run("upgrade_net_proto_binary new.caffemodel again.caffemodel")[2]


def test_upgrade_solver_proto_text(run, folder):
    (folder / "old.prototxt").write_text('net: "x" solver_type: ADAM')
    status, _, err = run("upgrade_solver_proto_text old.prototxt new.prototxt")
    assert status == 0
    assert 'type: "Adam"' in (folder / "new.prototxt").read_text()
    assert "solver_type" not in (folder / "new.prototxt").read_text()
    assert "File already in latest proto format" in run("upgrade_solver_proto_text new.prototxt again.prototxt")[2]


@pytest.mark.parametrize("command", ["upgrade_net_proto_text", "upgrade_net_proto_binary", "upgrade_solver_proto_text"])
def test_upgrading_something_else(command, run, folder):
    (folder / "noise").write_bytes(bytes(range(200, 250)) * 9)
    status, _, err = run(f"{command} noise out")
    assert status == 1
    assert "noise" in err.splitlines()[-1]
    assert not (folder / "out").exists()


def test_extract_features(run, folder):
    assert run("train -solver solver.prototxt")[0] == 0
    blobs, weights = "data,ip,accuracy", "snap_iter_10.caffemodel"
    status, _, err = run(f"extract_features {weights} net.prototxt {blobs} a,b,c 3 lmdb CPU")
    assert status == 1
    assert "Unknown feature blob name accuracy in the network net.prototxt" in err
    status, _, err = run(f"extract_features {weights} net.prototxt data,ip a,b 3 lmdb")
    assert status == 0, err
    with lmdb.open(str(folder / "b"), readonly=True) as environment, environment.begin() as transaction:
        entries = [(key, caffe_pb2.Datum.FromString(value)) for key, value in transaction.cursor()]
    assert [key for key, _ in entries] == [b"%010d" % index for index in range(6)]
    net = caffe.Net("net.prototxt", caffe.TEST, weights=weights)
    net.forward()
    datum = entries[3][1]
    assert (datum.channels, datum.height, datum.width) == (4, 1, 1)
    np.testing.assert_array_equal(np.float32(datum.float_data), net.blobs["ip"].data[1])


def test_extract_features_needs_a_dataset_for_each_blob(run):
    status, _, err = run("extract_features w net.prototxt data,ip a 3 lmdb")
    assert status == 1
    assert "the number of blob names and dataset names must be equal" in err


def test_draw_net(run, folder):
    status, _, err = run("draw_net net.prototxt net.dot --phase TEST --rankdir TB")
    assert status == 0
    assert "Drawing net to net.dot" in err
    assert "Accuracy" in (folder / "net.dot").read_text()


@pytest.fixture
def classifier(folder):
    """A net whose class is the brightest channel (B, G, R), and images that are red, green and blue."""
    (folder / "deploy.prototxt").write_text(DEPLOY)
    caffe.Net("deploy.prototxt", caffe.TEST).save("w.caffemodel")
    (folder / "images").mkdir()
    for index, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        Image.new("RGB", (20, 16), color).save(folder / f"images/{index}.png")
    return "--model_def deploy.prototxt --pretrained_model w.caffemodel"


@pytest.mark.parametrize("more", ["", "--center_only", "--images_dim 12,14 --raw_scale 1"])
def test_classify_a_folder(more, classifier, run):
    status, _, err = run(f"classify images out.npy {classifier} --ext png {more}")
    assert status == 0, err
    assert "Classifying 3 inputs." in err
    assert np.load("out.npy").argmax(1).tolist() == [2, 1, 0]


def test_classify_an_image_and_an_array(classifier, run):
    assert run(f"classify images/1.png out.npy {classifier}")[0] == 0
    assert np.load("out.npy").argmax(1).tolist() == [1]
    np.save("in.npy", np.stack([caffe.io.load_image("images/2.png")] * 2))
    np.save("mean.npy", np.full((3, 8, 8), 200))
    assert run(f"classify in.npy out.npy {classifier} --mean_file mean.npy --channel_swap 0,1,2")[0] == 0
    assert np.load("out.npy").argmax(1).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("classify images out.npy", "holds no images that end in .jpg"),
        ("classify images out.npy --images_dim 12", ""),
        ("classify images/0.png out.npy --images_dim a,b", "--images_dim a,b: whole numbers"),
        ("classify images/0.png out.npy --mean_file w.caffemodel", "cannot be read as a .npy array"),
        ("detect nowhere.csv out.csv --context_pad 1", "'nowhere.csv' cannot be read"),
        ("detect deploy.prototxt out.csv --context_pad 1", "no column filename, xmax, xmin, ymax, ymin"),
    ],
)
def test_wrong_input(line, words, classifier, run):
    status, _, err = run(f"{line} {classifier}")
    assert status == 1
    assert words in err.splitlines()[-1]


def test_detect(classifier, run, folder):
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (20, 0, 40, 20))
    image.save(folder / "two.png")
    (folder / "windows.csv").write_text(
        "filename,xmin,ymin,xmax,ymax\ntwo.png,1,1,18,18\ntwo.png,22,1,38,18\nimages/1.png,2,2,10,10\n"
    )
    assert run(f"detect windows.csv out.csv {classifier} --context_pad 0")[0] == 0
    with open("out.csv", newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == ["filename", "ymin", "xmin", "ymax", "xmax", "class0", "class1", "class2"]
    assert [row[0] for row in found[1:]] == ["two.png", "two.png", "images/1.png"]
    assert [float(value) for value in found[2][1:5]] == [1, 22, 18, 38]
    assert [int(np.argmax([float(value) for value in row[5:]])) for row in found[1:]] == [2, 0, 1]
    assert run(f"detect windows.csv out.h5 {classifier} --context_pad 0")[0] == 0
    import h5py

    with h5py.File("out.h5") as file:
        assert file["prediction"][...].argmax(1).tolist() == [2, 0, 1]


def test_detect_with_a_bad_number(classifier, run, folder):
    (folder / "windows.csv").write_text("filename,xmin,ymin,xmax,ymax\nimages/1.png,1,1,wide,18\n")
    status, _, err = run(f"detect windows.csv out.csv {classifier} --context_pad 1")
    assert status == 1
    assert "'windows.csv', line 2: four numbers were expected" in err
