"""What the marketing service needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from stormbank.settings.capacity import Capacity, not_every_operation
from stormbank.settings.common import Common
from stormbank.settings.desk import read_desk
from stormbank.settings.parse import number
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class MarketingSettings:
    """`cache_s` is how long offers are good for once they have been put together; 0 keeps none."""

    common: Common
    capacity: Capacity
    cache_s: float


def read(reader: Reader) -> MarketingSettings:
    """Read the settings of marketing; SettingsError lists all that is wrong."""
    desk = read_desk(reader, "BANK_MARKETING_SLOTS")
    cache_s = reader.read("BANK_OFFERS_CACHE_S", "60", number(0), 0.0)
    settings = MarketingSettings(desk.common, desk.capacity, cache_s)
    reader.settle(lambda: not_every_operation(settings.capacity))
    return settings
