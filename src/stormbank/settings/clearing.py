"""What the clearing party needs to know: an external one, which shares no secret with the bank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stormbank.settings.external import External, read_external
from stormbank.settings.parse import number, switch
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class ClearingSettings:
    """`books` is a SQLite file, made when it is not there. `decide_s`: how long an order stays known, in seconds."""

    external: External
    books: Path
    idempotency: bool
    decide_s: float


def read(reader: Reader) -> ClearingSettings:
    """Read the settings of the clearing party; SettingsError lists all that is wrong."""
    settings = ClearingSettings(
        external=read_external(reader, "BANK_CLEARING", "127.0.0.1:8113"),
        books=reader.read("BANK_CLEARING_BOOKS", "clearing.sqlite", Path, Path()),
        idempotency=reader.read("BANK_CLEARING_IDEMPOTENCY", "on", switch, True),
        decide_s=reader.read("BANK_CLEARING_DECIDE_S", "0", number(0), 0.0),
    )
    reader.settle(tuple)
    return settings
