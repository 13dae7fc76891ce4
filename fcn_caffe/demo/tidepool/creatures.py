"""The animals (and one alga): outlines as polygons, skins as functions of place.

A creature lives in a square of its own, x to the right and y down, both in −1…1. An outline is a list of polygons; a
skin maps the coordinates of pixels, two arrays, to colours, RGB in 0–255.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

Polygon = np.ndarray
"""Corners, n×2, (x, y)."""
Skin = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass
class Creature:
    """One individual. turn: by how much it may be rotated, in radians; depth: how much it bulges."""

    outline: list[Polygon]
    skin: Skin
    turn: float
    depth: float


def starfish(rng: np.random.Generator) -> Creature:
    """A starfish with five arms of random lengths."""
    arms, waist, taper = 5, rng.uniform(0.30, 0.38), rng.uniform(1.5, 2.3)
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    reach = 1 + rng.uniform(-0.12, 0.0, arms)
    arm = np.round(angle / (2 * np.pi / arms)).astype(int) % arms
    radius = waist + (reach[arm] - waist) * np.abs(np.cos(angle * arms / 2)) ** taper
    bend = rng.uniform(-0.35, 0.35)
    outline = [_polar(angle + bend * radius**2, radius)]
    dark, light = _shade(rng, (206, 76, 18), 18), _shade(rng, (255, 172, 58), 18)
    dots = rng.uniform(13, 17)

    def skin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        r = np.hypot(x, y)
        theta = np.arctan2(y, x) - bend * r**2
        ridge = np.exp(-(((np.sin(theta * arms / 2) * r) / 0.10) ** 2))
        bumps = np.clip(np.cos(dots * x) * np.cos(dots * y) * 2.5, 0, 1)
        return _blend(dark, light, 0.25 + 0.35 * ridge + 0.55 * bumps)

    return Creature(outline, skin, np.pi, 1.0)


def fish(rng: np.random.Generator) -> Creature:
    """A fish with random height and stripes."""
    height = rng.uniform(0.40, 0.54)
    t = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    body = np.stack([0.14 + 0.76 * np.cos(t), height * np.sin(t) * (0.86 + 0.14 * np.cos(t))], 1)
    fork = rng.uniform(0.62, 0.8)
    tail = np.array([(-0.45, -0.10), (-1.0, -0.46), (-fork, 0.0), (-1.0, 0.46), (-0.45, 0.10)])
    back = np.array([(0.45, -0.75 * height), (0.0, -height - 0.26), (-0.34, -height - 0.12), (-0.42, -0.55 * height)])
    belly = np.array([(0.2, 0.9 * height), (-0.16, height + 0.22), (-0.30, 0.72 * height)])
    pairs = (((250, 214, 60), (24, 58, 150)), ((238, 240, 244), (28, 34, 52)), ((110, 190, 250), (22, 44, 128)))
    ground, stripe = (_shade(rng, colour, 12) for colour in pairs[rng.integers(len(pairs))])
    bands, phase, tilt = rng.uniform(11, 14), rng.uniform(0, 6), rng.uniform(-2, 2)

    def skin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        banded = np.clip(0.5 + 1.6 * np.sin(bands * x + phase + tilt * y), 0, 1) * (x < 0.52)
        colours = _blend(ground, stripe, banded)
        eye = np.hypot(x - 0.66, y + 0.10)
        colours[eye < 0.125] = (250, 250, 250)
        colours[eye < 0.07] = (10, 10, 12)
        return colours

    return Creature([body, tail, back, belly], skin, 0.6, 0.9)


def crab(rng: np.random.Generator) -> Creature:
    """A crab with claws and legs."""
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    body = np.stack([0.56 * np.cos(t), 0.08 + 0.44 * np.sin(t) * (1 - 0.18 * np.sin(t))], 1)
    outline = [body]
    for side in (-1, 1):
        for y, rise, drop in ((0.02, -0.14, 0.16), (0.20, 0.00, 0.30), (0.36, 0.16, 0.34)):
            knee = (side * rng.uniform(0.76, 0.84), y + rise)
            foot = (side * rng.uniform(0.92, 0.98), y + rise + drop)
            outline.append(_stroke([(side * 0.40, y), knee, foot], [0.09, 0.085, 0.04]))
        elbow, wrist = (side * 0.74, -0.36), (side * rng.uniform(0.44, 0.54), -0.58)
        outline.append(_stroke([(side * 0.46, -0.14), elbow, wrist], [0.09, 0.10, 0.12]))
        claw = _polar(t, np.full(60, 0.30)) * (0.9, 1.1) + (wrist[0], wrist[1] - 0.10)
        notch = np.abs((t + np.pi / 2 + np.pi) % (2 * np.pi) - np.pi) < 0.24
        claw[notch] = (wrist[0], wrist[1] - 0.08)
        outline.append(claw)
    dark, light = _shade(rng, (104, 8, 36), 12), _shade(rng, (214, 40, 62), 14)
    spots = rng.uniform(-0.4, 0.4, (9, 2)) * (1.0, 0.7) + (0, 0.06)

    def skin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        freckles = sum(np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / 0.006) for sx, sy in spots)
        colours = _blend(light, dark, np.clip(0.15 + 0.9 * freckles + 0.35 * np.hypot(x, y), 0, 1))
        for side in (-1, 1):
            colours[np.hypot(x - side * 0.16, y + 0.26) < 0.075] = (16, 12, 12)
        return colours

    return Creature(outline, skin, np.pi, 0.9)


def jellyfish(rng: np.random.Generator) -> Creature:
    """A jellyfish: a dome with tentacles below it."""
    t = np.linspace(np.pi, 2 * np.pi, 60)
    dome = np.stack([0.82 * np.cos(t), 0.02 + 0.92 * np.sin(t)], 1)
    hem_x = np.linspace(0.82, -0.82, 60)
    hem = np.stack([hem_x, 0.05 + 0.09 * np.abs(np.sin(hem_x * np.pi * 3 / 0.82))], 1)
    outline = [np.concatenate([dome, hem])]
    for x in np.linspace(-0.6, 0.6, 5):
        length, sway, phase = rng.uniform(0.7, 0.95), rng.uniform(0.05, 0.10), rng.uniform(0, 6)
        y = np.linspace(0.0, length, 14)
        path = np.stack([x * (1 - 0.15 * y) + sway * np.sin(5 * y + phase) * (y > 0), y], 1)
        outline.append(_stroke(path, np.linspace(0.085, 0.05, 14)))
    rim, middle = _shade(rng, (150, 66, 190), 16), _shade(rng, (252, 190, 236), 12)
    ribs = rng.integers(7, 10)

    def skin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        r = np.hypot(x, y - 0.1)
        lines = np.clip(np.cos(2 * ribs * np.arctan2(y - 0.1, x)), 0, 1) ** 2
        bell = _blend(middle, rim, np.clip(0.9 * r**2 + 0.45 * lines * (r > 0.2), 0, 1))
        return np.where((y > 0.10)[..., None], _blend(rim, middle, 0.25 + 0 * x), bell)

    return Creature(outline, skin, 0.7, 0.8)


def seaweed(rng: np.random.Generator) -> Creature:
    """A tuft of seaweed: four or five leaning blades."""
    outline = []
    for lean in np.linspace(-0.75, 0.75, rng.integers(4, 6)) + rng.uniform(-0.08, 0.08):
        t = np.linspace(0, 1, 24)
        length, wave, phase = rng.uniform(1.5, 1.9), rng.uniform(0.05, 0.10), rng.uniform(0, 6)
        path = np.stack([lean * t + wave * np.sin(7 * t + phase) * t, 0.95 - length * t * (1 - 0.12 * abs(lean))], 1)
        width = rng.uniform(0.12, 0.15) * np.sin(np.pi * (0.12 + 0.88 * t) ** 0.8) + 0.03
        outline.append(_stroke(path, width))
    dark, light = _shade(rng, (20, 84, 30), 12), _shade(rng, (136, 196, 52), 16)
    phase = rng.uniform(0, 6)

    def skin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        veins = 0.5 + 0.5 * np.sin(26 * y + 9 * np.abs(x) + phase)
        return _blend(dark, light, np.clip(0.15 + 0.45 * veins - 0.35 * y, 0, 1))

    return Creature(outline, skin, 0.5, 0.7)


CREATURES = (starfish, fish, crab, jellyfish, seaweed)
CLASSES = ("background", *(creature.__name__ for creature in CREATURES))


def _polar(angle: np.ndarray, radius: np.ndarray) -> Polygon:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _stroke(path: np.ndarray | list[tuple[float, float]], width: np.ndarray | list[float]) -> Polygon:
    """The outline of a line through the points of `path`, `width` (half of it to each side) at each of them."""
    points, half = np.asarray(path, float), np.asarray(width, float)[:, None]
    along = np.gradient(points, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1) * half
    return np.concatenate([points + across, (points - across)[::-1]])


def _shade(rng: np.random.Generator, colour: tuple[int, int, int], spread: float) -> np.ndarray:
    return np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 255)


def _blend(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)[..., None]
    return one * (1 - share) + other * share
