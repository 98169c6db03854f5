"""Which pods are on which node, kept from events, so that scheduling one pod does not look at all."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import at
from stormlab.api.kinds import POD
from stormlab.api.record import Event, Record
from stormlab.controllers import pods
from stormlab.quantity import quantity


def repels(pod: Record) -> bool:
    """Say whether a pod has required anti-affinity, which binds those that come later, too."""
    affinity = pod.tree["spec"].get("affinity") or {}
    wanted = affinity.get("podAntiAffinity") or {}
    return bool(wanted.get("requiredDuringSchedulingIgnoredDuringExecution"))


def requests(pod: Record) -> dict[str, float]:
    """Return what a pod asks a node to keep for it, by resource, in base units."""
    total: dict[str, float] = {}
    spec = pod.tree["spec"]
    for container in spec.get("containers", ()):
        for name, amount in at(container, "resources", "requests", default={}).items():
            total[name] = total.get(name, 0.0) + quantity(amount)
    # What prepares the pod runs before the rest, and one at a time.
    for container in spec.get("initContainers", ()):
        for name, amount in at(container, "resources", "requests", default={}).items():
            total[name] = max(total.get(name, 0.0), quantity(amount))
    return total


class Placed:
    """Pods that have a node and have not ended."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._by_node: dict[str, dict[str, Record]] = {}
        self._repelling: dict[str, Record] = {}
        self._requested: dict[str, dict[str, float]] = {}
        for record in records:
            self._set(record)

    def note(self, event: Event) -> None:
        """Follow a change of a pod; others are ignored."""
        if event.after.kind is not POD:
            return
        if event.before is not None:
            self._forget(event.before)
        if event.change != "DELETED":
            self._set(event.after)

    def _set(self, record: Record) -> None:
        node = record.tree["spec"].get("nodeName")
        if not node or pods.ended(record):
            return
        self._by_node.setdefault(node, {})[record.key] = record
        self._count(node, record, 1)
        if repels(record):
            self._repelling[record.key] = record

    def _forget(self, record: Record) -> None:
        node = record.tree["spec"].get("nodeName", "")
        if self._by_node.get(node, {}).pop(record.key, None) is not None:
            self._count(node, record, -1)
        self._repelling.pop(record.key, None)

    def _count(self, node: str, record: Record, sign: int) -> None:
        taken = self._requested.setdefault(node, {})
        for name, amount in requests(record).items():
            taken[name] = taken.get(name, 0.0) + sign * amount

    def requested(self, node: str) -> dict[str, float]:
        """Return what the pods of a node ask it to keep for them, by resource."""
        return self._requested.get(node, {})

    def on(self, node: str) -> list[Record]:
        """Return the pods of a node."""
        return list(self._by_node.get(node, {}).values())

    @property
    def everywhere(self) -> list[Record]:
        """Return all placed pods."""
        return [record for records in self._by_node.values() for record in records.values()]

    @property
    def repelling(self) -> list[Record]:
        """Return those with required anti-affinity."""
        return list(self._repelling.values())
