"""One stored object at one version, and one change of it."""

from __future__ import annotations

from typing import Literal

from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree, encode
from stormlab.api.kinds import Kind

Change = Literal["ADDED", "MODIFIED", "DELETED"]


def key_of(namespace: str, name: str) -> str:
    """Return the key that orders objects the way etcd does."""
    return f"{namespace}/{name}"


class Record:
    """An object at one version. `tree` has no kind and apiVersion and is never changed.

    The encoded bytes (`item`, where they are known already) are made once, when first asked for, and shared by
    lists, gets and watches.
    """

    __slots__ = ("_item", "key", "kind", "name", "namespace", "tree", "version")

    def __init__(self, kind: Kind, tree: Tree, version: int, item: bytes | None = None) -> None:
        metadata = tree["metadata"]
        self.kind = kind
        self.namespace: str = metadata.get("namespace", "")
        self.name: str = metadata["name"]
        self.key = key_of(self.namespace, self.name)
        self.tree = tree
        self.version = version
        self._item = item

    @property
    def uid(self) -> str:
        """Return metadata.uid."""
        return str(self.tree["metadata"]["uid"])

    @property
    def labels(self) -> dict[str, str]:
        """Return metadata.labels, empty when there are none."""
        return self.tree["metadata"].get("labels") or {}

    @property
    def deleting(self) -> bool:
        """Say whether a delete was asked for and the object is still there."""
        return "deletionTimestamp" in self.tree["metadata"]

    @property
    def item(self) -> bytes:
        """Return the bytes of the object without kind and apiVersion, as built-in kinds are listed."""
        if self._item is None:
            self._item = encode(self.tree)
        return self._item

    @property
    def listed(self) -> bytes:
        """Return the bytes that stand in a list; custom resources say there, too, what they are."""
        return self.body if isinstance(self.kind, CustomKind) else self.item

    @property
    def body(self) -> bytes:
        """Return the bytes of the whole object."""
        head = f'{{"kind":"{self.kind.kind}","apiVersion":"{self.kind.api_version}",'
        return head.encode() + self.item[1:]

    def full(self) -> Tree:
        """Return the whole object as a tree; nested values are shared, do not change them."""
        return {"kind": self.kind.kind, "apiVersion": self.kind.api_version, **self.tree}

    def at_version(self, version: int) -> Record:
        """Return the same object wearing another resourceVersion."""
        metadata = {**self.tree["metadata"], "resourceVersion": str(version)}
        return Record(self.kind, {**self.tree, "metadata": metadata}, version)


class Event:
    """One change: `before` is None for ADDED; `after` is the object, for DELETED its last state."""

    __slots__ = ("_lines", "after", "before", "change", "version")

    def __init__(self, change: Change, before: Record | None, after: Record) -> None:
        self.change = change
        self.before = before
        self.after = after
        self.version = after.version
        self._lines: dict[str, bytes] = {}

    def line(self, change: Change) -> bytes:
        """Return the event as one line of a watch, seen by a watcher as `change`.

        A watcher whose selector the object left sees DELETED with the old object at the new
        version (topic 17). Lines are made once and shared by all watchers.
        """
        made = self._lines.get(change)
        if made is None:
            shown = self.after
            if change == "DELETED" and self.change != "DELETED" and self.before is not None:
                shown = self.before.at_version(self.version)
            made = b'{"type":"' + change.encode() + b'","object":' + shown.body + b"}\n"
            self._lines[change] = made
        return made
