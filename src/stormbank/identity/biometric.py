"""Biometric tokens: that a customer's face was recognised on a phone a moment ago."""

from __future__ import annotations

import time

from stormbank.problem import Unauthorized
from stormbank.signed import BIOMETRIC, ClaimError, Signed


class Biometrics:
    """Issues and verifies tokens that last `lifetime_s`, each good for one customer on one phone."""

    def __init__(self, signed: Signed, lifetime_s: int) -> None:
        self._signed = signed
        self.lifetime_s = lifetime_s

    def issue(self, customer: int, device: str) -> str:
        """Return a token for `customer` on `device`."""
        expires = int(time.time()) + self.lifetime_s
        return self._signed.make(BIOMETRIC, str(customer), _part(device), expires=expires)

    def demand(self, text: str, customer: int, device: str) -> None:
        """Return when `text` is such a token; Unauthorized `biometric_invalid` or `biometric_expired`."""
        try:
            found = self._signed.read(BIOMETRIC, text).parts
        except ClaimError as error:
            raise Unauthorized(f"biometric_{error.reason}") from None
        if found != (str(customer), _part(device)):
            raise Unauthorized("biometric_invalid")


def _part(device: str) -> str:
    """Return a phone's name as a claim can hold it: without dots."""
    return device.encode().hex()
