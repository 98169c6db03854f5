"""The bank's operations: their names, addresses and business tiers, in one table both roles read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Operation:
    """One thing a phone can ask for.

    `tier` is the business tier (A1, A2, B, C), `service` who does it (the ledger of the customer's cell, or a service
    that serves every cell). `session` says that a token must be shown, `money` that the request moves money and must
    carry an idempotency key, `writes` that the cell's database commits something.
    """

    name: str
    method: str
    path: str
    tier: str
    service: str = "ledger"
    session: bool = True
    money: bool = False
    writes: bool = False


OPERATIONS: Final = (
    Operation("login", "POST", "/v1/login", "A1", session=False),
    Operation("balance", "GET", "/v1/balance", "A2"),
    Operation("transfer", "POST", "/v1/transfers", "A1", money=True, writes=True),
    Operation("payment", "POST", "/v1/payments", "A1", money=True, writes=True),
    Operation("bills", "GET", "/v1/bills", "B"),
    Operation("checkin", "POST", "/v1/checkins", "C", writes=True),
)

BY_ADDRESS: Final = {(each.method, each.path): each for each in OPERATIONS}
METHODS: Final = {
    each.path: ", ".join(sorted(other.method for other in OPERATIONS if other.path == each.path))
    for each in OPERATIONS
}
"""By path, the methods that there are, as the header Allow has them."""
SERVICES: Final = frozenset(each.service for each in OPERATIONS)
TIERS: Final = tuple(sorted({each.tier for each in OPERATIONS}))
