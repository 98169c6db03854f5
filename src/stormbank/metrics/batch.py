"""The business day of each cell, and how its payments stand to the clearing party's books."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from stormbank.metrics.names import batch


class DayEndMetrics:
    """The business day of each cell, and what its day-ends pay."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._date, self._open = batch.DATE.on(registry), batch.OPEN.on(registry)
        self._accounts, self._interest = batch.ACCOUNTS.on(registry), batch.INTEREST.on(registry)

    def observe(self, cell: str, date: dt.date, *, under_way: bool) -> None:
        """Report the business date, and whether the day before it still pays interest."""
        self._date.labels(cell).set((date - dt.date(1970, 1, 1)).days)
        self._open.labels(cell).set(under_way)

    def paid(self, cell: str, accounts: int, interest: int) -> None:
        """Count interest that is committed: of so many customers, so many fen together."""
        self._accounts.labels(cell).inc(accounts)
        self._interest.labels(cell).inc(interest)


class ReconcileMetrics:
    """How the payments of each cell stand to the clearing party's books, as of the last comparison."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._payments, self._fen = batch.PAYMENTS.on(registry), batch.FEN.on(registry)
        self._oldest, self._seconds = batch.OLDEST.on(registry), batch.TOOK.on(registry)
        self._settled, self._failed = batch.SETTLED.on(registry), batch.FAILED.on(registry)

    def observe(
        self, cell: str, tallies: Mapping[str, tuple[int, int]], oldest_unknown_s: float, settled: int
    ) -> None:
        """Report a comparison: payments and fen by how they stand, and how many were settled."""
        for agreement, (count, amount) in tallies.items():
            self._payments.labels(cell, agreement).set(count)
            self._fen.labels(cell, agreement).set(amount)
        self._oldest.labels(cell).set(oldest_unknown_s)
        self._settled.labels(cell).inc(settled)

    def reconciled(self, cell: str, seconds: float) -> None:
        """Report that both books agree again, after so long."""
        self._seconds.labels(cell).set(seconds)

    def failed(self, cell: str) -> None:
        """Count a comparison that was not possible."""
        self._failed.labels(cell).inc()
