"""Whose accounts the load uses: the profile's customers, divided over cells, the last kept for probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stormdrill.estate import Remainder
from stormdrill.profile import Customers


@dataclass(frozen=True)
class Population:
    """Customers by cell: those of its rule, or else equal, contiguous shares of their numbers, in the cells' order.

    `rules` has one for each cell, or is empty.
    """

    customers: Customers
    cells: int
    rules: Sequence[Remainder | None] = ()

    def visitors(self, cell: int) -> range:
        """Customers whose phones make sessions."""
        first = self.customers.first
        return self._share(first, self.customers.count - self.customers.probes, cell)

    def probes(self, cell: int) -> range:
        """Customers that only probes use."""
        first = self.customers.first + self.customers.count - self.customers.probes
        return self._share(first, self.customers.probes, cell)

    def _share(self, first: int, count: int, cell: int) -> range:
        rule = self.rules[cell] if self.rules else None
        if rule is None:
            return range(first + count * cell // self.cells, first + count * (cell + 1) // self.cells)
        return range(first + (rule.remainder - first) % rule.of, first + count, rule.of)
