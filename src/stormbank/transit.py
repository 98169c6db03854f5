"""What cells agree on about money between them: the accounts it passes through, and how one asks the other.

Each cell has in-transit accounts for every other cell. What left for that cell is credited there, what came from it is
debited: over both cells, and over all, they cancel when nothing is under way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from stormbank.cells import Cells

SPREAD: Final = 16  # accounts for one other cell: a single one would have all transfers wait for each other
_FIRST: Final = 1001  # clearing accounts have the numbers above it
RETURNED: Final = "transfer_back"  # the operation of a movement that gives a payer's money back


def kind_of(cell: str) -> str:
    """Return the kind of an outbox's row for a transfer to `cell`: each cell has its own, for each may be away."""
    return f"transfer.{cell}"


def transit_account(cells: Cells, other: str, row: uuid.UUID) -> int:
    """Return the account (a negative id) through which the transfer `row` to or from the cell `other` passes."""
    return -(_FIRST + cells.names.index(other) * SPREAD + row.int % SPREAD)


def transit_accounts(cells: Cells, cell: str) -> Iterator[int]:
    """Yield all in-transit accounts of `cell`."""
    for other in cells.names:
        if other != cell:
            yield from (transit_account(cells, other, uuid.UUID(int=number)) for number in range(SPREAD))


@dataclass(frozen=True)
class Transfer:
    """A transfer to another cell as it stands in the payer's outbox. `key` is the order's; `amount` in fen."""

    key: uuid.UUID
    from_account: int
    to_account: int
    amount: int

    def content(self) -> dict[str, Any]:
        """Return it as JSON fields."""
        return {
            "key": str(self.key),
            "from": self.from_account,
            "to": self.to_account,
            "amount": self.amount,
        }

    @classmethod
    def of(cls, content: Any) -> Transfer:
        """Read what `content` wrote."""
        return cls(uuid.UUID(content["key"]), content["from"], content["to"], content["amount"])
