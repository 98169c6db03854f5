"""What every process of the bank is told: where it is, which cells there are, and how long it drains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.cells import Cells
from stormbank.settings.parse import addresses, cell_names, number, secret, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class Common:
    """`zone` and `pod` are names for metrics; times in seconds."""

    zone: str
    pod: str
    cells: Cells
    drain_s: float
    token_secret: str
    session_s: int

    @property
    def only_cell(self) -> str:
        """The cell's name where there is one only, and it goes without saying which is meant; else empty."""
        names = self.cells.names
        return names[0] if len(names) == 1 else ""


def read_common(reader: Reader) -> Common:
    """Read what every role needs."""
    read = reader.read
    unread: tuple[str, ...] = ("none",)
    return Common(
        zone=read("BANK_ZONE", "none", str, ""),
        pod=read("BANK_POD", "none", str, ""),
        cells=Cells(read("BANK_CELLS", "cell0", cell_names, unread)),
        drain_s=read("BANK_DRAIN_S", "2", number(0), 0.0),
        token_secret=read("BANK_TOKEN_SECRET", "", secret, ""),
        session_s=read("BANK_SESSION_S", "1800", whole(1), 1),
    )


def read_ledgers(reader: Reader, common: Common) -> Mapping[str, tuple[str, ...]]:
    """Read the addresses of each cell's ledgers, for a role that asks them."""
    only = common.only_cell
    return reader.read("BANK_LEDGERS", only and f"{only}=http://ledger:8090", addresses("CELL"), {})


def not_every_ledger(common: Common, ledgers: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Say so when the addresses are not those of exactly the cells there are."""
    if set(ledgers) != set(common.cells.names):
        yield f"BANK_LEDGERS names {sorted(ledgers)}, BANK_CELLS names {sorted(common.cells.names)}"
