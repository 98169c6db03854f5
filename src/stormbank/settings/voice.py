"""What the voice service needs to know."""

from __future__ import annotations

from stormbank.settings.desk import DeskSettings, read_desk, settled
from stormbank.settings.reader import Reader


def read(reader: Reader) -> DeskSettings:
    """Read the settings of voice; SettingsError lists all that is wrong."""
    return settled(reader, read_desk(reader, "BANK_VOICE_SLOTS"))
