"""Records what OpenCV makes of rendered pictures by published nets: `python -m tests.forks.record_published`.

Needs opencv-python-headless 4.x and the models of tests/published_models.py. The detector runs without OpenCV's fused
layers, which round otherwise.
"""

from pathlib import Path

import cv2
import numpy as np

from tests import published_models

RECORDED = Path(__file__).parents[1] / "recorded/published.npz"
SCENES = ((240, 320), (300, 300), (384, 384), (200, 420), (256, 192), (320, 352))
PATCHES = ((20, 30), (47, 53), (64, 64), (33, 80))
PLATES = {"HorizonalFinemapping": (3, 16, 66), "SegmenationFree-Inception": (3, 160, 40)}
"""Nets of licence plates whose weights are half floats, and the shapes of their images."""


def scene(draw: np.random.Generator, height: int, width: int, codes: int) -> np.ndarray:
    """A grey picture (height, width) with so many QR codes, turned and in perspective, on a smooth ground."""
    ground = cv2.resize(draw.uniform(60, 220, size=(6, 7)).astype(np.float32), (width, height))
    for index in range(codes):
        code = cv2.QRCodeEncoder.create().encode(f"https://caffe/{draw.integers(10**6)}")
        side = code.shape[0]
        size = draw.uniform(0.3, 0.45) * min(height, width)
        centre = np.array([(index + 0.5) * width / codes, height / 2]) + draw.uniform(-0.08, 0.08, 2) * min(
            height, width
        )
        turn = draw.uniform(-0.5, 0.5)
        across = np.array([np.cos(turn), np.sin(turn)]) * size / 2
        down = np.array([-np.sin(turn), np.cos(turn)]) * size / 2
        corners = np.array(
            [centre - across - down, centre + across - down, centre + across + down, centre - across + down]
        )
        corners += draw.uniform(-0.06, 0.06, corners.shape) * size
        begin = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float32)
        move = cv2.getPerspectiveTransform(begin, corners.astype(np.float32))
        large = cv2.resize(code, (side * 8, side * 8), interpolation=cv2.INTER_NEAREST)
        move = move @ np.diag([1 / 8, 1 / 8, 1])
        where = cv2.warpPerspective(np.full_like(large, 255), move, (width, height), flags=cv2.INTER_AREA)
        drawn = cv2.warpPerspective(large, move, (width, height), flags=cv2.INTER_AREA)
        ground = np.where(where > 127, drawn, ground)
    return cv2.GaussianBlur(ground, (3, 3), 0.8).clip(0, 255).astype(np.uint8)


def opened(name: str) -> cv2.dnn.Net:
    """A published net as OpenCV reads it, with nothing fused."""
    folder = published_models.FOLDER
    net = cv2.dnn.readNetFromCaffe(str(folder / f"{name}.prototxt"), str(folder / f"{name}.caffemodel"))
    net.enableFusion(False)
    return net


def main() -> None:
    """Write recorded/published.npz."""
    draw = np.random.default_rng(7)
    arrays: dict[str, np.ndarray] = {}
    detector, larger = opened("detect"), opened("sr")
    for index, (height, width) in enumerate(SCENES):
        picture = scene(draw, height, width, 1 + index % 2)
        detector.setInput((picture / np.float32(255)).astype(np.float32)[None, None])
        found = np.array(detector.forward()).reshape(-1, 7)
        arrays[f"detect/{index}/picture"] = picture
        arrays[f"detect/{index}/boxes"] = found[(found[:, 1:] != 0).any(axis=1)]
        print(picture.shape, arrays[f"detect/{index}/boxes"].round(3).tolist())
    for index, (height, width) in enumerate(PATCHES):
        picture = scene(draw, 2 * height, 2 * width, 1)[:height, :width]
        larger.setInput((picture / np.float32(255)).astype(np.float32)[None, None])
        arrays[f"sr/{index}/picture"], arrays[f"sr/{index}/larger"] = picture, np.array(larger.forward())
        print(picture.shape, arrays[f"sr/{index}/larger"].shape)
    for name, shape in PLATES.items():
        picture = cv2.GaussianBlur(draw.uniform(-1, 1, size=shape[::-1]).astype(np.float32), (5, 5), 2).T[None].copy()
        net = opened(name)
        net.setInput(picture)
        arrays[f"plates/{name}/picture"], arrays[f"plates/{name}/top"] = picture, np.array(net.forward())
        print(name, picture.shape, arrays[f"plates/{name}/top"].shape)
    np.savez_compressed(RECORDED, **arrays)
    print(f"{RECORDED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
