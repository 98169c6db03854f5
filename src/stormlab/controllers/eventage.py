"""Events are kept for an hour, as in a real cluster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from stormlab.api.kinds import EVENT
from stormlab.api.objects import Objects
from stormlab.api.record import Event
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers.loop import Key

KEPT_S = 3600.0
ROUND_S = 300.0


class EventAge:
    """Deletes old events in rounds."""

    name = "event-age"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return the one key there is."""
        return [("round",)]

    def keys(self, event: Event) -> Iterable[Key]:  # noqa: ARG002 -- rounds go by time alone
        """Return nothing: changes do not matter."""
        return []

    def reconcile(self, key: Key) -> float | None:  # noqa: ARG002 -- there is one key
        """Delete what is too old; returns when the next round is due."""
        oldest = self._objects.now() - dt.timedelta(seconds=KEPT_S)
        for record in self._store.records(EVENT):
            if dt.datetime.fromisoformat(record.tree["metadata"]["creationTimestamp"]) < oldest:
                delete(self._objects, EVENT, record.namespace, record.name, DeleteOptions(uid=record.uid))
        return ROUND_S
