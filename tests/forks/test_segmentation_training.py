"""What training of segmentation needs: pairs of pictures, weights of classes, accuracy, MATLAB's files."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

import caffe
from caffe.errors import CaffeError
from tests.forks.forms import distinct, layer, net_of

BGR = [4, 5, 6]


@pytest.fixture
def pairs(tmp_path):
    """Three images of 6 × 8 with label pictures that have a palette, and the list of them."""
    rng = np.random.default_rng(0)
    images, labels, lines = [], [], []
    for index in range(3):
        images.append(rng.integers(0, 255, (6, 8, 3), np.uint8))
        labels.append(rng.integers(0, 4, (6, 8)).astype(np.uint8))
        Image.fromarray(images[-1]).save(tmp_path / f"{index}.png")
        picture = Image.fromarray(labels[-1], "P") if index else Image.fromarray(labels[-1])
        if index:
            picture.putpalette(rng.integers(0, 255, 768).tolist())
        picture.save(tmp_path / f"{index}_label.png")
        lines.append(f"{index}.png {index}_label.png\n")
    (tmp_path / "list.txt").write_text("".join(lines), encoding="utf-8")
    return tmp_path, [image[..., ::-1].transpose(2, 0, 1).astype(np.float32) for image in images], labels


def reading(tmp_path, type_, settings, extra="", tops=3, phase=caffe.TEST):
    where = f"source: '{tmp_path}/list.txt' root_folder: '{tmp_path}/'"
    text = f"{{ {where} {settings} }} {extra}"
    message = "dense_image_data_param" if type_ == "DenseImageData" else "image_data_param"
    return net_of(layer(type_, f"{message} {text}"), [], tops, phase)


def tops_of(net):
    net.forward()
    return [blob.data.copy() for name, blob in net.blobs.items()]


def test_image_seg_data_gives_images_less_their_mean_and_label_pictures_as_they_are(pairs):
    tmp_path, images, labels = pairs
    net = reading(tmp_path, "ImageSegData", "batch_size: 2 label_type: PIXEL",
                  "transform_param { mean_value: [4, 5, 6] scale: 0.5 }")  # fmt: skip
    data, label, dims = tops_of(net)
    mean = np.reshape(BGR, (3, 1, 1))
    assert np.allclose(data, [(image - mean) / 2 for image in images[:2]])
    assert np.array_equal(label[:, 0], labels[:2])
    assert dims.tolist() == [[[[6, 8]]], [[[6, 8]]]]
    assert np.array_equal(tops_of(net)[1][0, 0], labels[2])
    assert np.array_equal(tops_of(net)[1][0, 0], labels[1])


def test_image_seg_data_pads_by_the_mean_and_by_ignore_label_and_crops_the_middle(pairs):
    tmp_path, images, labels = pairs
    net = reading(tmp_path, "ImageSegData", "batch_size: 1 label_type: PIXEL ignore_label: 99",
                  "transform_param { mean_value: [4, 5, 6] crop_height: 7 crop_width: 4 }")  # fmt: skip
    data, label, dims = tops_of(net)
    assert np.allclose(data[0, :, :6], (images[0] - np.reshape(BGR, (3, 1, 1)))[:, :, 2:6])
    assert not data[0, :, 6].any()
    assert np.array_equal(label[0, 0, :6], labels[0][:, 2:6])
    assert (label[0, 0, 6] == 99).all()
    assert dims.ravel().tolist() == [6, 4]


def test_image_seg_data_takes_a_number_for_all_pixels_or_none(pairs):
    tmp_path = pairs[0]
    (tmp_path / "list.txt").write_text("0.png 3\n", encoding="utf-8")
    assert (tops_of(reading(tmp_path, "ImageSegData", "batch_size: 1"))[1] == 3).all()
    (tmp_path / "list.txt").write_text("0.png\n", encoding="utf-8")
    assert (tops_of(reading(tmp_path, "ImageSegData", "batch_size: 1 label_type: NONE"))[1] == 255).all()


def test_image_and_label_are_cropped_mirrored_and_scaled_alike(pairs):
    tmp_path, images, labels = pairs
    for image, label in zip(images, labels, strict=True):  # an image that is its label in every channel
        image[:] = label
    for index, label in enumerate(labels):
        Image.fromarray(np.repeat(label[..., None], 3, 2)).save(tmp_path / f"{index}.png")
    extra = "transform_param { mirror: true crop_size: 5 scale_factors: [1, 2] }"
    net = reading(tmp_path, "ImageSegData", "batch_size: 1 label_type: PIXEL", extra, phase=caffe.TRAIN)
    seen = set()
    for _ in range(30):
        data, label, _ = tops_of(net)
        seen.add(label.tobytes())
        if data.shape == label.shape or np.array_equal(data[0, 0], np.round(data[0, 0])):
            inside = np.isin(label[0, 0], np.arange(4))
            assert np.abs(data[0, 0] - label[0, 0])[inside].max() < 3.5
    assert len(seen) > 10


def test_dense_image_data_crops_both_and_divides_labels(pairs):
    tmp_path, images, labels = pairs
    net = reading(
        tmp_path, "DenseImageData", "batch_size: 3 crop_height: 4 crop_width: 6 label_divide_factor: 2", tops=2
    )
    data, label = tops_of(net)
    assert np.array_equal(data, np.array(images)[:, :, 1:5, 1:7])
    assert np.array_equal(label[:, 0], np.array(labels)[:, 1:5, 1:7] // 2)


def test_image_labelmap_data_makes_zeros_and_ones(pairs):
    tmp_path, images, _ = pairs
    edges = np.array([[0, 100, 127, 128, 200, 255, 0, 0]] * 6, np.uint8)
    Image.fromarray(edges).save(tmp_path / "0_label.png")
    data, label = tops_of(reading(tmp_path, "ImageLabelmapData", "batch_size: 1", tops=2))
    assert np.array_equal(data[0], images[0])
    assert label[0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("line", "settings", "words"),
    [
        ("0.png\n", "batch_size: 1 label_type: PIXEL", "expected an image and a label picture"),
        ("0.png x\n", "batch_size: 1", "expected a number 0 … 255"),
        ("", "batch_size: 1", "File is empty"),
        ("0.png 1\n", "", "Positive batch size required"),
        ("0.png 1\n", "batch_size: 1 new_height: 3", "to be set at the same time"),
        ("0.png nothing.png\n", "batch_size: 1 label_type: PIXEL", "Could not load .*nothing.png"),
    ],
)
def test_a_list_that_cannot_work_is_refused(pairs, line, settings, words):
    (pairs[0] / "list.txt").write_text(line, encoding="utf-8")
    with pytest.raises(CaffeError, match=words):
        reading(pairs[0], "ImageSegData", settings.replace("batch_size: 1", "batch_size: 1") or "batch_size: 0")


LABELS = np.array([[[0, 1], [2, 255]], [[1, 1], [0, 255]]], np.float32)[:, None]
WEIGHTS = [0.5, 2, 3]


def weighted(scores, labels, *, by_weights):
    total = parts = count = 0
    for n, i, j in np.ndindex(*labels[:, 0].shape):
        label = int(labels[n, 0, i, j])
        if label != 255:
            each = scores[n, :, i, j].astype(np.float64)
            total -= WEIGHTS[label] * (each[label] - np.log(np.exp(each).sum()))
            parts, count = parts + WEIGHTS[label], count + 1
    return total / (parts if by_weights else count)


def weights_of(name, tmp_path):
    if name == "SegNet":
        return f"loss_param {{ ignore_label: 255 weight_by_label_freqs: true class_weighting: {WEIGHTS} }}"
    (tmp_path / "weights.txt").write_text("\n".join(map(str, WEIGHTS)), encoding="utf-8")
    return f"softmaxloss_param {{ weight_source: '{tmp_path}/weights.txt' ignore_label: 255 }}"


@pytest.mark.parametrize("name", ["SegNet", "DeepLab"])
def test_classes_weigh_in_the_loss_and_in_its_gradient(name, tmp_path):
    scores = distinct(2, 3, 2, 2)
    net = net_of(layer("SoftmaxWithLoss", weights_of(name, tmp_path)), [scores, LABELS], force_backward=True)
    assert np.allclose(net.forward()["y"], weighted(scores, LABELS, by_weights=name == "DeepLab"), rtol=1e-5)
    net.backward()
    for index in np.ndindex(*scores.shape):
        step = np.zeros_like(scores)
        step[index] = 1e-4
        ends = [weighted(scores + sign * step, LABELS, by_weights=name == "DeepLab") for sign in (1, -1)]
        assert np.isclose(net.blobs["x0"].diff[index], (ends[0] - ends[1]) / 2e-4, atol=1e-5)


def test_weights_for_another_number_of_classes_are_refused():
    with pytest.raises(CaffeError, match="2 weights for 3 classes"):
        net_of(layer("SoftmaxWithLoss", "loss_param { weight_by_label_freqs: true class_weighting: [1, 2] }"),
               [distinct(2, 3, 2, 2), LABELS])  # fmt: skip


def accuracy(scores, labels, ignored):
    counts = np.zeros((3, 3))
    for n, i, j in np.ndindex(*labels[:, 0].shape):
        if labels[n, 0, i, j] not in ignored:
            counts[int(labels[n, 0, i, j]), scores[n, :, i, j].argmax()] += 1
    recalls = [counts[k, k] / counts[k].sum() for k in range(3) if counts[k].sum()]
    unions = [counts[k].sum() + counts[:, k].sum() - counts[k, k] for k in range(3)]
    shares = [counts[k, k] / union if union else 1 for k, union in enumerate(unions)]
    return counts.trace() / counts.sum(), np.mean(recalls), np.mean(shares), counts


def test_seg_accuracy_is_of_pixels_recalls_and_unions():
    scores = distinct(2, 3, 2, 2)
    net = net_of(layer("SegAccuracy", "seg_accuracy_param { ignore_label: 255 }"), [scores, LABELS])
    assert np.allclose(net.forward()["y"].ravel(), accuracy(scores, LABELS, [255])[:3])
    assert np.allclose(net.forward()["y"].ravel(), accuracy(scores, LABELS, [255])[:3])


def test_seg_accuracy_goes_on_without_reset():
    first, second = distinct(2, 3, 2, 2), distinct(2, 3, 2, 2)
    net = net_of(layer("SegAccuracy", "seg_accuracy_param { ignore_label: 255 reset: false }"), [first, LABELS])
    net.forward()
    net.blobs["x0"].data[...] = second
    both = accuracy(np.concatenate([first, second]), np.concatenate([LABELS, LABELS]), [255])
    assert np.allclose(net.forward()["y"].ravel(), both[:3])


def test_seg_accuracy_refuses_a_label_that_is_no_class():
    with pytest.raises(CaffeError, match=r"Unexpected label: expected 0 … 2"):
        net_of(layer("SegAccuracy"), [distinct(2, 3, 2, 2), LABELS]).forward()


def test_matlabs_files_are_written_by_name_and_read_again(tmp_path):
    (tmp_path / "names.txt").write_text("one.png\ntwo.png\n", encoding="utf-8")
    where = f"prefix: '{tmp_path}/' source: '{tmp_path}/names.txt' strip: 4"
    x = distinct(1, 3, 2, 4).astype(np.float32)
    text = f"""
        layer {{ name: "data" type: "Input" top: "x" input_param {{ shape {{ dim: [1, 3, 2, 4] }} }} }}
        layer {{ name: "w" type: "MatWrite" bottom: "x" mat_write_param {{ {where} }} }}"""
    (tmp_path / "net.prototxt").write_text(text, encoding="utf-8")
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    for factor in (1, 2):
        net.blobs["x"].data[...] = factor * x
        net.forward()
    assert np.array_equal(loadmat(tmp_path / "two_blob_0.mat")["data"][:, :, :, 0].transpose(2, 1, 0), 2 * x[0])
    with pytest.raises(CaffeError, match="more iterations than it was supposed to"):
        net.forward()
    read = net_of(layer("MatRead", f"mat_read_param {{ {where} batch_size: 2 }}"), [])
    assert np.array_equal(read.forward()["y"], np.concatenate([x, 2 * x]))


def test_a_matlab_file_that_is_missing_is_named(tmp_path):
    (tmp_path / "names.txt").write_text("one\n", encoding="utf-8")
    with pytest.raises(CaffeError, match=r"one_blob_0.mat' cannot be read"):
        net_of(layer("MatRead", f"mat_read_param {{ prefix: '{tmp_path}/' source: '{tmp_path}/names.txt' }}"), [])
