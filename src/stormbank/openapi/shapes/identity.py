"""Who somebody is: login, one-time codes, phones, faces, step-ups."""

from __future__ import annotations

from typing import Any, Final

from stormbank.openapi.shapes import Shape, record, whole, words
from stormbank.openapi.shapes.account import CUSTOMER
from stormbank.openapi.shapes.money import AMOUNT

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_EXPIRES: Final = whole(0, 2**31, "how long it holds, in seconds")
_DEVICE: Final = words("the phone's own name")
_CODE: Final = {"type": "string", "description": "the one-time code that came by SMS"}
_CHALLENGE: Final = {"type": "string", "description": "what the code was asked for with"}
_ANSWERED: Final[dict[str, Any]] = {
    "challenge": _CHALLENGE,
    "code": _CODE,
    "key": {
        "type": "string",
        "format": "uuid",
        "description": "the Idempotency-Key that the movement will carry",
    },
}

SHAPES: Final = {
    "login": Shape(
        "Phone and password, or phone and a face that was recognised, for a session token that holds in every zone.",
        200,
        record({"token": _TEXT, "customer": CUSTOMER, "expires_s": _EXPIRES}),
        {
            "oneOf": [
                record({"customer": CUSTOMER, "device": _DEVICE, "password": _TEXT}),
                record({"customer": CUSTOMER, "device": _DEVICE, "biometric": _TEXT}),
            ]
        },
        problems=(403,),
    ),
    "otp": Shape(
        "Have a one-time code sent, to bind a phone or for a step-up.",
        202,
        record({"challenge": _TEXT, "expires_s": _EXPIRES}),
        record({"customer": CUSTOMER, "password": _TEXT, "purpose": {"enum": ["bind", "stepup"]}}),
    ),
    "bind": Shape(
        "Bind a phone by the code that was sent.",
        201,
        record({"customer": CUSTOMER, "device": _DEVICE}),
        record({"customer": CUSTOMER, "device": _DEVICE, "challenge": _CHALLENGE, "code": _CODE}),
        problems=(403, 409, 422),
    ),
    "face": Shape(
        "A picture for the right to log in with it, from this phone.",
        200,
        record({"biometric": _TEXT, "expires_s": _EXPIRES}),
        record(
            {
                "customer": CUSTOMER,
                "device": _DEVICE,
                "image": {"type": "string", "minLength": 1, "maxLength": 3000},
            }
        ),
    ),
    "stepup": Shape(
        "A code for what one large transfer or payment needs, to be shown with it in the header Bank-Step-Up.",
        200,
        record({"step_up": _TEXT, "expires_s": _EXPIRES}),
        {
            "oneOf": [
                record({**_ANSWERED, "to": CUSTOMER, "amount": AMOUNT}),
                record({**_ANSWERED, "payee": words("name of the payee"), "amount": AMOUNT}),
            ]
        },
        problems=(403, 409, 422),
    ),
}
