"""Record what pydensecrf2 computes, with the inputs: `python -m tests.ops.record_pydensecrf`.

Needs pydensecrf2 (1.1; Python up to 3.12, a C++ compiler, Cython) and NumPy in the environment that runs it; nothing
else does.
"""

import json
from pathlib import Path

import numpy as np

RECORDED = Path(__file__).parents[1] / "recorded" / "dense_crf.npz"

# Position and colour kernels are (weight, deviation of x, of y) and (weight, of x, of y, of red, of green, of blue).
CASES = {
    "readme": {
        "size": (33, 47), "classes": 4, "normalization": "symmetric", "iterations": 5,
        "gaussian": (3, 3, 3), "bilateral": (10, 80, 80, 13, 13, 13),
    },
    "after": {
        "size": (40, 29), "classes": 7, "normalization": "after", "iterations": 10,
        "gaussian": (3, 3, 3), "bilateral": (4, 49, 49, 5, 5, 5),
    },
    "unlike_axes": {
        "size": (24, 61), "classes": 3, "normalization": "symmetric", "iterations": 10,
        "gaussian": (6, 2, 5), "bilateral": (5, 20, 9, 30, 8, 15),
    },
    "none": {
        "size": (21, 30), "classes": 2, "normalization": "none", "iterations": 10,
        "gaussian": (0.02, 3, 3), "bilateral": (0.01, 50, 50, 20, 20, 20),
    },
    "no_image": {
        "size": (1, 90), "classes": 5, "normalization": "after", "iterations": 10,
        "gaussian": (2, 4, 4),
    },
    "matrix": {
        "size": (27, 35), "classes": 4, "normalization": "after", "iterations": 10,
        "gaussian": (3, 3, 3), "bilateral": (5, 160, 160, 3, 3, 3), "matrix": True,
    },
}  # fmt: skip


def inputs(seed: int, case: dict) -> dict[str, np.ndarray]:
    """An image of coloured patches with noise, scores that are unsure of them, and a compatibility."""
    draw = np.random.default_rng(seed)
    height, width = case["size"]
    labels = draw.integers(0, case["classes"], (height // 8 + 1, width // 8 + 1))
    labels = labels.repeat(8, 0)[:height].repeat(8, 1)[:, :width]
    colours = draw.integers(0, 256, (case["classes"], 3))
    image = np.clip(colours[labels] + draw.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    scores = draw.normal(0, 1.5, (case["classes"], height, width)) + 1.5 * np.eye(case["classes"])[labels].transpose(
        2, 0, 1
    )
    matrix = draw.uniform(0, 1, (case["classes"], case["classes"])) * (1 - np.eye(case["classes"]))
    return {"image": image, "scores": scores.astype(np.float32), "matrix": ((matrix + matrix.T) / 2).astype(np.float32)}


def infer(case: dict, image: np.ndarray, scores: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    import pydensecrf.densecrf as pydensecrf

    normalization = {
        "none": pydensecrf.NO_NORMALIZATION,
        "after": pydensecrf.NORMALIZE_AFTER,
        "symmetric": pydensecrf.NORMALIZE_SYMMETRIC,
    }[case["normalization"]]
    classes, height, width = scores.shape
    crf = pydensecrf.DenseCRF2D(width, height, classes)
    logarithms = scores - np.log(np.exp(scores).sum(0))
    crf.setUnaryEnergy(np.ascontiguousarray(-logarithms.reshape(classes, -1)))
    options = {"kernel": pydensecrf.DIAG_KERNEL, "normalization": normalization}
    weight, x, y = case["gaussian"]
    crf.addPairwiseGaussian(sxy=(x, y), compat=weight * matrix if "matrix" in case else weight, **options)
    if "bilateral" in case:
        weight, x, y, *colours = case["bilateral"]
        crf.addPairwiseBilateral(
            sxy=(x, y),
            srgb=tuple(colours),
            rgbim=np.ascontiguousarray(image),
            compat=weight * matrix if "matrix" in case else weight,
            **options,
        )
    return np.array(crf.inference(case["iterations"]), dtype=np.float32).reshape(scores.shape)


def main() -> None:
    arrays: dict[str, np.ndarray] = {"cases": np.array(json.dumps(CASES))}
    for seed, (name, case) in enumerate(CASES.items()):
        given = inputs(seed, case)
        arrays |= {f"{name}/{key}": value for key, value in given.items()}
        arrays[f"{name}/q"] = infer(case, **given)
    np.savez_compressed(RECORDED, **arrays)


if __name__ == "__main__":
    main()
