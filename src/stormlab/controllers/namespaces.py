"""Namespaces: empties those being deleted, and puts back what every namespace has."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.kinds import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers.loop import Key

_STANDARD = {CONFIG_MAP: "kube-root-ca.crt", SERVICE_ACCOUNT: "default"}


class Namespaces:
    """Looks at a namespace when it changes, and when something in it goes."""

    name = "namespace"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all namespaces."""
        return [(record.name,) for record in self._store.records(NAMESPACE)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the namespace that changed or lost something that matters."""
        record = event.after
        if record.kind is NAMESPACE:
            return [(record.name,)] if event.change != "DELETED" else []
        if event.change != "DELETED" or not record.namespace:
            return []
        home = self._store.get(NAMESPACE, "", record.namespace)
        standard = _STANDARD.get(record.kind) == record.name
        return [(record.namespace,)] if home is not None and (home.deleting or standard) else []

    def reconcile(self, key: Key) -> float | None:
        """Empty a terminating namespace and let it go; complete a living one."""
        record = self._store.get(NAMESPACE, "", key[0])
        if record is None:
            return None
        if record.deleting:
            self._empty(record)
        else:
            self._objects.furnish(record.name)
        return None

    def _empty(self, record: Record) -> None:
        left = 0
        for kind in self._store.catalog.kinds:
            if not kind.namespaced:
                continue
            for item in self._store.records(kind, record.name):
                if not item.deleting:
                    delete(self._objects, kind, item.namespace, item.name, DeleteOptions(uid=item.uid))
            left += len(list(self._store.records(kind, record.name)))
        if not left:
            self._objects.finalize_namespace(record)
