"""What a gateway needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.admission import tier_class
from stormbank.operations import TIERS
from stormbank.settings.common import Common, not_exactly_the_cells, read_common
from stormbank.settings.parse import addresses, names, or_off, pairs, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class GatewaySettings:
    """`ledgers` by cell and `services` by name: the addresses of each. Rates per second.

    `step_up_above` in fen, None where no amount needs a step-up.
    """

    common: Common
    ledgers: Mapping[str, tuple[str, ...]]
    services: Mapping[str, tuple[str, ...]]
    limit: int
    tier_order: tuple[str, ...]
    tier_share: Mapping[str, float]
    rate_per_s: Mapping[str, float]
    step_up_above: int | None


def read(reader: Reader) -> GatewaySettings:
    """Read the settings of a gateway; SettingsError lists all that is wrong."""
    common = read_common(reader)
    only = common.only_cell
    unread: int | None = None
    settings = GatewaySettings(
        common=common,
        ledgers=reader.read("BANK_LEDGERS", only and f"{only}=http://ledger:8090", addresses("CELL"), {}),
        services=reader.read("BANK_SERVICES", "", addresses("SERVICE", empty=True), {}),
        limit=reader.read("BANK_LIMIT", "24", whole(1), 1),
        tier_order=reader.read("BANK_TIER_ORDER", "A,B,C", names, ()),
        tier_share=reader.read("BANK_TIER_SHARE", "A=1.0,B=0.7,C=0.5", pairs(0), {}),
        rate_per_s=reader.read("BANK_RATE", "A=400,B=150,C=80", pairs(0), {}),
        step_up_above=reader.read("BANK_STEP_UP_ABOVE", "5000000", or_off(whole(0)), unread),
    )
    reader.settle(lambda: _contradictions(settings, reader))
    return settings


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
    yield from not_exactly_the_cells("BANK_LEDGERS", set(settings.ledgers), settings.common.cells)
    if reader.has("BANK_LEDGER_URL"):
        yield "BANK_LEDGER_URL is no more: BANK_LEDGERS names the ledgers of each cell"
