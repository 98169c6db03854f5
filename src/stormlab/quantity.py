"""Quantities of Kubernetes: `500m` of a processor, `1Gi` of memory."""

from __future__ import annotations

import math
import re

_UNITS = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_FORM = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)")


def quantity(text: str) -> float:
    """Return a quantity as a number in its base unit: cores, bytes, pieces. ValueError for what is none."""
    match = _FORM.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"not a quantity: {text}")
    return float(match[1]) * _UNITS[match[2]]


def whole(text: str) -> int:
    """Return a quantity rounded up to a whole number, as Kubernetes does."""
    # A thousandth of a unit is the finest there is: what floats add beyond it is no reason to round up.
    return math.ceil(round(quantity(text), 3))
