"""PodDisruptionBudgets: keeps their status true."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.eviction import budget_state, covers
from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import DISRUPTION_BUDGET, POD
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Event
from stormlab.controllers.loop import Key


class Budgets:
    """Counts the pods a budget covers."""

    name = "budget"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all budgets."""
        return [(record.namespace, record.name) for record in self._store.records(DISRUPTION_BUDGET)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the budget that changed, or those that cover the pod that did."""
        record = event.after
        if record.kind is DISRUPTION_BUDGET:
            return [(record.namespace, record.name)]
        if record.kind is not POD:
            return []
        listed = self._store.records(DISRUPTION_BUDGET, record.namespace)
        return [(item.namespace, item.name) for item in listed if covers(item, record)]

    def reconcile(self, key: Key) -> float | None:
        """Write the status."""
        record = self._store.get(DISRUPTION_BUDGET, *key)
        if record is None:
            return None
        state = budget_state(self._store, record)
        value, reason = ("True", "SufficientPods") if state.allowed else ("False", "InsufficientPods")
        generation = record.tree["metadata"].get("generation", 1)
        before = at(record.tree, "status", "conditions", 0, default={})
        same = before.get("status") == value
        condition: Tree = {
            "type": "DisruptionAllowed",
            "status": value,
            "observedGeneration": generation,
            "lastTransitionTime": before["lastTransitionTime"] if same else stamp(self._objects.now()),
            "reason": reason,
            "message": "",
        }
        status: Tree = {
            "observedGeneration": generation,
            "disruptionsAllowed": state.allowed,
            "currentHealthy": state.healthy,
            "desiredHealthy": state.desired,
            "expectedPods": state.expected,
            "conditions": [condition],
        }
        tree = {"metadata": record.tree["metadata"], "status": status}
        self._objects.update(DISRUPTION_BUDGET, record.namespace, record.name, tree, status=True)
        return None
