"""MultiStageMeanfield and DenseCRF, against their formulas in NumPy; only the filters' matrices are the layers' own."""

import numpy as np
import pytest
import torch

import caffe
from caffe.errors import CaffeError
from caffe.ops.dense_crf import Kernel, image_filter

RNG = np.random.default_rng(5)


def matrices(image, *kernels):
    """K of each kernel, normalized after, as a matrix over pixels: what its filter makes of the unit vectors."""
    pixels = torch.from_numpy(image.astype(np.float32))
    identity = torch.eye(image[0].size)
    filters = (image_filter(*image.shape[1:], kernel, "after", pixels, identity) for kernel in kernels)
    return [each.spread(each.gather(identity)).numpy().astype(np.float64) for each in filters]


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def inference(unary, start, spatial, bilateral, weights, times):
    """(pixels, classes), and what backward needs of each iteration."""
    w_s, w_b, m = weights
    x, kept = start, []
    for _ in range(times):
        q = softmax(x)
        a, b = spatial @ q, bilateral @ q
        mixed = a @ w_s.T + b @ w_b.T
        x = unary - mixed @ m.T
        kept.append((q, a, b, mixed))
    return x, kept


def gradients(g, kept, spatial, bilateral, weights):
    """Of unary, start, W_s, W_b and M, from the last iteration to the first."""
    w_s, w_b, m = weights
    of_unary, of_w_s, of_w_b, of_m = np.zeros_like(g), np.zeros_like(m), np.zeros_like(m), np.zeros_like(m)
    for q, a, b, mixed in reversed(kept):
        of_unary = of_unary + g
        of_m = of_m - g.T @ mixed
        of_mixed = -g @ m
        of_w_s, of_w_b = of_w_s + of_mixed.T @ a, of_w_b + of_mixed.T @ b
        of_q = spatial.T @ (of_mixed @ w_s) + bilateral.T @ (of_mixed @ w_b)
        g = q * (of_q - (of_q * q).sum(1, keepdims=True))
    return of_unary, g, of_w_s, of_w_b, of_m


def meanfield_net(folder, shape, times, channels=3, thetas=(8, 20, 2), more=""):
    batch, classes, height, width = shape
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: {batch} dim: {depth} '
        f"dim: {height} dim: {width} }} }} }}\n"
        for name, depth in (("unary", classes), ("start", classes), ("image", channels))
    )
    alpha, beta, gamma = thetas
    path = folder / "net.prototxt"
    path.write_text(
        f"force_backward: true\n{inputs}"
        'layer { name: "inference1" type: "MultiStageMeanfield" bottom: "unary" bottom: "start" bottom: "image" '
        f'top: "pred" multi_stage_meanfield_param {{ num_iterations: {times} compatibility_mode: POTTS threshold: 2 '
        f"theta_alpha: {alpha} theta_beta: {beta} theta_gamma: {gamma} {more} }} }}"
    )
    return caffe.Net(str(path), caffe.TRAIN)


CASES = [
    ((1, 3, 6, 7), 2, 3, (8, 20, 2)),
    ((2, 2, 5, 4), 1, 3, (160, 3, 3)),
    ((1, 5, 4, 9), 5, 1, (3, 60, 1)),
    ((3, 4, 3, 3), 3, 3, (20, 13, 5)),
]


