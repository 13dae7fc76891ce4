"""How far two sets of arrays are apart, measured against the largest value of each array."""

from __future__ import annotations

import numpy as np

HUGE = 1e30  # Caffe fills with ±FLT_MAX; such numbers are compared, but do not set the scale
SMALL = 1e-3  # arrays that ought to be zero hold rounding errors of numbers of ordinary size


def differences(found: dict, expected: dict, case) -> list[str]:
    """One line for each array that is missing, too many, of another shape, or too far away."""
    lines = []
    for name in sorted(found.keys() | expected.keys()):
        if name in case.unlike:
            continue
        if name not in found or name not in expected:
            lines.append(f"{name}: only {'here' if name in found else 'in real Caffe'}")
            continue
        gradient = name.startswith(("diff/", "grad/"))
        line = difference(found[name], expected[name], case.gradient_tolerance if gradient else case.forward_tolerance)
        if line:
            lines.append(f"{name}: {line}")
    return lines


def difference(found, expected, tolerance: float) -> str | None:
    """None if `found` is `expected` within `tolerance` times the largest expected value; else what differs."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    if expected.size == 0:
        return None
    ordinary = np.isfinite(expected) & (np.abs(expected) < HUGE)
    same = np.isclose(found, expected, rtol=1e-5, atol=0, equal_nan=True)
    if not same[~ordinary].all():
        return f"huge, infinite or NaN values differ: {found[~ordinary][:4]}, expected {expected[~ordinary][:4]}"
    if not ordinary.any():
        return None
    scale = max(np.abs(expected[ordinary]).max(), SMALL)
    distance = np.abs(found - expected)[ordinary]
    if not np.all(distance <= tolerance * scale):
        worst = tuple(np.argwhere(ordinary)[int(np.nanargmax(np.where(np.isnan(distance), np.inf, distance)))])
        place = tuple(map(int, worst))
        return (
            f"{np.nanmax(distance) / scale:.1e} of the largest value apart (allowed {tolerance:.0e}); "
            f"at {place}: {found[worst]:.8g}, expected {expected[worst]:.8g}"
        )
    return None
