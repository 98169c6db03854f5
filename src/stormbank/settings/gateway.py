"""What a gateway needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.scoring import Patience
from stormbank.settings import flow
from stormbank.settings.common import Common, not_every_ledger, read_common, read_ledgers
from stormbank.settings.flow import FlowSettings, read_flow
from stormbank.settings.parse import addresses, by_zone, number, or_off, switch, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class GatewaySettings:
    """`ledgers` by cell and `services` by name: the addresses of each.

    `ledger_zones` are the ledgers' addresses by cell and zone, where they are told apart.

    A service that is not named is one that this bank does not have: its operations are unavailable. `step_up_above` in
    fen, None where no amount needs a step-up.
    """

    common: Common
    ledgers: Mapping[str, tuple[str, ...]]
    ledger_zones: Mapping[str, Mapping[str, tuple[str, ...]]]
    services: Mapping[str, tuple[str, ...]]
    flow: FlowSettings
    step_up_above: int | None
    scoring: Patience | None


def read(reader: Reader) -> GatewaySettings:
    """Read the settings of a gateway; SettingsError lists all that is wrong."""
    common = read_common(reader)
    unread: int | None = None
    settings = GatewaySettings(
        common=common,
        ledgers=read_ledgers(reader, common),
        ledger_zones=reader.read("BANK_LEDGER_ZONES", "", by_zone, {}),
        services=reader.read("BANK_SERVICES", "", addresses("SERVICE", empty=True), {}),
        flow=read_flow(reader),
        step_up_above=reader.read("BANK_STEP_UP_ABOVE", "1000000", or_off(whole(0)), unread),
        scoring=_scoring(reader),
    )
    reader.settle(lambda: _contradictions(settings, reader))
    return settings


def _scoring(reader: Reader) -> Patience | None:
    """Read how anti-fraud is waited for; None where it is not asked."""
    patience = Patience(
        wait_s=reader.read("BANK_RISK_MS", "150", number(0, above=True), 1.0) / 1000,
        closed_above=reader.read("BANK_RISK_CLOSED_ABOVE", "45000", whole(0), 0),
    )
    return patience if reader.read("BANK_RISK", "off", switch, False) else None


def _contradictions(settings: GatewaySettings, reader: Reader) -> Iterator[str]:
    yield from flow.contradictions(settings.flow.rules)
    yield from not_every_ledger(settings.common, settings.ledgers)
    if strangers := sorted(set(settings.ledger_zones) - set(settings.common.cells.names)):
        yield f"BANK_LEDGER_ZONES names {strangers}, which BANK_CELLS does not"
    if settings.scoring is not None and "risk" not in settings.services:
        yield "BANK_RISK=on: BANK_SERVICES names no risk"
    if reader.has("BANK_LEDGER_URL"):
        yield "BANK_LEDGER_URL is no more: BANK_LEDGERS names the ledgers of each cell"
