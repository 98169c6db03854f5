"""Session tokens: signed, stateless, valid in every zone that knows the secret."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

from stormbank.problem import Unauthorized

CUSTOMER_HEADER: Final = "Bank-Customer"
SERVICE_S: Final = 60
"""How long a service's word holds: longer than any deadline, and clocks of two nodes apart."""
_VERSION: Final = "s1"
_SERVICE: Final = "i1"
_BEARER: Final = "Bearer "


class Sessions:
    """Issues and verifies tokens `s1.<customer>.<expiry, Unix seconds>.<HMAC-SHA256, hex>`."""

    def __init__(self, secret: str, lifetime_s: int) -> None:
        self._secret = secret.encode()
        self.lifetime_s = lifetime_s

    def issue(self, customer: int) -> str:
        """Return a token for `customer` that ends `lifetime_s` from now."""
        return self._signed(_VERSION, customer, self.lifetime_s)

    def issue_for_service(self, customer: int) -> str:
        """Return what a service of the bank puts into `Bank-Customer` to ask another one on behalf of `customer`."""
        return self._signed(_SERVICE, customer, SERVICE_S)

    def _signed(self, version: str, customer: int, lifetime_s: int) -> str:
        claim = f"{version}.{customer}.{int(time.time()) + lifetime_s}"
        return f"{claim}.{self._sign(claim)}"

    def customer_of(self, authorization: str | None) -> int:
        """Return the customer behind an Authorization header; Unauthorized unless genuine and current."""
        if authorization is None or not authorization.startswith(_BEARER):
            raise Unauthorized("token_missing")
        return self._customer(_VERSION, authorization[len(_BEARER) :])

    def customer_behind(self, headers: Mapping[str, str]) -> int:
        """Return whom an internal operation is about: a service's word, or else the customer's own token.

        Unauthorized unless genuine and current.
        """
        word = headers.get(CUSTOMER_HEADER)
        if word is None:
            return self.customer_of(headers.get("Authorization"))
        return self._customer(_SERVICE, word)

    def _customer(self, version: str, text: str) -> int:
        claim, _, signature = text.rpartition(".")
        # Compared as bytes: a header may hold characters that compare_digest refuses in a str.
        if not hmac.compare_digest(self._sign(claim).encode(), signature.encode("utf-8", "replace")):
            raise Unauthorized("token_invalid")
        # The signature is ours, so the shape is too.
        kind, customer, expires = claim.split(".")
        if kind != version:
            raise Unauthorized("token_invalid")
        if int(expires) < time.time():
            raise Unauthorized("token_expired")
        return int(customer)

    def _sign(self, claim: str) -> str:
        payload = claim.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
