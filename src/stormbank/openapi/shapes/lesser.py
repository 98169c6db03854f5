"""What may be given up first: voice, check-in, offers."""

from __future__ import annotations

from typing import Final

from stormbank.openapi.shapes import Shape, record, words
from stormbank.openapi.shapes.account import CUSTOMER

SHAPES: Final = {
    "voice": Shape(
        "What was said, as text, for what was meant.",
        200,
        record({"intent": {"type": "string"}, "answer": {"type": "string"}}),
        record({"text": words("what was said", 200)}),
    ),
    "checkin": Shape(
        "The customer is at a place.",
        201,
        record({"customer": CUSTOMER, "place": {"type": "string"}}),
        record({"place": words("name of the place")}),
        problems=(422,),
    ),
    "offers": Shape(
        "What marketing has for the customer.",
        200,
        record({"offers": {"type": "array"}, "cached": {"type": "boolean"}}),
    ),
}
