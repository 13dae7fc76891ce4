"""HHA: a depth image as horizontal disparity, height above ground and angle with gravity.

Three channels of 8 bits in which a net that was trained on colours finds edges and surfaces (Gupta, Girshick, Arbelaez
and Malik, ECCV 2014, section 3). Gravity is not measured but found in the scene itself, whose floors and walls are
across and along it (Gupta, Arbelaez and Malik, CVPR 2013, section 3). The constants are those of the authors' code
(rcnn-depth, saveHHA.m and processDepthImage.m), because nets and their mean are made for its images.

Why it is our own: the authors' code is MATLAB, and NumPy with SciPy is all that a data layer may need.

Points are in camera coordinates: x to the right, y down, z forward, in the unit of the depth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

CENTIMETRES = 0.1  # in a millimetre
DISPARITY = 31000.0
"""Disparity is this over depth in centimetres: 31 at 10 m, and 255, the most that is kept, at 1.2 m."""
NEAREST = 100.0
WALL = 128.0
"""A surface along gravity; across it there are 90 less for a floor, 90 more for a ceiling."""
EYE_HEIGHT = 130.0
"""In centimetres, of a camera that sees no ground: nothing in its image is LEAST_DROP below it."""
LEAST_DROP = 90.0
FINE, COARSE = 3, 10
"""Half the side of the window in which a normal is fitted: for the angle, and for gravity."""
ROUNDS = ((45.0, 5), (15.0, 5))
"""For gravity: within how many degrees a normal counts as floor or wall, and how many times it is estimated so."""


class Camera(NamedTuple):
    """Focal lengths and principal point, in pixels; the centre of the first pixel is (0, 0)."""

    fx: float
    fy: float
    cx: float
    cy: float


NYUD = Camera(518.85790117450188, 519.46961112127485, 325.58244941119034 - 1, 253.73616633400465 - 1)
"""The colour camera of NYUDv2, as its toolbox gives it for 640×480 pixels, counted from 1."""
CROPS = {(480, 640): (0, 0), (427, 561): (44, 40), (425, 560): (45, 40)}
"""Height and width of NYUDv2's images, as they are and without their white frame, and what is cut off at the top and
at the left: by the data set's own toolbox, and by Gupta et al., whose images the published nets see."""


def nyud_camera(height: int, width: int) -> Camera:
    """The camera of NYUDv2's images of this size. Raises ValueError for a size they do not have."""
    if (height, width) not in CROPS:
        sizes = ", ".join(f"{w}×{h}" for h, w in CROPS)
        raise ValueError(
            f"a depth image of {width}×{height} pixels is none of NYUDv2's, which are {sizes}. To compute HHA, give "
            "its camera in param_str: 'camera': (fx, fy, cx, cy)."
        )
    top, left = CROPS[height, width]
    return NYUD._replace(cx=NYUD.cx - left, cy=NYUD.cy - top)


def encode(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """The HHA image, height×width×3, uint8, of a depth image, height×width, in millimetres.

    A hole, which is NaN, gets the depth and the angle of the nearest pixel that has them. Raises ValueError where there
    are holes only.
    """
    z = np.asarray(depth, np.float64) * CENTIMETRES
    if np.isnan(z).all():
        raise ValueError("the depth image has no pixel with a depth. Leave this image out of the split.")
    gravity = gravity_direction(normals(z, camera, COARSE))
    slope = normals(z, camera, FINE) @ gravity
    angle = np.degrees(np.arccos(np.clip(slope, -1, 1)))
    angle = _fill(angle) if not np.isnan(angle).all() else np.full_like(angle, 90)
    z = _fill(z)
    channels = (DISPARITY / np.maximum(z, NEAREST), height_above_ground(points(z, camera), gravity), angle + WALL - 90)
    return np.rint(np.clip(np.stack(channels, axis=-1), 0, 255)).astype(np.uint8)


def points(z: np.ndarray, camera: Camera) -> np.ndarray:
    """The point that each pixel shows, height×width×3."""
    v, u = np.indices(z.shape)
    return np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], axis=-1)


