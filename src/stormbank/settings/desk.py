"""What every service of declared slot work needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stormbank.settings.capacity import Capacity, not_every_operation, read_capacity
from stormbank.settings.common import Common, read_common
from stormbank.settings.reader import Reader


class Desk(Protocol):
    """Settings of such a service; each has its own beside them."""

    @property
    def common(self) -> Common:
        """Where it is."""

    @property
    def capacity(self) -> Capacity:
        """How much it can do."""


@dataclass(frozen=True)
class DeskSettings:
    """Of a service that needs no more."""

    common: Common
    capacity: Capacity


def read_desk(reader: Reader, slots: str) -> DeskSettings:
    """Read what such services share, but for the name of the setting `slots`; `settle` is left to the caller."""
    return DeskSettings(read_common(reader), read_capacity(reader, slots))


def settled(reader: Reader, settings: DeskSettings) -> DeskSettings:
    """Return `settings`; SettingsError lists all that is wrong with them."""
    reader.settle(lambda: not_every_operation(settings.capacity))
    return settings
