"""Claims signed with the bank's secret: stateless, and good in every zone that knows the secret.

A claim is `KIND.PART...EXPIRY.SIGNATURE`: what it is of, its parts, when it ends (Unix seconds), and the HMAC-SHA256 of
all that in hex. The kind is signed too, so that a claim of one kind is none of another.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final

SESSION: Final = "s1"
SERVICE: Final = "i1"
CHALLENGE: Final = "c1"
BIOMETRIC: Final = "b1"
STEP_UP: Final = "u1"


class ClaimError(Exception):
    """Not a claim of ours of this kind (`invalid`), or one that has ended (`expired`); `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Claim:
    """A genuine claim that has not ended: its parts, and its end in Unix seconds."""

    parts: tuple[str, ...]
    expires: int


class Signed:
    """Makes and reads claims."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def make(self, kind: str, *parts: str, expires: int) -> str:
        """Return a claim of `kind` that ends at `expires`, Unix seconds. No part may hold a dot."""
        claim = ".".join((kind, *parts, str(expires)))
        return f"{claim}.{self.mark(claim)}"

    def read(self, kind: str, text: str) -> Claim:
        """Return the claim of `kind` that `text` is; ClaimError otherwise, whatever it is."""
        claim, _, signature = text.rpartition(".")
        # Compared as bytes: a text may hold characters that compare_digest refuses in a str.
        if not hmac.compare_digest(self.mark(claim).encode(), signature.encode("utf-8", "replace")):
            raise ClaimError("invalid")
        # The signature is ours, so the shape is too.
        found, *parts, expires = claim.split(".")
        if found != kind:
            raise ClaimError("invalid")
        if int(expires) < time.time():
            raise ClaimError("expired")
        return Claim(tuple(parts), int(expires))

    def mark(self, text: str) -> str:
        """Return the HMAC of `text` in hex: what nobody can tell of a text without the secret."""
        payload = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
