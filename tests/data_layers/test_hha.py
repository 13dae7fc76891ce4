"""HHA of rooms whose floor, walls and ceiling are known, seen by a camera that looks down and is turned."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from fcn_caffe.data_layers.segdata import hha

CAMERA = hha.nyud_camera(480, 640)._replace(fx=130, fy=130, cx=80, cy=60)
SHAPE = (120, 160)
FLOOR, BACK, SIDE, CEILING = range(4)
ROOM = {FLOOR: ((0, 1, 0), 1400), BACK: ((0, 0, 1), 3500), SIDE: ((1, 0, 0), 1700), CEILING: ((0, -1, 0), 900)}
"""Each surface's normal, away from the camera, in the world's axes, with y down, and its distance in millimetres."""


def turned(down: float, roll: float) -> np.ndarray:
    """Camera to world, for a camera that looks so many degrees down and is rolled so many."""
    a, b = np.radians([-down, roll])
    pitch = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    return pitch @ np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])


def render(rotation: np.ndarray, surfaces: dict = ROOM) -> tuple[np.ndarray, np.ndarray]:
    """Depth in millimetres and the surface that each pixel shows; NaN and -1 where there is none."""
    rays = hha.points(np.ones(SHAPE), CAMERA) @ rotation.T
    depth, shown = np.full(SHAPE, np.inf), np.full(SHAPE, -1)
    for surface, (normal, distance) in surfaces.items():
        along = rays @ np.array(normal, float)
        z = np.divide(distance, along, out=np.full(SHAPE, np.inf), where=along > 1e-9)
        shown, depth = np.where(z < depth, surface, shown), np.minimum(z, depth)
    return np.where(shown < 0, np.nan, depth), shown


def inside(shown: np.ndarray, surface: int, margin: int = hha.FINE) -> np.ndarray:
    """The pixels whose window shows this surface alone."""
    return binary_erosion(shown == surface, np.ones((2 * margin + 1,) * 2), border_value=1)


POSES = [(0, 0), (20, 5), (30, -10), (-15, 8)]


@pytest.mark.parametrize("pose", POSES)
def test_gravity_is_found(pose) -> None:
    rotation = turned(*pose)
    depth, _ = render(rotation)
    gravity = hha.gravity_direction(hha.normals(depth, CAMERA, hha.COARSE))
    assert np.degrees(np.arccos(min(1, gravity @ (rotation.T @ [0, 1, 0])))) < 1


@pytest.mark.parametrize("pose", POSES)
def test_angle(pose) -> None:
    depth, shown = render(turned(*pose))
    angle = hha.encode(depth, CAMERA)[:, :, 2]
    for surface, degrees in ((FLOOR, 0), (BACK, 90), (SIDE, 90), (CEILING, 180)):
        seen = angle[inside(shown, surface)].astype(int)
        if seen.size:
            assert abs(seen - (degrees + 38)).max() <= 2
    assert inside(shown, BACK).any()


@pytest.mark.parametrize("pose", [(20, 5), (30, -10)])
def test_height(pose) -> None:
    rotation = turned(*pose)
    depth, shown = render(rotation)
    height = hha.encode(depth, CAMERA)[:, :, 1].astype(float)
    true = 140 - (hha.points(depth, CAMERA) @ rotation.T)[:, :, 1] / 10
    assert (shown == FLOOR).sum() > 1000
    assert height[shown == FLOOR].max() <= 6
    np.testing.assert_allclose(height, np.clip(true, 0, 255), atol=6)


def test_ground_that_is_not_seen_is_taken_to_be_at_eye_height() -> None:
    depth, _ = render(turned(-40, 0))
    points = hha.points(depth, CAMERA) @ turned(-40, 0).T
    assert points[:, :, 1].max() < 900
    height = hha.encode(depth, CAMERA)[:, :, 1].astype(float)
    np.testing.assert_allclose(height, np.clip(130 - points[:, :, 1] / 10, 0, 255), atol=4)


def test_disparity() -> None:
    depth = np.repeat(np.array([[500.0, 1000, 1300, 2000, 3100, 10000]]), 40, axis=0).repeat(10, axis=1)
    found = hha.encode(depth, CAMERA)[20, 5::10, 0]
    assert found.tolist() == [255, 255, round(31000 / 130), 155, 100, 31]


def test_normals_of_a_plane_are_exact_and_point_away() -> None:
    normal = np.array([0.3, 0.8, 0.5]) / np.linalg.norm([0.3, 0.8, 0.5])
    along = hha.points(np.ones(SHAPE), CAMERA) @ normal
    seen = along > 0.1
    depth = np.divide(1000, along, out=np.full(SHAPE, np.nan), where=seen)
    assert 5000 < seen.sum() < seen.size
    for half in (hha.FINE, hha.COARSE):
        found = hha.normals(depth, CAMERA, half)[seen]
        np.testing.assert_allclose(found, np.broadcast_to(normal, found.shape), atol=1e-6)


def test_a_window_without_a_plane_has_no_normal() -> None:
    depth = np.full((30, 30), np.nan)
    depth[5, :] = 1000
    depth[25, 25] = depth[25, 26] = 1000
    assert np.isnan(hha.normals(depth, CAMERA, 3)).all()
    depth[26, 25] = 1000
    assert not np.isnan(hha.normals(depth, CAMERA, 3)[25, 25]).any()


def test_holes_take_what_is_nearest() -> None:
    depth, shown = render(turned(20, 5))
    whole = hha.encode(depth, CAMERA)
    holes = inside(shown, BACK, 12) & (np.add.outer(np.arange(120) // 15, np.arange(160) // 15) % 2 == 0)
    assert holes.sum() > 500
    with_holes = hha.encode(np.where(holes, np.nan, depth), CAMERA)
    difference = abs(with_holes.astype(int) - whole)
    assert (difference[..., 2] <= 2).all()
    assert difference.max() <= 10
    assert difference[~holes].max() <= 2


def test_noise_does_not_turn_gravity() -> None:
    rotation = turned(20, 5)
    depth, _ = render(rotation)
    depth += np.random.default_rng(0).normal(0, 3, SHAPE)
    gravity = hha.gravity_direction(hha.normals(depth, CAMERA, hha.COARSE))
    assert np.degrees(np.arccos(min(1, gravity @ (rotation.T @ [0, 1, 0])))) < 2


def test_no_depth_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixel with a depth"):
        hha.encode(np.full(SHAPE, np.nan), CAMERA)


def test_a_single_depth_gives_an_image() -> None:
    depth = np.full((9, 9), np.nan)
    depth[4, 4] = 2000
    assert (hha.encode(depth, CAMERA)[:, :, 2] == 128).all()


def test_cameras_of_nyud_crops_look_the_same_way() -> None:
    whole = hha.points(np.full((480, 640), 2000.0), hha.nyud_camera(480, 640))
    for (height, width), (top, left) in hha.CROPS.items():
        cropped = hha.points(np.full((height, width), 2000.0), hha.nyud_camera(height, width))
        np.testing.assert_allclose(cropped, whole[top : top + height, left : left + width])
