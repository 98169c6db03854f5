"""Tables: what `kubectl get` shows, made by the server (topic 04)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree, encode
from stormlab.api.kinds import Kind
from stormlab.api.record import Change, Event, Record
from stormlab.api.web.columns import COLUMNS, DEFAULT_COLUMNS, Column
from stormlab.api.web.customcolumns import columns_of

_API_VERSION = "meta.k8s.io/v1"


def _columns(kind: Kind) -> tuple[Column, ...]:
    if isinstance(kind, CustomKind):
        return columns_of(kind)
    return COLUMNS.get(kind, DEFAULT_COLUMNS)


def _definitions(kind: Kind) -> list[Tree]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in _columns(kind)
    ]


def _row(kind: Kind, record: Record, now: dt.datetime, include: str) -> Tree:
    row: Tree = {"cells": [column.cell(record.tree, now) for column in _columns(kind)]}
    if include == "None":
        row["object"] = None
    elif include == "Object":
        row["object"] = record.full()
    else:
        head = {"kind": "PartialObjectMetadata", "apiVersion": _API_VERSION}
        row["object"] = {**head, "metadata": record.tree["metadata"]}
    return row


def table(
    kind: Kind, records: list[Record], metadata: Tree, now: dt.datetime, query: Mapping[str, str]
) -> Tree:
    """Return the Table of some records; `includeObject` in the query says how much of each."""
    include = query.get("includeObject", "Metadata")
    rows = [_row(kind, record, now, include) for record in records]
    head = {"kind": "Table", "apiVersion": _API_VERSION, "metadata": metadata}
    return {**head, "columnDefinitions": _definitions(kind), "rows": rows}


class EventTables:
    """Renders watch events as Tables; only the first has the column definitions."""

    def __init__(self, kind: Kind, now: Callable[[], dt.datetime], query: Mapping[str, str]) -> None:
        self._kind = kind
        self._now = now
        self._query = query
        self._first = True

    def __call__(self, change: Change, event: Event) -> bytes:
        """Return one line of the watch."""
        record = event.after
        if change == "DELETED" and event.change != "DELETED" and event.before is not None:
            record = event.before.at_version(event.version)
        shown = table(self._kind, [record], {"resourceVersion": str(event.version)}, self._now(), self._query)
        if not self._first:
            shown["columnDefinitions"] = None
        self._first = False
        return encode({"type": change, "object": shown}) + b"\n"