@pytest.mark.parametrize(("shape", "times", "channels", "thetas"), CASES)
def test_scores_and_gradients_of_mean_field_are_those_of_the_formulas(tmp_path, shape, times, channels, thetas):
    net, classes = meanfield_net(tmp_path, shape, times, channels, thetas), shape[1]
    given = {name: RNG.normal(size=shape) for name in ("unary", "start")}
    given["image"] = RNG.uniform(-120, 130, size=(shape[0], channels, *shape[2:]))
    weights = [RNG.normal(size=(classes, classes)) for _ in range(3)]
    for name, values in given.items():
        net.blobs[name].data[...] = values
    for blob, values in zip(net.params["inference1"], weights, strict=True):
        assert blob.data.shape == (1, 1, classes, classes)
        blob.data[...] = values
    net.forward()
    upper = RNG.normal(size=shape)
    net.blobs["pred"].diff[...] = upper
    net.clear_param_diffs()
    net.backward()

    def flat(values):
        return values.reshape(classes, -1).T

    sums = [np.zeros((classes, classes)) for _ in range(3)]
    for item in range(shape[0]):
        alpha, beta, gamma = thetas
        kernels = matrices(given["image"][item], Kernel(1, gamma), Kernel(1, alpha, beta))
        unary, start = flat(given["unary"][item]), flat(given["start"][item])
        x, kept = inference(unary, start, *kernels, weights, times)
        np.testing.assert_allclose(flat(net.blobs["pred"].data[item]), x, rtol=1e-4, atol=1e-4)
        of_unary, of_start, *of_weights = gradients(flat(upper[item]), kept, *kernels, weights)
        np.testing.assert_allclose(flat(net.blobs["unary"].diff[item]), of_unary, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(flat(net.blobs["start"].diff[item]), of_start, rtol=1e-3, atol=1e-4)
        sums = [total + each for total, each in zip(sums, of_weights, strict=True)]
    for blob, expected in zip(net.params["inference1"], sums, strict=True):
        np.testing.assert_allclose(blob.diff[0, 0], expected, rtol=1e-3, atol=1e-3)
    assert not net.blobs["image"].diff.any()


def test_gradients_of_parameters_add_up_over_passes(tmp_path):
    net = meanfield_net(tmp_path, (1, 3, 5, 6), 2)
    for blob in ("unary", "start", "image"):
        net.blobs[blob].data[...] = RNG.normal(size=net.blobs[blob].data.shape)
    net.forward()
    net.blobs["pred"].diff[...] = RNG.normal(size=(1, 3, 5, 6))
    net.clear_param_diffs()
    net.backward()
    once = [blob.diff.copy() for blob in net.params["inference1"]]
    net.backward()
    for blob, first in zip(net.params["inference1"], once, strict=True):
        np.testing.assert_allclose(blob.diff, 2 * first, rtol=1e-5)


def test_the_settings_and_not_files_say_where_learning_begins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spatial.par").write_text("9 9 9")
    net = meanfield_net(
        tmp_path, (1, 3, 4, 4), 5, more='spatial_filter_weight: 3 bilateral_filter_weights_str: "5 6 7"'
    )
    spatial, bilateral, compatibility = (blob.data[0, 0] for blob in net.params["inference1"])
    assert (spatial == 3 * np.eye(3)).all()
    assert (bilateral == np.diag([5, 6, 7])).all()
    assert (compatibility == -np.eye(3)).all()


def test_published_weights_load_by_name_and_another_size_follows(tmp_path):
    net = meanfield_net(tmp_path, (1, 3, 4, 4), 5)
    for blob in net.params["inference1"]:
        blob.data[...] = RNG.normal(size=blob.data.shape)
    net.save(str(tmp_path / "crf.caffemodel"))
    other = meanfield_net(tmp_path, (1, 3, 6, 5), 10)
    other.copy_from(str(tmp_path / "crf.caffemodel"))
    for blob, saved in zip(other.params["inference1"], net.params["inference1"], strict=True):
        assert (blob.data == saved.data).all()
    for name in ("unary", "start", "image"):
        other.blobs[name].reshape(2, 3, 7, 8)
    assert other.forward()["pred"].shape == (2, 3, 7, 8)


@pytest.mark.parametrize(
    ("thetas", "times", "more", "words"),
    [
        ((0, 3, 3), 5, "", "theta_alpha is 0"),
        ((160, 3, 3), 0, "", "num_iterations is 0"),
        ((160, 3, 3), 5, 'spatial_filter_weights_str: "1 2"', "has 2 numbers, expected one for each of 3"),
        ((160, 3, 3), 5, 'spatial_filter_weights_str: "1 x 2"', "expected numbers"),
    ],
)
def test_wrong_settings_are_named(tmp_path, thetas, times, more, words):
    with pytest.raises(CaffeError, match=words):
        meanfield_net(tmp_path, (1, 3, 4, 4), times, thetas=thetas, more=more)


def crf_net(folder, settings, batch=2, bottoms=3, force=""):
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: {batch} {dims} }} }} }}\n'
        for name, dims in (
            ("scores", "dim: 4 dim: 6 dim: 8"), ("dims", "dim: 2"), ("image", "dim: 3 dim: 6 dim: 8")
        )[:bottoms]
    )  # fmt: skip
    named = " ".join(f'bottom: "{name}"' for name in ("scores", "dims", "image")[:bottoms])
    path = folder / "crf.prototxt"
    path.write_text(
        f'{force}{inputs}layer {{ name: "crf" type: "DenseCRF" {named} top: "crf" dense_crf_param {{ {settings} }} }}'
    )
    return caffe.Net(str(path), caffe.TEST)


