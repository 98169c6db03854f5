"""Who is asking: a customer's session token, or a service that speaks for a customer.

Both are stateless and valid in every zone that knows the secret.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from stormbank.problem import Unauthorized
from stormbank.signed import SERVICE, SESSION, ClaimError, Signed

CUSTOMER_HEADER: Final = "Bank-Customer"
SERVICE_S: Final = 60
"""How long a service's word holds: longer than any deadline, and clocks of two nodes apart."""
_BEARER: Final = "Bearer "


class Sessions:
    """Issues and verifies session tokens that last `lifetime_s`, and the word of one service to another."""

    def __init__(self, secret: str, lifetime_s: int) -> None:
        self._signed = Signed(secret)
        self.lifetime_s = lifetime_s

    def issue(self, customer: int) -> str:
        """Return a token for `customer` that ends `lifetime_s` from now."""
        return self._signed.make(SESSION, str(customer), expires=int(time.time()) + self.lifetime_s)

    def customer_of(self, authorization: str | None) -> int:
        """Return the customer behind an Authorization header; Unauthorized unless genuine and current."""
        if authorization is None or not authorization.startswith(_BEARER):
            raise Unauthorized("token_missing")
        return self._customer(SESSION, authorization[len(_BEARER) :])

    def issue_for_service(self, customer: int) -> str:
        """Return what a service of the bank puts into `Bank-Customer` to ask another one on behalf of `customer`."""
        return self._signed.make(SERVICE, str(customer), expires=int(time.time()) + SERVICE_S)

    def customer_behind(self, headers: Mapping[str, str]) -> int:
        """Return whom an internal operation is about: a service's word, or else the customer's own token.

        Unauthorized unless genuine and current.
        """
        word = headers.get(CUSTOMER_HEADER)
        if word is None:
            return self.customer_of(headers.get("Authorization"))
        return self._customer(SERVICE, word)

    def _customer(self, kind: str, text: str) -> int:
        try:
            (customer,) = self._signed.read(kind, text).parts
        except ClaimError as error:
            raise Unauthorized(f"token_{error.reason}") from None
        return int(customer)
