"""The object store: every object in memory, one monotonic version counter, a bounded history.

All methods are synchronous and run on the event loop, so each is atomic: between reading and
writing nothing else happens. A write reaches the log on disk first, then memory, then watchers.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from pathlib import Path

from stormlab.api.catalog import Catalog
from stormlab.api.custom.kind import established, kind_of
from stormlab.api.jsontree import Tree
from stormlab.api.kinds import DEFINITION, KINDS, Kind
from stormlab.api.log import Log
from stormlab.api.record import Event, Record, key_of
from stormlab.api.status import no_such_resource

Listener = Callable[[Event], None]
DEFAULT_WINDOW = 4096


class TooOldError(Exception):
    """The history no longer reaches back to the version asked for; `oldest` is what it has."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history starts at {oldest}")
        self.oldest = oldest


class _Shelf:
    """All objects of one kind, their keys in order, and the kind's recent history."""

    def __init__(self, version: int) -> None:
        self.records: dict[str, Record] = {}
        self.keys: list[str] = []
        self.history: list[Event] = []
        # Events up to and including this version are forgotten.
        self.floor = version
        self.listeners: list[Listener] = []
        # Called when the kind is served no longer.
        self.mourners: list[Callable[[], None]] = []

    def set(self, record: Record) -> None:
        if record.key not in self.records:
            insort(self.keys, record.key)
        self.records[record.key] = record

    def drop(self, key: str) -> None:
        del self.records[key]
        del self.keys[bisect_left(self.keys, key)]

    def slice(self, namespace: str | None) -> Iterable[str]:
        if namespace is None:
            return self.keys
        # "/" is the separator and "0" the next character, so this is exactly the namespace.
        return self.keys[bisect_left(self.keys, f"{namespace}/") : bisect_left(self.keys, f"{namespace}0")]


class Store:
    """Objects by kind, namespace and name. `window` is how many changes a kind remembers."""

    def __init__(self, path: Path | None = None, *, window: int = DEFAULT_WINDOW) -> None:
        self._log = Log(path)
        self._window = window
        self.version, rows = self._log.load()
        self._everything: list[Listener] = []
        self.catalog = Catalog()
        self._shelves = {kind: _Shelf(self.version) for kind in KINDS}
        self._load(list(rows))

    def _load(self, rows: list[tuple[str, int, bytes]]) -> None:
        # Definitions first: they say what the other rows are. A definition goes after all its objects.
        for resource, version, item in sorted(rows, key=lambda row: row[0] != DEFINITION.resource):
            kind = self.catalog.named(resource)
            if kind is None:
                raise ValueError(f"the log holds objects of {resource}, which nothing defines")
            record = Record(kind, json.loads(item), version, item)
            self._shelves[kind].set(record)
            self._define(record)

    def _follow(self, event: Event) -> None:
        if event.change != "DELETED":
            self._define(event.after)
        elif event.after.kind is DEFINITION:
            self._undefine(event.after.name)

    def _define(self, record: Record) -> None:
        """Serve what an established definition describes; a changed one takes over the objects there are."""
        if record.kind is not DEFINITION or not established(record.tree):
            return
        old = self.catalog.custom(record.name)
        new = kind_of(record.tree)
        if old is not None and old.same_as(new):
            return
        shelf = _Shelf(self.version) if old is None else self._shelves.pop(old)
        shelf.records = {key: Record(new, item.tree, item.version) for key, item in shelf.records.items()}
        self._shelves[new] = shelf
        self.catalog.define(new)

    def _undefine(self, name: str) -> None:
        if (kind := self.catalog.custom(name)) is not None:
            self.catalog.undefine(name)
            for tell in tuple(self._shelves.pop(kind).mourners):
                tell()

    def _shelf(self, kind: Kind) -> _Shelf:
        """Return a kind's shelf; ApiError 404 when its definition went while a request was under way."""
        shelf = self._shelves.get(kind)
        if shelf is None:
            # Its definition changed meanwhile: the same kind goes by another value now.
            current = self.catalog.find(kind.group, kind.version, kind.plural)
            if current is None:
                raise no_such_resource()
            shelf = self._shelves[current]
        return shelf

    def get(self, kind: Kind, namespace: str, name: str) -> Record | None:
        """Return the object, or None."""
        return self._shelf(kind).records.get(key_of(namespace, name))

    def records(
        self, kind: Kind, namespace: str | None = None, *, version: int | None = None
    ) -> list[Record]:
        """Return objects in key order, of one namespace or of all, now or as they were at `version`.

        Raises TooOldError when the history does not reach back that far.
        """
        shelf = self._shelf(kind)
        if version is None or version >= self.version:
            return [shelf.records[key] for key in shelf.slice(namespace)]
        past = dict(shelf.records)
        for event in reversed(self.since(kind, version)):
            if event.before is None:
                past.pop(event.after.key, None)
            else:
                past[event.before.key] = event.before
        return [past[key] for key in sorted(past) if namespace is None or past[key].namespace == namespace]

    def since(self, kind: Kind, version: int) -> list[Event]:
        """Return the kind's changes after `version`, oldest first; TooOldError when forgotten."""
        shelf = self._shelf(kind)
        if version < shelf.floor:
            raise TooOldError(shelf.floor)
        return shelf.history[bisect_left(shelf.history, version + 1, key=lambda event: event.version) :]

    def put(self, kind: Kind, tree: Tree) -> Record:
        """Create or replace an object; the tree is taken over and gets its resourceVersion here."""
        version = self.version + 1
        tree["metadata"]["resourceVersion"] = str(version)
        record = Record(kind, tree, version)
        self._log.put(record)
        shelf = self._shelf(kind)
        before = shelf.records.get(record.key)
        shelf.set(record)
        self._announce(Event("ADDED" if before is None else "MODIFIED", before, record))
        return record

    def remove(self, record: Record) -> Record:
        """Delete an object and return its last state, which wears a new version.

        `record` may differ from what is stored (a last change made together with the delete).
        """
        last = record.at_version(self.version + 1)
        self._log.remove(last)
        shelf = self._shelf(record.kind)
        before = shelf.records[record.key]
        shelf.drop(record.key)
        self._announce(Event("DELETED", before, last))
        return last

    def listen(
        self, kind: Kind, listener: Listener, gone: Callable[[], None] = lambda: None
    ) -> Callable[[], None]:
        """Call `listener` after each change of a kind, `gone` when it is served no more; returns what ends it.

        Listeners must not write to the store: they note what happened and act later.
        """
        shelf = self._shelf(kind)
        shelf.listeners.append(listener)
        shelf.mourners.append(gone)

        def stop() -> None:
            shelf.listeners.remove(listener)
            shelf.mourners.remove(gone)

        return stop

    def listen_all(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each change of any kind; returns what ends it."""
        self._everything.append(listener)
        return lambda: self._everything.remove(listener)

    def compact(self) -> None:
        """Forget all history, as etcd does when it compacts."""
        for shelf in self._shelves.values():
            shelf.history.clear()
            shelf.floor = self.version

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _announce(self, event: Event) -> None:
        self.version = event.version
        shelf = self._shelf(event.after.kind)
        shelf.history.append(event)
        # Trimming half at a time keeps it cheap and the window at least as long as promised.
        if len(shelf.history) > 2 * self._window:
            shelf.floor = shelf.history[self._window - 1].version
            del shelf.history[: self._window]
        self._follow(event)
        for listener in (*shelf.listeners, *self._everything):
            listener(event)
