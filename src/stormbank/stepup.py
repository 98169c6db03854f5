"""Step-up tokens: that a customer has just answered a one-time code for this one movement, and for no other."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from stormbank.problem import Forbidden
from stormbank.signed import STEP_UP, ClaimError, Signed

HEADER: Final = "Bank-Step-Up"
TARGETS: Final = ("to", "payee")
"""Fields that say who gets the money."""


def order_of(key: uuid.UUID, fields: Mapping[str, Any]) -> str:
    """Return what a token is bound to: a digest of the movement's key, who gets the money, and how much."""
    target = {name: fields[name] for name in TARGETS if name in fields}
    said = json.dumps([str(key), target, fields["amount"]], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


class StepUps:
    """Issues step-up tokens, and demands one for amounts above `above` fen; None demands none."""

    def __init__(self, secret: str, above: int | None = None) -> None:
        self._signed = Signed(secret)
        self._above = above

    def issue(self, customer: int, order: str, expires: int) -> str:
        """Return a token for the `order` of `customer` that ends at `expires`, Unix seconds."""
        return self._signed.make(STEP_UP, str(customer), order, expires=expires)

    def demand(self, customer: int | None, key: uuid.UUID, body: bytes, headers: Mapping[str, str]) -> None:
        """Let a request that moves money pass; Forbidden when its amount needs a token and there is no good one."""
        fields = _fields_in(body)
        if self._above is None or fields["amount"] <= self._above:
            return
        token = headers.get(HEADER)
        if token is None:
            raise Forbidden("step_up_required", above=self._above)
        try:
            found = self._signed.read(STEP_UP, token).parts
        except ClaimError as error:
            raise Forbidden(f"step_up_{error.reason}", above=self._above) from None
        # Another's, or for another movement.
        if found != (str(customer), order_of(key, fields)):
            raise Forbidden("step_up_invalid", above=self._above)


def _fields_in(body: bytes) -> Mapping[str, Any]:
    """Return the fields of a body; an amount of 0 when it holds none, which is for the ledger to refuse."""
    try:
        found = json.loads(body)
        known = type(found["amount"]) is int
    except (ValueError, TypeError, KeyError, RecursionError):
        known = False
    return found if known else {"amount": 0}
