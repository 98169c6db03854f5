"""How busy the worker slots are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stormbank.metrics.names import slots as names
from stormbank.slots import Slots


class SlotMetrics:
    """`wait` is to be told each request's time in the queue, in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.wait = names.WAIT.on(registry).observe

    def watch(self, slots: Slots) -> None:
        """Report `slots`."""
        names.SLOTS.on(self._registry).set(slots.count)
        names.BUSY.on(self._registry).set_function(lambda: slots.busy)