def normals(z: np.ndarray, camera: Camera, half: int) -> np.ndarray:
    """The unit normals of the surface, height×width×3, pointing away from the camera: a floor's points down.

    Each is that of the plane fitted by least squares to the pixels of a window, `half` to each side, that have a depth;
    NaN where fewer than three of them do, or all on one line. On a plane, 1/z is an affine function of the pixel's
    column and row, so that the fit is linear, and sums over windows (moments) are all it needs.
    """
    known = ~np.isnan(z)
    weight = known.astype(np.float64)
    inverse = np.divide(1, z, out=np.zeros(z.shape), where=known)
    step = np.arange(-half, half + 1, dtype=np.float64)
    powers = (np.ones_like(step), step, step**2)

    def moment(values: np.ndarray, columns: int, rows: int) -> np.ndarray:
        along = ndimage.correlate1d(values, powers[columns], axis=1, mode="constant")
        return ndimage.correlate1d(along, powers[rows], axis=0, mode="constant")

    m, mx, my = moment(weight, 0, 0), moment(weight, 1, 0), moment(weight, 0, 1)
    mxx, mxy, myy = moment(weight, 2, 0), moment(weight, 1, 1), moment(weight, 0, 2)
    right = np.stack([moment(inverse, 1, 0), moment(inverse, 0, 1), moment(inverse, 0, 0)], axis=-1)
    rows = [np.stack(row, axis=-1) for row in ((mxx, mxy, mx), (mxy, myy, my), (mx, my, m))]
    cofactors = [np.cross(rows[1], rows[2]), np.cross(rows[2], rows[0]), np.cross(rows[0], rows[1])]
    determinant = (rows[0] * cofactors[0]).sum(axis=-1)  # a whole number, and 0 if the window has no plane
    a, b, c = (np.where(determinant > 0.5, (cofactor * right).sum(axis=-1), np.nan) for cofactor in cofactors)

    v, u = np.indices(z.shape)
    normal = np.stack([a * camera.fx, b * camera.fy, c - a * (u - camera.cx) - b * (v - camera.cy)], axis=-1)
    scale = np.linalg.norm(normal, axis=-1, keepdims=True) * np.sign(c)[..., np.newaxis]
    return np.divide(normal, scale, out=np.full(normal.shape, np.nan), where=scale != 0)


def gravity_direction(normal: np.ndarray) -> np.ndarray:
    """The direction of gravity, a unit vector of 3, from the normals, height×width×3, of an upright camera's scene.

    It starts as the camera's own down. A round takes normals near it, or near its opposite, for floors and ceilings,
    those near a right angle to it for walls, and then the direction that is most along the former and least along the
    latter: the eigenvector, of the smallest eigenvalue, of the walls' scatter matrix minus the floors'.
    """
    normal = normal[~np.isnan(normal[..., 0])]
    gravity = np.array([0.0, 1.0, 0.0])
    for degrees, times in ROUNDS:
        for _ in range(times):
            slope = np.abs(normal @ gravity)
            floors = normal[slope > np.cos(np.radians(degrees))]
            walls = normal[slope < np.sin(np.radians(degrees))]
            if len(floors) or len(walls):
                found = np.linalg.eigh(walls.T @ walls - floors.T @ floors)[1][:, 0]
                gravity = found if found @ gravity >= 0 else -found
    return gravity


def height_above_ground(point: np.ndarray, gravity: np.ndarray) -> np.ndarray:
    """The height of points, …×3, in centimetres, above the lowest of them, or, if that is less than LEAST_DROP below
    the camera and so hardly the ground, above what is EYE_HEIGHT below it."""
    height = -(point @ gravity)
    lowest = height.min()
    return height - (lowest if lowest <= -LEAST_DROP else -EYE_HEIGHT)


def _fill(image: np.ndarray) -> np.ndarray:
    """An image with the value of the nearest pixel that has one wherever it is NaN."""
    holes = np.isnan(image)
    if not holes.any():
        return image
    nearest = ndimage.distance_transform_edt(holes, return_distances=False, return_indices=True)
    return image[tuple(nearest)]
