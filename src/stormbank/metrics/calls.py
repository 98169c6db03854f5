"""Calls of dependencies by their end, whatever stands around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from stormbank.metrics.names import dependencies as names
from stormbank.metrics.service import NO_CELL

Count = Callable[[str | None, str], None]
"""Counts one call, given the customer's cell (None while it is unknown) and an outcome."""


class CallMetrics:
    """The calls that one process makes, of all its dependencies."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = names.CALLS.on(registry)

    def counter(self, dependency: str, outcomes: Sequence[str], cells: Sequence[str] = ()) -> Count:
        """Return who counts the calls of a dependency that customers of `cells` may need.

        Where it is one cell's, every call is for that cell. Series are there from the start; those of no cell, which
        are rare, from their first event on.
        """
        known = {
            (cell, outcome): self._calls.labels(dependency, cell, outcome)
            for cell in cells or (NO_CELL,)
            for outcome in outcomes
        }
        only = cells[0] if len(cells) == 1 else None

        def count(cell: str | None, outcome: str) -> None:
            child = known.get((only or cell or NO_CELL, outcome))
            if child is None:
                child = self._calls.labels(dependency, NO_CELL, outcome)
            child.inc()

        return count
