"""The bank's operations: their names, addresses and business tiers, in one table that all roles read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Operation:
    """One thing a phone can ask for, or with `internal` one service another.

    `tier` is the business tier (A1, A2, B, C), `service` who does it (the ledger of the customer's cell, or a service
    that serves every cell). `session` says that a token must be shown, `money` that the request moves money and must
    carry an idempotency key, `writes` that the cell's database commits something, `stepped_up` that a large amount
    needs a step-up token as well.
    """

    name: str
    method: str
    path: str
    tier: str
    service: str = "ledger"
    session: bool = True
    money: bool = False
    writes: bool = False
    stepped_up: bool = False
    internal: bool = False


OPERATIONS: Final = (
    Operation("login", "POST", "/v1/login", "A1", "identity", session=False),
    Operation("otp", "POST", "/v1/otp", "A1", "identity", session=False),
    Operation("bind", "POST", "/v1/devices", "A1", "identity", session=False, writes=True),
    Operation("face", "POST", "/v1/face", "A1", "identity", session=False),
    Operation("stepup", "POST", "/v1/stepup", "A1", "identity", writes=True),
    Operation("balance", "GET", "/v1/balance", "A2"),
    Operation("transfer", "POST", "/v1/transfers", "A1", money=True, writes=True, stepped_up=True),
    Operation("payment", "POST", "/v1/payments", "A1", money=True, writes=True),
    Operation("bills", "GET", "/v1/bills", "B"),
    Operation("checkin", "POST", "/v1/checkins", "C", writes=True),
    Operation("credentials", "POST", "/internal/credentials", "A1", internal=True),
    Operation("bind_device", "POST", "/internal/devices", "A1", internal=True, writes=True),
    Operation("try_code", "POST", "/internal/codes", "A1", internal=True, writes=True),
)

BY_ADDRESS: Final = {(each.method, each.path): each for each in OPERATIONS}
BY_NAME: Final = {each.name: each for each in OPERATIONS}
TIERS: Final = tuple(sorted({each.tier for each in OPERATIONS}))


def addresses_of(role: str) -> dict[tuple[str, str], Operation]:
    """Return what `role` answers, by method and path: a gateway all that phones may ask, the others their own."""
    return {
        (each.method, each.path): each
        for each in OPERATIONS
        if (not each.internal if role == "gateway" else each.service == role)
    }
