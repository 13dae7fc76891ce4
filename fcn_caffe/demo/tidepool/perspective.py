"""The tide pool seen from a camera that looks down on it at a slant, and how far away everything is."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fcn_caffe.demo.tidepool import grounds
from fcn_caffe.demo.tidepool.creatures import CREATURES
from fcn_caffe.demo.tidepool.scene import finish, place

FOCAL = 150.0
"""Focal length of every camera, in pixels: with another one for each picture nobody could tell sizes from distances."""
HEIGHTS, PITCHES = (0.8, 1.6), (0.55, 0.95)
"""Of cameras: metres above the ground, and radians below the horizon."""
RADII = (0.12, 0.3)
"""Of creatures, in metres."""
TEXTURE, PER_METRE = 384, 64
"""Side of a ground's texture, in pixels, and how many of them lie on a metre."""
SMALLEST = 5.0
"""Radius in pixels below which a creature is left out."""


def view(rng: np.random.Generator, height: int, width: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture, uint8 height×width×3, with `count` creatures that stand on the ground, or fewer; and the depth of
    every pixel along the camera's axis, float64 height×width, in metres.

    Creatures are flat and face the camera, so that each has one depth.
    """
    above, pitch = rng.uniform(*HEIGHTS), rng.uniform(*PITCHES)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    x, y = (x - width / 2) / FOCAL, (y - height / 2) / FOCAL
    depth = ground_depth(y, above, pitch)
    place_x, place_y = x * depth, depth * (np.cos(pitch) - y * np.sin(pitch))
    texture = grounds.draw(rng, TEXTURE, TEXTURE)
    shift = rng.uniform(0, TEXTURE, 2)
    where = [place_y * PER_METRE + shift[0], place_x * PER_METRE + shift[1]]
    picture = np.stack([ndimage.map_coordinates(texture[..., c], where, order=1, mode="mirror") for c in range(3)], 2)
    feet = [(rng.uniform(0.1, 0.95) * height, rng.uniform(0.05, 0.95) * width) for _ in range(count)]
    for row, column in sorted(feet):  # what stands higher in the picture is farther away
        _stand(rng, picture, depth, (row, column), above, pitch)
    return finish(rng, picture), depth


def ground_depth(y: np.ndarray | float, above: float, pitch: float) -> np.ndarray:
    """The depth at which a camera's rays meet the ground, of the shape of y = (row − middle) / focal length."""
    return np.asarray(above / (np.asarray(y) * np.cos(pitch) + np.sin(pitch)))


def _stand(
    rng: np.random.Generator,
    picture: np.ndarray,
    depth: np.ndarray,
    foot: tuple[float, float],
    above: float,
    pitch: float,
) -> None:
    """Paint a creature whose foot is at a row and column of the picture, and its depth."""
    height, width = depth.shape
    y = (foot[0] - height / 2) / FOCAL
    far, radius = float(ground_depth(y, above, pitch)), rng.uniform(*RADII)
    pixels = FOCAL * radius / far
    if pixels < SMALLEST:
        return
    label = np.zeros(depth.shape, np.uint8)
    kind = int(rng.integers(len(CREATURES)))
    place(rng, picture, label, kind, (foot[0] - pixels, foot[1]), pixels)
    depth[label > 0] = far
