"""Presence on campus."""

from __future__ import annotations

from typing import Final

from stormbank.openapi.shapes import Shape, record, words
from stormbank.openapi.shapes.account import CUSTOMER

_PLACE: Final = words("name of the place")

SHAPES: Final = {
    "checkin": Shape(
        "The customer is at a place.",
        201,
        record({"customer": CUSTOMER, "place": {"type": "string"}}),
        record({"place": _PLACE}),
    ),
}
