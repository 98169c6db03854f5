"""Session tokens: signed, stateless, valid in every zone that knows the secret."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final

from stormbank.problem import Unauthorized

_VERSION: Final = "s1"
_BEARER: Final = "Bearer "


class Sessions:
    """Issues and verifies tokens `s1.<customer>.<expiry, Unix seconds>.<HMAC-SHA256, hex>`."""

    def __init__(self, secret: str, lifetime_s: int) -> None:
        self._secret = secret.encode()
        self.lifetime_s = lifetime_s

    def issue(self, customer: int) -> str:
        """Return a token for `customer` that ends `lifetime_s` from now."""
        claim = f"{_VERSION}.{customer}.{int(time.time()) + self.lifetime_s}"
        return f"{claim}.{self._sign(claim)}"

    def customer_of(self, authorization: str | None) -> int:
        """Return the customer behind an Authorization header; Unauthorized unless genuine and current."""
        if authorization is None or not authorization.startswith(_BEARER):
            raise Unauthorized("token_missing")
        claim, _, signature = authorization[len(_BEARER) :].rpartition(".")
        # Compared as bytes: a header may hold characters that compare_digest refuses in a str.
        if not hmac.compare_digest(self._sign(claim).encode(), signature.encode("utf-8", "replace")):
            raise Unauthorized("token_invalid")
        # The signature is ours, so the shape is too.
        _, customer, expires = claim.split(".")
        if int(expires) < time.time():
            raise Unauthorized("token_expired")
        return int(customer)

    def _sign(self, claim: str) -> str:
        payload = claim.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
