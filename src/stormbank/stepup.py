"""Step-up tokens: that a customer has just answered a one-time code, for what a session alone does not suffice for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from stormbank.problem import Forbidden
from stormbank.signed import STEP_UP, ClaimError, Signed

HEADER: Final = "Bank-Step-Up"


class StepUps:
    """Issues step-up tokens, and demands one for amounts above `above` fen; None demands none."""

    def __init__(self, secret: str, above: int | None = None) -> None:
        self._signed = Signed(secret)
        self._above = above

    def issue(self, customer: int, expires: int) -> str:
        """Return a token for `customer` that ends at `expires`, Unix seconds."""
        return self._signed.make(STEP_UP, str(customer), expires=expires)

    def demand(self, customer: int | None, body: bytes, headers: Mapping[str, str]) -> None:
        """Let a request that moves money pass; Forbidden when its amount needs a token and there is no good one."""
        if self._above is None or _amount_in(body) <= self._above:
            return
        token = headers.get(HEADER)
        if token is None:
            raise Forbidden("step_up_required", above=self._above)
        try:
            (whose,) = self._signed.read(STEP_UP, token).parts
        except ClaimError as error:
            raise Forbidden(f"step_up_{error.reason}", above=self._above) from None
        if whose != str(customer):
            raise Forbidden("step_up_invalid", above=self._above)


def _amount_in(body: bytes) -> int:
    """Return the amount that a body asks to be moved; 0 when it is no amount, which is for the ledger to refuse."""
    try:
        amount = json.loads(body)["amount"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
    return amount if type(amount) is int else 0
