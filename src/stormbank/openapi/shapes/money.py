"""Money on its way: transfers, payments, and what became of them."""

from __future__ import annotations

from typing import Any, Final

from stormbank.openapi.shapes import Schema, Shape, record, whole, words
from stormbank.openapi.shapes.account import CUSTOMER, FEN
from stormbank.request import CURRENCY, LARGEST_AMOUNT

AMOUNT: Final = whole(1, LARGEST_AMOUNT, "money in fen, a hundredth of a yuan; never a fraction")
CURRENCY_NAMED: Final[Schema] = {"const": CURRENCY, "description": "what amounts are in anyway"}
KEY: Final[Schema] = {"type": "string", "format": "uuid", "description": "the Idempotency-Key"}
BOOKED: Final[dict[str, Schema]] = {
    "movement": {"type": "integer", "description": "number of the movement in the books"},
    "key": KEY,
    "repeated": {"type": "boolean", "description": "whether it stood in the books already, under this key"},
    "state": {"type": "string", "description": "how far it has come; see the page of clearing"},
    "balance": FEN,
}
_STATE: Final[dict[str, Any]] = {"key": KEY, "state": {"type": "string"}}
_STEPPED_UP: Final = {"Bank-Step-Up": "what a step-up for this movement gave, for a large amount"}

SHAPES: Final = {
    "transfer": Shape(
        "Money to another customer, of this cell or another.",
        201,
        record(BOOKED),
        record({"to": CUSTOMER, "amount": AMOUNT}, currency=CURRENCY_NAMED),
        problems=(403, 409, 422),
        headers=_STEPPED_UP,
    ),
    "payment": Shape(
        "Money to a payee, by way of a clearing account.",
        201,
        record(BOOKED),
        record({"payee": words("name of the payee"), "amount": AMOUNT}, currency=CURRENCY_NAMED),
        problems=(403, 409, 422),
        headers=_STEPPED_UP,
    ),
    "confirm": Shape(
        "What became of a key: booked, and how far it has come, or unknown.",
        200,
        record(_STATE, movement={"type": "integer"}, amount=FEN),
        query={"key": KEY},
        problems=(422,),
    ),
}
