"""Whose accounts the load uses: the profile's customers, divided over cells, the last kept for probes."""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.profile import Customers


@dataclass(frozen=True)
class Population:
    """Customers by cell: equal, contiguous shares of their numbers, in the order of the cells."""

    customers: Customers
    cells: int

    def visitors(self, cell: int) -> range:
        """Customers whose phones make sessions."""
        first = self.customers.first
        return _share(first, self.customers.count - self.customers.probes, cell, self.cells)

    def probes(self, cell: int) -> range:
        """Customers that only probes use."""
        first = self.customers.first + self.customers.count - self.customers.probes
        return _share(first, self.customers.probes, cell, self.cells)


def _share(first: int, count: int, cell: int, cells: int) -> range:
    return range(first + count * cell // cells, first + count * (cell + 1) // cells)
