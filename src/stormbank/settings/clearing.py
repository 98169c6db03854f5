"""What the clearing party needs to know: an external one, which shares no secret with the bank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stormbank.external.conduct import Conduct, conduct
from stormbank.settings.parse import number, switch, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class ClearingSettings:
    """`books` is a SQLite file, made when it is not there. `decide_s`: how long an order stays known, in seconds."""

    pod: str
    books: Path
    idempotency: bool
    decide_s: float
    conduct: Conduct
    seed: int


def read(reader: Reader) -> ClearingSettings:
    """Read the settings of the clearing party; SettingsError lists all that is wrong."""
    settings = ClearingSettings(
        pod=reader.read("BANK_POD", "none", str, ""),
        books=reader.read("CLEARING_BOOKS", "clearing.sqlite", Path, Path()),
        idempotency=reader.read("CLEARING_IDEMPOTENCY", "on", switch, True),
        decide_s=reader.read("CLEARING_DECIDE_S", "0", number(0), 0.0),
        conduct=reader.read("CLEARING_CONDUCT", "", conduct, Conduct()),
        seed=reader.read("CLEARING_SEED", "0", whole(0), 0),
    )
    reader.settle(lambda: ())
    return settings
