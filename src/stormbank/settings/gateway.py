"""What a gateway needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.admission import tier_class
from stormbank.operations import TIERS
from stormbank.scoring import Patience
from stormbank.settings.common import Common, not_every_ledger, read_common, read_ledgers
from stormbank.settings.parse import addresses, names, number, or_off, pairs, switch, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class GatewaySettings:
    """`ledgers` by cell and `services` by name: the addresses of each. Rates per second.

    A service that is not named is one that this bank does not have: its operations are unavailable. `step_up_above` in
    fen, None where no amount needs a step-up.
    """

    common: Common
    ledgers: Mapping[str, tuple[str, ...]]
    services: Mapping[str, tuple[str, ...]]
    limit: int
    tier_order: tuple[str, ...]
    tier_share: Mapping[str, float]
    rate_per_s: Mapping[str, float]
    step_up_above: int | None
    scoring: Patience | None


def read(reader: Reader) -> GatewaySettings:
    """Read the settings of a gateway; SettingsError lists all that is wrong."""
    common = read_common(reader)
    unread: int | None = None
    settings = GatewaySettings(
        common=common,
        ledgers=read_ledgers(reader, common),
        services=reader.read("BANK_SERVICES", "", addresses("SERVICE", empty=True), {}),
        limit=reader.read("BANK_LIMIT", "24", whole(1), 1),
        tier_order=reader.read("BANK_TIER_ORDER", "A,B,C", names, ()),
        tier_share=reader.read("BANK_TIER_SHARE", "A=1.0,B=0.7,C=0.5", pairs(0), {}),
        rate_per_s=reader.read("BANK_RATE", "A=400,B=150,C=80", pairs(0), {}),
        step_up_above=reader.read("BANK_STEP_UP_ABOVE", "5000000", or_off(whole(0)), unread),
        scoring=_scoring(reader),
    )
    reader.settle(lambda: _contradictions(settings, reader))
    return settings


def _scoring(reader: Reader) -> Patience | None:
    """Read how anti-fraud is waited for; None where it is not asked."""
    patience = Patience(
        wait_s=reader.read("BANK_RISK_MS", "150", number(0, above=True), 1.0) / 1000,
        closed_above=reader.read("BANK_RISK_CLOSED_ABOVE", "50000", whole(0), 0),
    )
    return patience if reader.read("BANK_RISK", "off", switch, False) else None


def _contradictions(settings: GatewaySettings, reader: Reader) -> Iterator[str]:
    order = set(settings.tier_order)
    for name, table in (("BANK_TIER_SHARE", settings.tier_share), ("BANK_RATE", settings.rate_per_s)):
        if set(table) != order:
            yield f"{name} names {sorted(table)}, BANK_TIER_ORDER names {sorted(order)}"
    for tier in TIERS:
        if tier_class(tier, settings.tier_order) not in order:
            yield f"BANK_TIER_ORDER does not cover tier {tier}"
    if any(share > 1 for share in settings.tier_share.values()):
        yield "BANK_TIER_SHARE: a share is at most 1"
    yield from not_every_ledger(settings.common, settings.ledgers)
    if settings.scoring is not None and "risk" not in settings.services:
        yield "BANK_RISK=on: BANK_SERVICES names no risk"
    if reader.has("BANK_LEDGER_URL"):
        yield "BANK_LEDGER_URL is no more: BANK_LEDGERS names the ledgers of each cell"
