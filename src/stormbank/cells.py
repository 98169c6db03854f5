"""Cells: which share of the customers' books a customer belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEADER: Final = "Bank-Cell"


def ledger_of(cell: str) -> str:
    """Return the name of a cell's ledgers as a dependency."""
    return f"ledger-{cell}"


@dataclass(frozen=True)
class Cells:
    """The cells in order; every program of the bank must be told the same ones in the same order."""

    names: tuple[str, ...]

    def of(self, customer: int) -> str:
        """Return the cell that keeps the account of `customer`; any number has one, a customer or not."""
        return self.names[customer % len(self.names)]

    def remainder(self, cell: str) -> int:
        """Return what the customers of `cell` leave when divided by the number of cells."""
        return self.names.index(cell)
