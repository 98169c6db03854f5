"""What a service needs to know that has ledgers book or keep something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.guard.guarded import GuardRules
from stormbank.settings.capacity import Capacity, not_every_operation
from stormbank.settings.common import Common, not_every_ledger, read_ledgers
from stormbank.settings.desk import read_desk
from stormbank.settings.flow import read_guard
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class AskingSettings:
    """`ledgers` are the addresses of each cell's, `guard` what stands around each."""

    common: Common
    capacity: Capacity
    ledgers: Mapping[str, tuple[str, ...]]
    guard: GuardRules


def read_asking(reader: Reader, slots: str) -> AskingSettings:
    """Read the settings of a service whose workers are counted by `slots`; SettingsError lists all that is wrong."""
    desk = read_desk(reader, slots)
    ledgers = read_ledgers(reader, desk.common)
    settings = AskingSettings(desk.common, desk.capacity, ledgers, read_guard(reader))
    reader.settle(lambda: _contradictions(settings))
    return settings


def _contradictions(settings: AskingSettings) -> Iterator[str]:
    yield from not_every_operation(settings.capacity)
    yield from not_every_ledger(settings.common, settings.ledgers)
