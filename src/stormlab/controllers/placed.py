"""Which pods are on which node, kept from events, so that scheduling one pod does not look at all."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.kinds import POD
from stormlab.api.record import Event, Record
from stormlab.controllers import pods


def repels(pod: Record) -> bool:
    """Say whether a pod has required anti-affinity, which binds those that come later, too."""
    affinity = pod.tree["spec"].get("affinity") or {}
    wanted = affinity.get("podAntiAffinity") or {}
    return bool(wanted.get("requiredDuringSchedulingIgnoredDuringExecution"))


class Placed:
    """Pods that have a node and have not ended."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._by_node: dict[str, dict[str, Record]] = {}
        self._repelling: dict[str, Record] = {}
        for record in records:
            self._set(record)

    def note(self, event: Event) -> None:
        """Follow a change of a pod; others are ignored."""
        if event.after.kind is not POD:
            return
        if event.before is not None:
            self._by_node.get(event.before.tree["spec"].get("nodeName", ""), {}).pop(event.before.key, None)
            self._repelling.pop(event.before.key, None)
        if event.change != "DELETED":
            self._set(event.after)

    def _set(self, record: Record) -> None:
        node = record.tree["spec"].get("nodeName")
        if not node or pods.ended(record):
            return
        self._by_node.setdefault(node, {})[record.key] = record
        if repels(record):
            self._repelling[record.key] = record

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
