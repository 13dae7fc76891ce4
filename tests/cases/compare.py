"""How far two sets of arrays are apart, measured against the largest value of each array."""

from __future__ import annotations

from fnmatch import fnmatch

import numpy as np

HUGE = 1e30  # Caffe fills with ±FLT_MAX; such numbers are compared, but do not set the scale
SMALL = 1e-3  # an array that ought to be zero holds rounding errors of ordinary numbers: its scale is never less
SMALL_IN_NETS = 1e-2  # and those of the layers before


def differences(found: dict, expected: dict, case) -> list[str]:
    """One line for each array that is missing, too many, of another shape, or too far away."""
    small = SMALL if case.type else SMALL_IN_NETS
    lines = []
    for name in sorted(found.keys() | expected.keys()):
        if any(fnmatch(name, pattern) for pattern in case.unlike):
            continue
        if name not in found or name not in expected:
            lines.append(f"{name}: only {'here' if name in found else 'in real Caffe'}")
            continue
        gradient = name.startswith(("diff/", "grad/"))
        tolerance = case.gradient_tolerance if gradient else case.forward_tolerance
        line = difference(found[name], expected[name], tolerance, small)
        if line:
            lines.append(f"{name}: {line}")
    return lines


def difference(found, expected, tolerance: float, small: float = SMALL) -> str | None:
    """None if `found` is within `tolerance` times the largest expected value (or `small`); else what differs."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    if expected.size == 0:
        return None
    ordinary = np.isfinite(expected) & (np.abs(expected) < HUGE)
    if not ordinary.all():
        special = found[~ordinary], expected[~ordinary]
        if not np.isclose(*special, rtol=1e-5, atol=0, equal_nan=True).all():
            return f"huge, infinite or NaN values differ: {special[0][:4]}, expected {special[1][:4]}"
        found, expected = np.where(ordinary, found, 0), np.where(ordinary, expected, 0)
    scale = max(np.abs(expected).max(), small)
    allowed = tolerance * scale
    distance = np.abs(found - expected)
    if (distance <= allowed).all():
        return None
    place = np.unravel_index(int(np.argmax(np.where(np.isnan(distance), np.inf, distance))), distance.shape)
    return (
        f"{distance[place] / scale:.1e} of the largest value apart (allowed {tolerance:.0e}), "
        f"{int((~(distance <= allowed)).sum())} of {distance.size} too far; "
        f"at {tuple(map(int, place))}: {found[place]:.8g}, expected {expected[place]:.8g}"
    )
