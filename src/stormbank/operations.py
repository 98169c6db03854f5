"""The bank's operations: their names, addresses and business tiers, in one table that all roles read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Operation:
    """One thing a phone can ask for, or with `internal` one service another.

    `tier` is the business tier (A1, A2, B, C), `service` who does it (the ledger of the customer's cell, or a service
    that serves every cell), `system_type` what kind of work it is (flow, account, query, compute). `session` says that
    a token must be shown, `money` that the request moves money and must carry an idempotency key, `writes` that the
    cell's database commits something, `confirms` that it only asks what became of money that may be on its way (it is
    let in before new money), `stepped_up` that a large amount needs a step-up token as well, `scored` that anti-fraud
    is asked before.
    """

    name: str
    method: str
    path: str
    tier: str
    service: str = "ledger"
    session: bool = True
    money: bool = False
    writes: bool = False
    confirms: bool = False
    stepped_up: bool = False
    scored: bool = False
    internal: bool = False
    system_type: str = "flow"


OPERATIONS: Final = (
    Operation("login", "POST", "/v1/login", "A1", "identity", session=False),
    Operation("otp", "POST", "/v1/otp", "A1", "identity", session=False),
    Operation("bind", "POST", "/v1/devices", "A1", "identity", session=False, writes=True),
    Operation("face", "POST", "/v1/face", "A1", "identity", session=False, system_type="compute"),
    Operation("stepup", "POST", "/v1/stepup", "A1", "identity", writes=True),
    Operation("balance", "GET", "/v1/balance", "A2", system_type="query"),
    Operation(
        "transfer",
        "POST",
        "/v1/transfers",
        "A1",
        money=True,
        writes=True,
        stepped_up=True,
        scored=True,
        system_type="account",
    ),
    Operation(
        "payment",
        "POST",
        "/v1/payments",
        "A1",
        money=True,
        writes=True,
        stepped_up=True,
        scored=True,
        system_type="account",
    ),
    Operation("confirm", "GET", "/v1/movements", "A1", writes=True, confirms=True, system_type="query"),
    Operation("bills", "GET", "/v1/bills", "B", system_type="query"),
    Operation("products", "GET", "/v1/wealth/products", "B", "wealth", system_type="query"),
    Operation("advice", "GET", "/v1/wealth/advice", "B", "wealth", system_type="compute"),
    Operation(
        "invest", "POST", "/v1/wealth/orders", "B", "wealth", money=True, writes=True, system_type="account"
    ),
    Operation("voice", "POST", "/v1/voice", "C", "voice", system_type="compute"),
    Operation("checkin", "POST", "/v1/checkins", "C", "campus", writes=True),
    Operation("offers", "GET", "/v1/offers", "C", "marketing", system_type="compute"),
    Operation(
        "credit",
        "POST",
        "/internal/credits",
        "A1",
        money=True,
        writes=True,
        internal=True,
        system_type="account",
    ),
    Operation("score", "POST", "/internal/score", "A1", "risk", internal=True, system_type="compute"),
    Operation("credentials", "POST", "/internal/credentials", "A1", internal=True, system_type="query"),
    Operation(
        "bind_device", "POST", "/internal/devices", "A1", internal=True, writes=True, system_type="account"
    ),
    Operation("try_code", "POST", "/internal/codes", "A1", internal=True, writes=True, system_type="account"),
    Operation(
        "keep_checkin", "POST", "/internal/checkins", "C", internal=True, writes=True, system_type="account"
    ),
)

BY_NAME: Final = {each.name: each for each in OPERATIONS}
TIERS: Final = tuple(sorted({each.tier for each in OPERATIONS}))


def addresses_of(role: str) -> dict[tuple[str, str], Operation]:
    """Return what `role` answers, by method and path: a gateway all that phones may ask, the others their own."""
    return {
        (each.method, each.path): each
        for each in OPERATIONS
        if (not each.internal if role == "gateway" else each.service == role)
    }
