import json

import numpy as np
import pytest
import torch

from caffe.ops import dense_crf as crf
from caffe.ops.mean_field import mean_field, softmax
from tests.ops.record_pydensecrf import RECORDED, inputs

with np.load(RECORDED) as _file:
    RECORD = {key: _file[key] for key in _file.files}
CASES = json.loads(str(RECORD["cases"]))


def given(height: int, width: int, classes: int = 3, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, classes, H, W) and (1, 3, H, W)."""
    arrays = inputs(seed, {"size": (height, width), "classes": classes})
    image = torch.from_numpy(arrays["image"]).permute(2, 0, 1)[None].float()
    return torch.from_numpy(arrays["scores"])[None], image


def kernels_of(case: dict) -> tuple[crf.Kernel, ...]:
    kernels = [crf.Kernel(case["gaussian"][0], tuple(case["gaussian"][1:]))]
    if "bilateral" in case:
        weight, x, y, *colours = case["bilateral"]
        kernels.append(crf.Kernel(weight, (x, y), tuple(colours)))
    return tuple(kernels)


@pytest.mark.parametrize("name", [name for name in CASES if "matrix" not in CASES[name]])
def test_it_gives_pydensecrfs_numbers(name):
    case = CASES[name]
    image = torch.from_numpy(RECORD[f"{name}/image"]).permute(2, 0, 1)[None]
    scores = torch.from_numpy(RECORD[f"{name}/scores"])[None]
    parameters = crf.CrfParameters(kernels_of(case), case["iterations"], case["normalization"])
    q = crf.dense_crf(scores, image if "bilateral" in case else None, parameters)[0].numpy()
    np.testing.assert_allclose(q, RECORD[f"{name}/q"], atol=3e-4)
    assert abs(q - scores[0].softmax(0).numpy()).mean() > 0.01


def test_it_gives_pydensecrfs_numbers_for_a_matrix_of_compatibilities():
    case = CASES["matrix"]
    (height, width), classes = case["size"], case["classes"]
    image = torch.from_numpy(RECORD["matrix/image"]).permute(2, 0, 1).float()
    unary = torch.from_numpy(RECORD["matrix/scores"]).reshape(classes, -1).t()
    kernels = kernels_of(case)
    filters = [crf.image_filter(height, width, kernel, case["normalization"], image) for kernel in kernels]
    mixes = [-kernel.weight * torch.from_numpy(RECORD["matrix/matrix"]) for kernel in kernels]
    q = softmax(mean_field(unary, filters, mixes, case["iterations"]))
    np.testing.assert_allclose(q.t().reshape(classes, height, width), RECORD["matrix/q"], atol=3e-4)


@pytest.mark.parametrize("preset", crf.PRESETS)
def test_the_labels_are_those_of_the_exact_sum(preset):
    scores, image = given(25, 29)
    found, exact = (crf.dense_crf(scores, image, crf.PRESETS[preset], exact) for exact in (False, True))
    torch.testing.assert_close(found.sum(1), torch.ones(1, 25, 29))
    assert (found.argmax(1) == exact.argmax(1)).float().mean() > 0.95


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (19, 1), (2, 3), (23, 31)])
@pytest.mark.parametrize("preset", crf.PRESETS)
def test_any_size_gives_probabilities(preset, size):
    scores, image = given(*size)
    q = crf.dense_crf(scores, image, crf.PRESETS[preset])
    assert q.shape == scores.shape
    torch.testing.assert_close(q.sum(1), torch.ones(1, *size))


def test_images_of_a_batch_do_not_touch():
    one, two = given(15, 22, seed=4), given(15, 22, seed=5)
    both = crf.dense_crf(torch.cat([one[0], two[0]]), torch.cat([one[1], two[1]]), crf.PRESETS["deeplab"])
    for index, single in enumerate((one, two)):
        torch.testing.assert_close(both[index : index + 1], crf.dense_crf(*single, crf.PRESETS["deeplab"]))


@pytest.mark.parametrize(("preset", "size"), [("deeplab", (20, 30)), ("krahenbuhl", (7, 33)), ("pydensecrf", (16, 9))])
def test_filters_that_are_made_once_give_the_same_for_all_scores(preset, size):
    parameters = crf.PRESETS[preset]
    _, images = given(*size)
    image = images[0].permute(1, 2, 0).numpy()
    of = crf.inference(image, parameters)
    for seed, classes in ((1, 2), (2, 5)):
        scores, _ = given(*size, classes=classes, seed=seed)
        np.testing.assert_array_equal(of(scores[0].numpy()), crf.marginals(scores[0].numpy(), image, parameters))


def test_filters_that_are_made_once_are_of_one_size():
    of = crf.inference(np.zeros((6, 8, 3)), crf.PRESETS["deeplab"])
    with pytest.raises(ValueError, match="images have the shape"):
        of(np.zeros((2, 8, 6)))


def test_a_mean_that_was_subtracted_is_no_matter_to_the_exact_sum_and_little_to_the_lattice():
    scores, image = given(20, 25)
    free = image - torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    preset = crf.PRESETS["deeplab"]
    exact, same = (crf.dense_crf(scores, one, preset, exact=True) for one in (image, free))
    torch.testing.assert_close(same, exact, rtol=1e-3, atol=1e-3)
    found, nearly = (crf.dense_crf(scores, one, preset) for one in (image, free))
    assert (found.argmax(1) == nearly.argmax(1)).float().mean() > 0.95


def test_noise_in_the_scores_gives_way_to_the_image():
    scores, image = given(48, 64, classes=4)
    labels = inputs(3, {"size": (48, 64), "classes": 4})
    truth = np.array(labels["scores"]).argmax(0)
    smooth = crf.dense_crf(scores, image, crf.PRESETS["pydensecrf"]).argmax(1)[0].numpy()
    changes = [(array[:, 1:] != array[:, :-1]).mean() for array in (truth, smooth)]
    assert changes[1] < changes[0] / 3


def test_gradients_of_the_scores_are_those_of_differences():
    scores, image = given(3, 4)
    parameters = crf.CrfParameters((crf.Kernel(1, 2), crf.Kernel(2, (4, 3), (30, 40, 50))), 3, "symmetric")
    assert torch.autograd.gradcheck(
        lambda values: crf.dense_crf(values, image.double(), parameters), scores.double().requires_grad_()
    )


def test_an_image_of_one_channel_will_do():
    scores, image = given(12, 14)
    q = crf.dense_crf(scores, image[:, :1], crf.PRESETS["ccnn"])
    torch.testing.assert_close(q.sum(1), torch.ones(1, 12, 14))


def test_the_lattice_of_positions_is_kept_by_size():
    kernel = crf.Kernel(3, 3)
    kept = crf.image_filter(9, 8, kernel, "after")
    assert crf.image_filter(9, 8, kernel, "after") is kept
    assert crf.image_filter(8, 9, kernel, "after") is not kept


@pytest.mark.parametrize(
    ("scores", "images", "kernel", "message"),
    [
        (
            torch.zeros(3, 4, 5),
            None,
            crf.Kernel(1, 3),
            r"scores have the shape \(3, 4, 5\); expected \(images, classes",
        ),
        (torch.zeros(1, 3, 4, 5), torch.zeros(1, 3, 5, 4), crf.Kernel(1, 3, 5), r"expected \(1, channels, 4, 5\)"),
        (torch.zeros(1, 3, 4, 5), None, crf.Kernel(1, 3, 5), "a kernel over colours needs an image; None was given"),
        (torch.zeros(1, 3, 4, 5), None, crf.Kernel(1, 0), "a kernel has the deviation 0; expected numbers above 0"),
        (
            torch.zeros(1, 3, 4, 5),
            torch.zeros(1, 3, 4, 5),
            crf.Kernel(1, 3, (5.0, 5.0)),
            "2 colour deviations for an image of 3",
        ),
    ],
)
def test_what_does_not_fit_is_told(scores, images, kernel, message):
    with pytest.raises(ValueError, match=message):
        crf.dense_crf(scores, images, crf.CrfParameters((kernel,), 2, "after"))


@pytest.mark.parametrize(
    ("kernels", "iterations", "message"),
    [
        ((crf.Kernel(float("nan"), 3),), 2, "a kernel has the weight nan; expected a finite number"),
        ((crf.Kernel("3", 3),), 2, "a kernel has the weight '3'; expected a finite number"),
        ((crf.Kernel(None, 3),), 2, "a kernel has the weight None"),
        ((crf.Kernel(1, None),), 2, "a kernel has the deviation None; expected numbers above 0"),
        ((crf.Kernel(1, [3, 3]),), 2, r"a kernel has the deviation \[3, 3\]; expected numbers above 0"),
        ((crf.Kernel(1, (3, 3, 3)),), 2, r"a kernel has the deviations \(3, 3, 3\) of positions; expected one, or two"),
        ((crf.Kernel(1, 3, float("inf")),), 2, "a kernel has the deviation inf"),
        ((crf.Kernel(1, 3),), 1.5, "iterations is 1.5; expected a whole number, 0 or more"),
        ((crf.Kernel(1, 3),), True, "iterations is True"),
        ((crf.Kernel(1, 3),), -1, "iterations is -1"),
    ],
)
def test_parameters_of_another_kind_are_told(kernels, iterations, message):
    with pytest.raises(ValueError, match=message):
        crf.check(crf.CrfParameters(kernels, iterations, "after"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_is_refused_before_it_is_everywhere(value):
    scores = np.zeros((2, 4, 5), np.float32)
    scores[1, 2, 3] = value
    image = np.zeros((4, 5, 3), np.uint8)
    for of in (crf.inference(image, crf.PRESETS["deeplab"]), lambda s: crf.marginals(s, image, crf.PRESETS["deeplab"])):
        with pytest.raises(ValueError, match="scores have values that are not finite"):
            of(scores)


def test_whole_numbers_and_grey_images_without_channels_are_told():
    with pytest.raises(ValueError, match="scores have torch.int64; expected finite floats"):
        crf.dense_crf(
            torch.zeros(1, 2, 4, 5, dtype=torch.int64), None, crf.CrfParameters((crf.Kernel(1, 3),), 2, "after")
        )
    with pytest.raises(ValueError, match=r"the image has the shape 4×5; expected \(height, width, channels\)"):
        crf.marginals(np.zeros((2, 4, 5)), np.zeros((4, 5)), crf.PRESETS["deeplab"])
