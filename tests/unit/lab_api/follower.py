"""A client that keeps a view of what it watches, as a Reflector does: list, follow, resume, list again after 410."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from stormlab.api.kinds import Kind
from stormlab.api.record import Record
from stormlab.api.selectors import Selection
from stormlab.api.store import Store
from stormlab.api.web.query import ListOptions
from stormlab.api.web.watching import Watch

View = dict[str, Any]


def shown(records: list[Record], selection: Selection) -> View:
    """What a list of these says, by key."""
    return {record.key: json.loads(record.item) for record in records if selection.test(record)}


@dataclass
class Follower:
    """Reads its watch only when told to (`read`); checks each event against what it knows."""

    kind: Kind
    selection: Selection
    view: View = field(default_factory=dict)
    version: int = 0
    synced: bool = False
    """Whether `version` is one to go on from: what comes first, without a version, is of any age and in any order."""
    _watch: Watch | None = None

    def list(self, store: Store) -> None:
        """Forget everything, and see what there is now."""
        self.view = shown(store.records(self.kind), self.selection)
        self.version, self.synced = store.version, True

    def watch(self, store: Store, version: int | None) -> None:
        """Watch from a version; with None what is there comes as events, into an empty view."""
        self.leave()
        if version is None:
            self.view, self.version, self.synced = {}, 0, False
        self._watch = Watch(store, self.kind, ListOptions(self.selection, version=version))

    def leave(self) -> None:
        """Hang up; what was not read is lost, as in a socket's buffer."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def lose(self) -> None:
        """The server is gone, and the connection with it."""
        self._watch = None

    def read(self, store: Store) -> None:
        """Read what has come; resume after an end, list again after a 410."""
        if self._watch is None:
            self.resume(store)
        assert self._watch is not None
        ended = self._watch.broken
        for line in self._watch.take().splitlines():
            event = json.loads(line)
            if event["type"] == "ERROR":
                assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
                self.leave()
                self.list(store)
                self.watch(store, self.version)
                return
            self._apply(event["type"], event["object"])
        if ended:
            self.resume(store)

    def resume(self, store: Store) -> None:
        """Go on from the last version, or list where there is none to go on from."""
        if not self.synced:
            self.list(store)
        self.watch(store, self.version)

    def bookmark(self) -> None:
        """Be told how far this watch has come."""
        if self._watch is not None and not self._watch.broken:
            self._watch.bookmark()

    def settle(self, store: Store) -> None:
        """Read until nothing more comes: a watch that is cut off now and then shows a few events at a time."""
        self.read(store)
        while self.behind:
            self.read(store)

    @property
    def behind(self) -> bool:
        """Whether something waits to be read."""
        return self._watch is not None and (self._watch.ready.is_set() or self._watch.broken)

    def _apply(self, change: str, body: View) -> None:
        meta = body["metadata"]
        version = int(meta["resourceVersion"])
        if change == "BOOKMARK":
            assert version >= self.version, "a bookmark goes back"
            self.version, self.synced = version, True
            return
        key = f"{meta['namespace']}/{meta['name']}"
        # What comes first, into an empty view, comes in the order of keys; all else in that of versions.
        assert version > self.version or key not in self.view, f"{change} {key} goes back to {version}"
        assert (change == "ADDED") == (key not in self.view), f"{change} {key}, which is {key in self.view}"
        self.version = max(self.version, version)
        self.synced = self.synced or change != "ADDED"
        if change == "DELETED":
            del self.view[key]
        else:
            self.view[key] = {name: part for name, part in body.items() if name not in {"kind", "apiVersion"}}
