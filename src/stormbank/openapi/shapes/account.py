"""What a customer sees of an account."""

from __future__ import annotations

from typing import Final

from stormbank.openapi.shapes import Shape, record, whole

CUSTOMER: Final = whole(1, 2**63 - 1, "number of the customer, and of the account")
FEN: Final = {"type": "integer", "description": "money in fen, a hundredth of a yuan; never a fraction"}

_ENTRY: Final = record(
    {
        "movement": {"type": "integer"},
        "operation": {"type": "string"},
        "amount": FEN,
        "balance_after": FEN,
        "created_at": {"type": "string", "format": "date-time"},
    }
)

_MARK: Final = {
    "stale": {"type": "boolean", "description": "true: from a standby, while there is no primary"},
    "as_of": {"type": "string", "format": "date-time", "description": "until when a stale answer shows all"},
}

SHAPES: Final = {
    "balance": Shape(
        "What there is on the customer's account.",
        200,
        record({"account": CUSTOMER, "balance": FEN}, **_MARK),
        problems=(422,),
    ),
    "bills": Shape(
        "The newest entries of the customer's account, newest first.",
        200,
        record({"entries": {"type": "array", "items": _ENTRY, "maxItems": 20}}, **_MARK),
    ),
}
