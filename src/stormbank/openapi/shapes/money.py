"""Money on its way: transfers and payments."""

from __future__ import annotations

from typing import Any, Final

from stormbank.openapi.shapes import Shape, record, whole, words
from stormbank.openapi.shapes.account import CUSTOMER, FEN
from stormbank.request import LARGEST_AMOUNT

AMOUNT: Final = whole(1, LARGEST_AMOUNT, "money in fen, a hundredth of a yuan; never a fraction")

BOOKED: Final[dict[str, Any]] = record(
    {
        "movement": {"type": "integer", "description": "number of the movement in the books"},
        "key": {"type": "string", "format": "uuid", "description": "the Idempotency-Key"},
        "repeated": {
            "type": "boolean",
            "description": "whether it stood in the books already, under this key",
        },
        "balance": FEN,
    }
)

SHAPES: Final = {
    "transfer": Shape(
        "Money to another customer.",
        201,
        BOOKED,
        record({"to": CUSTOMER, "amount": AMOUNT}),
        problems=(409, 422),
    ),
    "payment": Shape(
        "Money to a payee, by way of a clearing account.",
        201,
        BOOKED,
        record({"payee": words("name of the payee"), "amount": AMOUNT}),
        problems=(409, 422),
    ),
}
