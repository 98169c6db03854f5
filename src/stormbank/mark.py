"""What a gateway tells a ledger about the score of a movement, in headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stormbank.problem import BadRequest
from stormbank.wrong import Wrong

UNSCORED: Final = "Bank-Unscored"
BARRED: Final = "Bank-Barred"
REFUSED: Final = "refused"
"""Anti-fraud says no."""
CLOSED: Final = "closed"
"""Nobody has scored it, and it is too large for that."""


@dataclass(frozen=True)
class Mark:
    """A movement that is not marked was scored and passed, or its bank scores none.

    `unscored` goes into the books with it. `bar` is why it must not be booked: only if it has been booked before does
    the ledger answer as always. A gateway cannot know that, and a refusal of what was booked would be false.
    """

    unscored: bool = False
    bar: str | None = None

    def headers(self) -> dict[str, str]:
        """Return it as headers."""
        marked = {UNSCORED: "1"} if self.unscored else {}
        return marked if self.bar is None else marked | {BARRED: self.bar}

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Mark:
        """Read it; BadRequest."""
        unscored, bar = headers.get(UNSCORED), headers.get(BARRED)
        if unscored not in (None, "1"):
            raise BadRequest(Wrong.HEADER, f"{UNSCORED} is not 1")
        if bar not in (None, REFUSED, CLOSED):
            raise BadRequest(Wrong.HEADER, f"{BARRED} is not {REFUSED} or {CLOSED}")
        return cls(unscored is not None, bar)


NO_MARK: Final = Mark()
