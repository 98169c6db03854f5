"""One-time codes and the challenges they answer: nothing is kept, so that any zone can check what another one sent.

A challenge names the customer, the purpose and a key, and is signed. Its code follows from it and from the secret:
whoever has the challenge alone can tell nothing of the code. That a code is used once, and how often it may be guessed
at, is recorded in the books of the customer's cell, by the key.
"""

from __future__ import annotations

import hmac
import time
import uuid
from dataclasses import dataclass
from typing import Final

from stormbank.problem import BadRequest, Forbidden
from stormbank.signed import CHALLENGE, ClaimError, Signed
from stormbank.wrong import Wrong

PURPOSES: Final = ("bind", "stepup")
DIGITS: Final = 6


@dataclass(frozen=True)
class Challenge:
    """A challenge as it goes to the phone; `code` goes another way."""

    text: str
    key: uuid.UUID
    code: str


class Codes:
    """Makes challenges that last `lifetime_s`, and opens them."""

    def __init__(self, signed: Signed, lifetime_s: int) -> None:
        self._signed = signed
        self.lifetime_s = lifetime_s

    def challenge(self, customer: int, purpose: str) -> Challenge:
        """Return a new challenge to `customer` for one of PURPOSES."""
        key, expires = uuid.uuid4(), int(time.time()) + self.lifetime_s
        text = self._signed.make(CHALLENGE, str(customer), purpose, key.hex, expires=expires)
        return Challenge(text, key, self._code(text))

    def opened(self, text: str, customer: int, purpose: str) -> Challenge:
        """Return the challenge that `text` is.

        Forbidden: `challenge_invalid` (forged, another customer's, for another purpose) or `challenge_expired`.
        """
        try:
            found, meant, key = self._signed.read(CHALLENGE, text).parts
        except ClaimError as error:
            raise Forbidden(f"challenge_{error.reason}") from None
        if (found, meant) != (str(customer), purpose):
            raise Forbidden("challenge_invalid")
        return Challenge(text, uuid.UUID(key), self._code(text))

    def _code(self, challenge: str) -> str:
        # Not the signature: that one is in the challenge.
        number = int(self._signed.mark(f"code of {challenge}")[:16], 16)
        return f"{number % 10**DIGITS:0{DIGITS}}"


def is_right(challenge: Challenge, code: str) -> bool:
    """Whether `code` answers `challenge`; BadRequest when it cannot be a code at all."""
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        raise BadRequest(Wrong.VALUE, f"code is not {DIGITS} digits")
    return hmac.compare_digest(challenge.code, code)
