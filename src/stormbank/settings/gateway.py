"""What a gateway needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.settings import flow
from stormbank.settings.common import Common, not_exactly_the_cells, read_common
from stormbank.settings.flow import FlowSettings, read_flow
from stormbank.settings.parse import addresses
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class GatewaySettings:
    """`ledgers` by cell and `services` by name: the addresses of each."""

    common: Common
    ledgers: Mapping[str, tuple[str, ...]]
    services: Mapping[str, tuple[str, ...]]
    flow: FlowSettings


def read(reader: Reader) -> GatewaySettings:
    """Read the settings of a gateway; SettingsError lists all that is wrong."""
    common = read_common(reader)
    only = common.only_cell
    settings = GatewaySettings(
        common=common,
        ledgers=reader.read("BANK_LEDGERS", only and f"{only}=http://ledger:8090", addresses("CELL"), {}),
        services=reader.read("BANK_SERVICES", "", addresses("SERVICE", empty=True), {}),
        flow=read_flow(reader),
    )
    reader.settle(lambda: _contradictions(settings, reader))
    return settings


def _contradictions(settings: GatewaySettings, reader: Reader) -> Iterator[str]:
    yield from flow.contradictions(settings.flow.rules)
    yield from not_exactly_the_cells("BANK_LEDGERS", set(settings.ledgers), settings.common.cells)
    if reader.has("BANK_LEDGER_URL"):
        yield "BANK_LEDGER_URL is no more: BANK_LEDGERS names the ledgers of each cell"