@pytest.mark.parametrize(
    ("settings", "kernels", "times", "log"),
    [
        (
            "max_iter: 3 pos_w: 3 pos_xy_std: 2 bi_w: 4 bi_xy_std: 9 bi_rgb_std: 20",
            (Kernel(3, 2), Kernel(4, 9, 20)),
            3,
            False,
        ),
        (
            "pos_w: 1 pos_w: 2 pos_xy_std: 1 pos_xy_std: 4 output_probability: false",
            (Kernel(1, 1), Kernel(2, 4)),
            10,
            True,
        ),
        ("max_iter: 1 bi_w: 5 bi_xy_std: 50 bi_rgb_std: 40", (Kernel(5, 50, 40),), 1, False),
    ],
)
def test_a_dense_crf_refines_the_part_of_each_item_that_is_its_own(tmp_path, settings, kernels, times, log):
    net = crf_net(tmp_path, settings)
    scores, image = RNG.normal(size=(2, 4, 6, 8)), RNG.uniform(-120, 130, size=(2, 3, 6, 8))
    sizes = [(6, 8), (4, 5)]
    net.blobs["scores"].data[...], net.blobs["image"].data[...], net.blobs["dims"].data[...] = scores, image, sizes
    found = net.forward()["crf"]
    for item, (height, width) in enumerate(sizes):
        own = scores[item, :, :height, :width].reshape(4, -1).T
        each = matrices(image[item, :, :height, :width], *kernels)
        x = own
        for _ in range(times):
            q = softmax(x)
            x = own + sum(kernel.weight * (k @ q) for kernel, k in zip(kernels, each, strict=True))
        expected = np.log(softmax(x)) if log else softmax(x)
        mine = found[item, :, :height, :width].reshape(4, -1).T
        np.testing.assert_allclose(mine, expected, rtol=2e-3, atol=2e-5)
        assert not found[item, :, height:].any()
        assert not found[item, :, :, width:].any()


def test_without_colours_there_need_be_no_image(tmp_path):
    net = crf_net(tmp_path, "pos_w: 3 pos_xy_std: 2", bottoms=2)
    net.blobs["dims"].data[...] = 6, 8
    np.testing.assert_allclose(net.forward()["crf"], 0.25, rtol=1e-5)


def test_backward_of_a_dense_crf_is_refused_in_words(tmp_path):
    net = crf_net(tmp_path, "pos_w: 3 pos_xy_std: 2", force="force_backward: true\n")
    net.blobs["dims"].data[...] = 6, 8
    net.forward()
    with pytest.raises(CaffeError, match=r"layer 'crf' \(DenseCRF\)"):
        net.backward()


@pytest.mark.parametrize(
    ("settings", "bottoms", "words"),
    [
        ("pos_w: 3", 3, r"pos_w, pos_xy_std have \[1, 0\] numbers"),
        ("bi_w: 3 bi_xy_std: 2 bi_rgb_std: 3", 2, "needs an image"),
        ("pos_w: 3 pos_xy_std: 0", 2, "deviation 0"),
    ],
)
def test_wrong_settings_of_a_dense_crf_are_named(tmp_path, settings, bottoms, words):
    with pytest.raises(CaffeError, match=words):
        crf_net(tmp_path, settings, bottoms=bottoms)


def test_a_size_larger_than_the_map_is_named(tmp_path):
    net = crf_net(tmp_path, "pos_w: 3 pos_xy_std: 2", bottoms=2)
    net.blobs["dims"].data[...] = 7, 8
    with pytest.raises(CaffeError, match="item 0 is said to be 7×8"):
        net.forward()
