"""The log on disk: the current state of every object, in SQLite, so that it survives kill -9.

Each write is one committed statement before anybody hears of it. `synchronous=OFF` is on purpose:
the operating system keeps what a killed process wrote; only loss of power could lose it, and the
lab does not claim to survive that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from stormlab.api.record import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
  resource TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (resource, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO counter VALUES ('version', 1);
"""


def resource_of(record: Record) -> str:
    """Return the log's name for a record's kind."""
    return record.kind.resource


class Log:
    """Durable current state. With `path` None it lives in memory (tests)."""

    def __init__(self, path: Path | None) -> None:
        # One writer, the event loop; the lock of a second process would be a second API server.
        self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, timeout=1)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)

    def load(self) -> tuple[int, Iterator[tuple[str, int, bytes]]]:
        """Return the last version given out and (resource, version, encoded object) of every object."""
        version = self._db.execute("SELECT value FROM counter WHERE name = 'version'").fetchone()[0]
        newest = self._db.execute("SELECT coalesce(max(version), 0) FROM object").fetchone()[0]
        rows = self._db.execute("SELECT resource, version, body FROM object")
        return max(version, newest), rows

    def put(self, record: Record) -> None:
        """Keep a record; when this returns, it survives the process."""
        self._db.execute(
            "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?)",
            (resource_of(record), record.key, record.version, record.item),
        )

    def remove(self, record: Record) -> None:
        """Forget a record; its version stays used. An error leaves everything as it was."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("UPDATE counter SET value = ? WHERE name = 'version'", (record.version,))
            self._db.execute(
                "DELETE FROM object WHERE resource = ? AND key = ?", (resource_of(record), record.key)
            )
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # a full disk may have rolled it back already
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
