"""What the SMS party needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from stormbank.settings.external import External, read_external
from stormbank.settings.parse import number
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class SmsSettings:
    """`keep_s`: for how long a phone can fetch a message, in seconds."""

    external: External
    keep_s: float


def read(reader: Reader) -> SmsSettings:
    """Read the settings of the SMS party; SettingsError lists all that is wrong."""
    settings = SmsSettings(
        external=read_external(reader, "BANK_SMS", "127.0.0.1:8111"),
        keep_s=reader.read("BANK_SMS_KEEP_S", "600", number(0, above=True), 1.0),
    )
    reader.settle(tuple)
    return settings
