"""What the anti-fraud service needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stormbank.fraud import Limits
from stormbank.settings.capacity import Capacity, not_every_operation
from stormbank.settings.common import Common
from stormbank.settings.desk import read_desk
from stormbank.settings.parse import number, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class RiskSettings:
    """`limits` is what the rules are measured by."""

    common: Common
    capacity: Capacity
    limits: Limits


def read(reader: Reader) -> RiskSettings:
    """Read the settings of risk; SettingsError lists all that is wrong.

    The load's customers move 100 to 50,000 fen at a time, those of its probes a few times a second: the defaults are
    far beyond what they come to.
    """
    desk = read_desk(reader, "BANK_RISK_SLOTS")
    settings = RiskSettings(
        desk.common,
        desk.capacity,
        Limits(
            large=reader.read("BANK_RISK_LARGE", "1000000", whole(1), 1),
            largest=reader.read("BANK_RISK_LARGEST", "5000000", whole(1), 1),
            often=reader.read("BANK_RISK_OFTEN", "300", whole(1), 1),
            much=reader.read("BANK_RISK_MUCH", "20000000", whole(1), 1),
            window_s=reader.read("BANK_RISK_WINDOW_S", "10", number(0, above=True), 1.0),
        ),
    )
    reader.settle(lambda: _contradictions(settings))
    return settings


def _contradictions(settings: RiskSettings) -> Iterator[str]:
    yield from not_every_operation(settings.capacity)
    if settings.limits.large >= settings.limits.largest:
        yield "BANK_RISK_LARGE: must be below BANK_RISK_LARGEST"
