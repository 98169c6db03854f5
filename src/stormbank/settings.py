"""Settings of a bank process: read once from the environment, all errors reported together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from stormbank.admission import tier_class
from stormbank.cells import Cells
from stormbank.operations import OPERATIONS, TIERS
from stormbank.parse import cell_names, dsn, ledgers, names, number, pairs, secret, switch, whole, zone

T = TypeVar("T")


class SettingsError(Exception):
    """The environment does not describe a bank process; the message lists every reason."""


@dataclass(frozen=True)
class Settings:
    """What a gateway or a ledger needs to know. Times in seconds, rates per second."""

    zone: str
    pod: str
    token_secret: str
    session_s: int
    drain_s: float
    cells: Cells
    # gateway
    ledgers: Mapping[str, tuple[str, ...]]
    limit: int
    tier_order: tuple[str, ...]
    tier_share: Mapping[str, float]
    rate_per_s: Mapping[str, float]
    # ledger
    cell: str
    home: str
    db_dsn: str
    db_password: str | None
    db_pool: int
    db_search_s: float
    slots: int
    service_s: Mapping[str, float]
    idempotency: bool
    customers: int


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.errors: list[str] = []

    def read(self, name: str, default: str, parse: Callable[[str], T], placeholder: T) -> T:
        text = self._env.get(name) or default
        try:
            return parse(text)
        except ValueError as error:
            self.errors.append(f"{name}={text!r}: {error}")
            return placeholder


def from_env(env: Mapping[str, str], role: str) -> Settings:
    """Read the settings of `role` (gateway or ledger); raise SettingsError listing all that is wrong."""
    reader = _Reader(env)
    read = reader.read
    gateway, ledger = role == "gateway", role == "ledger"
    unread: tuple[str, ...] = ("none",)
    cells = read("BANK_CELLS", "cell0", cell_names, unread)
    # Only where there is one cell does it go without saying which is meant.
    only = cells[0] if len(cells) == 1 else ""
    settings = Settings(
        zone=read("BANK_ZONE", "none", str, ""),
        pod=read("BANK_POD", "none", str, ""),
        token_secret=read("BANK_TOKEN_SECRET", "", secret, ""),
        session_s=read("BANK_SESSION_S", "1800", whole(1), 1),
        drain_s=read("BANK_DRAIN_S", "2", number(0), 0.0),
        cells=Cells(cells),
        ledgers=read("BANK_LEDGERS", only and f"{only}=http://ledger:8090", ledgers, {}) if gateway else {},
        limit=read("BANK_LIMIT", "24", whole(1), 1),
        tier_order=read("BANK_TIER_ORDER", "A,B,C", names, ()),
        tier_share=read("BANK_TIER_SHARE", "A=1.0,B=0.7,C=0.5", pairs(0), {}),
        rate_per_s=read("BANK_RATE", "A=400,B=150,C=80", pairs(0), {}),
        cell=read("BANK_CELL", only, str, "") if ledger else "",
        # Where the map has the cell at home when its bank is founded; whoever founds it knows no better than its own.
        home=read("BANK_HOME", env.get("BANK_ZONE") or "none", zone, ""),
        db_dsn=read("BANK_DB_DSN", "postgresql://bank@localhost:5432/bank", dsn, "") if ledger else "",
        db_password=env.get("BANK_DB_PASSWORD") or None,
        db_pool=read("BANK_DB_POOL", "6", whole(2), 2),
        db_search_s=read("BANK_DB_SEARCH_S", "0.1", number(0, above=True), 0.1),
        slots=read("BANK_SLOTS", "2", whole(1), 1),
        service_s=_seconds(
            read(
                "BANK_SERVICE_MS",
                "login=20,balance=8,transfer=15,payment=15,bills=40,checkin=120",
                pairs(0),
                {},
            )
        ),
        idempotency=read("BANK_IDEMPOTENCY", "on", switch, True),
        customers=read("BANK_CUSTOMERS", "10000", whole(1), 1),
    )
    errors = reader.errors or [*_contradictions(settings), *_cells_in_doubt(settings, env, role)]
    if errors:
        raise SettingsError("\n".join(errors))
    return settings


def _seconds(milliseconds: Mapping[str, float]) -> dict[str, float]:
    return {name: value / 1000 for name, value in milliseconds.items()}


def _contradictions(settings: Settings) -> list[str]:
    errors = []
    order = set(settings.tier_order)
    for name, table in (("BANK_TIER_SHARE", settings.tier_share), ("BANK_RATE", settings.rate_per_s)):
        if set(table) != order:
            errors.append(f"{name} names {sorted(table)}, BANK_TIER_ORDER names {sorted(order)}")
    errors += [
        f"BANK_TIER_ORDER does not cover tier {tier}"
        for tier in TIERS
        if tier_class(tier, settings.tier_order) not in order
    ]
    if any(share > 1 for share in settings.tier_share.values()):
        errors.append("BANK_TIER_SHARE: a share is at most 1")
    every = {operation.name for operation in OPERATIONS}
    if set(settings.service_s) != every:
        errors.append(f"BANK_SERVICE_MS names {sorted(settings.service_s)}, not {sorted(every)}")
    return errors


def _cells_in_doubt(settings: Settings, env: Mapping[str, str], role: str) -> list[str]:
    cells = settings.cells.names
    errors = []
    if role == "gateway" and set(settings.ledgers) != set(cells):
        errors.append(f"BANK_LEDGERS names {sorted(settings.ledgers)}, BANK_CELLS names {sorted(cells)}")
    if role == "gateway" and "BANK_LEDGER_URL" in env:
        errors.append("BANK_LEDGER_URL is no more: BANK_LEDGERS names the ledgers of each cell")
    if role == "ledger" and settings.cell not in cells:
        errors.append(f"BANK_CELL={settings.cell!r}: must be one of BANK_CELLS, {', '.join(cells)}")
    return errors
