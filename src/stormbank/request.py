"""Reading a request's content: everything that is not exactly as agreed is a BadRequest."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from stormbank.epoch import HEADER as EPOCH_HEADER
from stormbank.epoch import Epoch
from stormbank.problem import BadRequest, TooLarge
from stormbank.wrong import Wrong

LARGEST_AMOUNT: Final = 10**12
MONEY_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    "transfer": {"to": int, "amount": int},
    "payment": {"payee": str, "amount": int},
    "invest": {"product": str, "amount": int},
}
"""What the body of a request that moves money holds, by operation: gateway and ledger read the same."""
CURRENCY: Final = "CNY"
"""The only one there is. A request may say it, and no other."""


async def json_fields(
    request: web.BaseRequest, wanted: Mapping[str, type], *others: Mapping[str, type]
) -> dict[str, Any]:
    """Read a JSON object with exactly the `wanted` fields, or exactly those of one of the `others`."""
    return fields_in(await _body_of(request), wanted, *others)


async def _body_of(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge("body") from None


def fields_in(body: bytes, wanted: Mapping[str, type], *others: Mapping[str, type]) -> dict[str, Any]:
    """Read a JSON object with exactly the `wanted` fields, or exactly those of one of the `others`."""
    try:
        found = json.loads(body, object_pairs_hook=_each_once)
    # Nested too deeply is no request of ours either.
    except (ValueError, RecursionError):
        raise BadRequest(Wrong.BODY, "body is not JSON") from None
    if not isinstance(found, dict):
        raise BadRequest(Wrong.BODY, "body is not an object")
    wanted = next((each for each in others if set(each) == set(found)), wanted)
    _demand_none(Wrong.MISSING_FIELD, set(wanted) - set(found))
    _demand_none(Wrong.UNKNOWN_FIELD, set(found) - set(wanted))
    # Exactly the type: true is an int to Python, and no amount of money.
    mistyped = {name for name, kind in wanted.items() if type(found[name]) is not kind}
    halves = {name for name, value in found.items() if isinstance(value, str) and not _whole_text(value)}
    _demand_none(Wrong.FIELD_TYPE, mistyped | halves)
    return found


def money_in(body: bytes, operation: str) -> dict[str, Any]:
    """Read the body of a request that moves money: its fields, the amount checked. It may name the currency."""
    wanted = MONEY_FIELDS[operation]
    found = fields_in(body, wanted, {**wanted, "currency": str})
    currency = found.pop("currency", CURRENCY)
    if currency != CURRENCY:
        raise BadRequest(Wrong.CURRENCY, f"currency is not {CURRENCY}")
    amount_in(found)
    return found


async def money_fields(request: web.BaseRequest, operation: str) -> dict[str, Any]:
    """Read the same from a request."""
    return money_in(await _body_of(request), operation)


def _demand_none(wrong: Wrong, names: set[str]) -> None:
    if names:
        # As they came: a name may be anything that a JSON string can hold, also half a pair.
        said = ", ".join(sorted(names))[:200].encode("utf-8", "replace").decode()
        raise BadRequest(wrong, said)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON a dict; a name that is there twice means one thing to us and another to somebody else."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _whole_text(text: str) -> bool:
    """Whether it can be written anywhere: JSON may hold half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def idempotency_key(request: web.BaseRequest) -> uuid.UUID:
    """Read the Idempotency-Key header."""
    try:
        return uuid.UUID(request.headers.get("Idempotency-Key", ""))
    except ValueError:
        raise BadRequest(Wrong.IDEMPOTENCY_KEY, "Idempotency-Key is not a UUID") from None


def epoch_in(request: web.BaseRequest) -> Epoch | None:
    """Read the epoch that a gateway made the request under, None when it knew none."""
    text = request.headers.get(EPOCH_HEADER)
    try:
        return None if text is None else Epoch.parse(text)
    except ValueError as error:
        raise BadRequest(Wrong.HEADER, f"{EPOCH_HEADER}: {error}") from None


def amount_in(fields: dict[str, Any]) -> int:
    """Check the amount of a money request, in fen."""
    amount = int(fields["amount"])
    if not 0 < amount <= LARGEST_AMOUNT:
        raise BadRequest(Wrong.AMOUNT_RANGE, f"amount is not within 1 to {LARGEST_AMOUNT} fen")
    return amount


def short_text(text: str, name: str, longest: int = 64) -> str:
    """Check a name given by a customer."""
    # PostgreSQL stores no NUL, and JSON may hold half a surrogate pair.
    if not 0 < len(text) <= longest or "\x00" in text or not text.isprintable():
        raise BadRequest(Wrong.TEXT, f"{name} is not 1 to {longest} printable characters")
    return text
