"""Wealth: funds, advice on them, and orders."""

from __future__ import annotations

from typing import Final

from stormbank.openapi.shapes import Shape, record, words
from stormbank.openapi.shapes.money import AMOUNT, BOOKED, CURRENCY_NAMED

_ANY: Final = {"type": "object"}

SHAPES: Final = {
    "products": Shape("The funds there are.", 200, record({"products": {"type": "array", "items": _ANY}})),
    "advice": Shape(
        "How much of which fund suits the customer.",
        200,
        record({"profile": {"type": "integer"}, "shares": {"type": "object"}}),
    ),
    "invest": Shape(
        "Buy of a fund. The order is the movement that pays for it.",
        201,
        record({"order": {"type": "string"}, "product": {"type": "string"}, "amount": AMOUNT, **BOOKED}),
        record({"product": words("name of the fund"), "amount": AMOUNT}, currency=CURRENCY_NAMED),
        problems=(403, 409, 422),
    ),
}
