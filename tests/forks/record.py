"""Records what OpenCV's DNN computes for the cases of oracle_cases.py: `python -m tests.forks.record`.

Needs opencv-python-headless 4.x: its fifth version reads no Caffe nets.
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import caffe
from caffe.formats import caffemodel
from tests.forks.forms import net_of
from tests.forks.oracle_cases import CASES, OracleCase

RECORDED = Path(__file__).parents[1] / "recorded/forks.npz"


def drawn(case: OracleCase, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The values of the bottoms and of the parameters of a case, from its name."""
    draw = np.random.default_rng(list(name.encode()))
    both = ([make(draw).astype(np.float32) for make in makers] for makers in (case.bottoms, case.params))
    return next(both), next(both)


def by_opencv(case: OracleCase, bottoms: list[np.ndarray], params: list[np.ndarray]) -> np.ndarray:
    """The first top, as OpenCV's importer and layers make it."""
    inputs = "".join(
        f'input: "x{index}" input_shape {{ {" ".join(f"dim: {size}" for size in value.shape)} }}\n'
        for index, value in enumerate(bottoms)
    )
    ends = 'name: "layer" top: "y"' + "".join(f' bottom: "x{index}"' for index in range(len(bottoms)))
    text = inputs + case.text.replace("{", "{ " + ends, 1)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "w.caffemodel"
        net = net_of(case.text, bottoms)
        for blob, value in zip(net.params.get("layer", []), params, strict=True):
            blob.data[...] = value.reshape(blob.data.shape)
        net.save(str(weights))
        if any(blob.data.ndim == 0 for blob in net.params.get("layer", [])):  # OpenCV wants an axis
            message = caffemodel.read_message(weights)
            message.layer[-1].blobs[0].shape.dim.append(1)
            weights.write_bytes(message.SerializeToString())
        theirs = cv2.dnn.readNetFromCaffe(text.encode(), weights.read_bytes())
    for index, value in enumerate(bottoms):
        whole = "DetectionOutput" in case.text  # whose bottoms have four axes there
        theirs.setInput(value.reshape(*value.shape, *(1,) * (4 - value.ndim)) if whole else value, f"x{index}")
    found = np.array(theirs.forward("layer"))
    return np.array(found[(found[..., 1:] != 0).any(axis=-1)] if case.rows else found)


def main() -> int:
    """Write recorded/forks.npz; 1 if OpenCV refuses a case."""
    caffe.init_log(3)
    arrays: dict[str, np.ndarray] = {}
    refused = []
    for name, case in CASES.items():
        bottoms, params = drawn(case, name)
        try:
            top = by_opencv(case, bottoms, params)
        except cv2.error as error:
            refused.append(f"{name}: {error}")
            continue
        arrays[f"{name}/text"] = np.array(case.text)
        arrays |= {f"{name}/bottom{index}": value for index, value in enumerate(bottoms)}
        arrays |= {f"{name}/param{index}": value for index, value in enumerate(params)}
        arrays[f"{name}/top"] = top.astype(np.float32)
    np.savez_compressed(RECORDED, **arrays)
    print(f"{len(CASES) - len(refused)} of {len(CASES)} recorded, {RECORDED.stat().st_size:,} bytes")
    print("\n".join(refused))
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
