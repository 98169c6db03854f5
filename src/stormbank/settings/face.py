"""What the face party needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from stormbank.settings.external import External, read_external
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class FaceSettings:
    """Nothing but what every external party has."""

    external: External


def read(reader: Reader) -> FaceSettings:
    """Read the settings of the face party; SettingsError lists all that is wrong."""
    settings = FaceSettings(external=read_external(reader, "BANK_FACE", "127.0.0.1:8112"))
    reader.settle(tuple)
    return settings
