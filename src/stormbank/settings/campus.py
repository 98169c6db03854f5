"""What the campus service needs to know."""

from __future__ import annotations

from stormbank.settings.asking import AskingSettings, read_asking
from stormbank.settings.reader import Reader


def read(reader: Reader) -> AskingSettings:
    """Read the settings of campus; SettingsError lists all that is wrong."""
    return read_asking(reader, "BANK_CAMPUS_SLOTS")
