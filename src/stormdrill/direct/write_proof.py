"""That a database takes writes, shown by a write that was committed; Patroni's `/primary` says so too early."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stormdrill import wait
from stormdrill.errors import DeadlineError, TargetError

_POLL_S = 0.05
_OPTIONS: dict[str, Any] = {
    "application_name": "stormdrill-director",
    "connect_timeout": 2,
    "tcp_user_timeout": 3000,
    "options": "-c statement_timeout=3000",
}
# A message in the log, in a transaction: a commit like any other, and nothing in anybody's tables.
_WRITE = (
    "SELECT pg_logical_emit_message(true, 'stormdrill', 'proof'), pg_current_xact_id()::text, "
    "current_setting('cluster_name')"
)
_AFTER = (
    "SELECT pg_xact_status(%s::text::xid8), ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int, "
    "(pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"
)


@dataclass(frozen=True)
class WriteProof:
    """A committed write: when its commit was acknowledged, by which Patroni cluster and timeline, and the log's end."""

    mono_ns: int
    scope: str
    timeline: int
    lsn: int
    xid: str

    def to_json(self) -> dict[str, Any]:
        """Plain values, for events."""
        return asdict(self)


def write_once(dsn: str, password: str | None) -> WriteProof:
    """Commit a write now, on whichever host of the DSN takes writes. TargetError with the reason when none does."""
    stated = conninfo_to_dict(dsn)
    options = {name: value for name, value in _OPTIONS.items() if name not in stated}
    options["target_session_attrs"] = "read-write"
    if password is not None:
        options["password"] = password
    try:
        with psycopg.connect(dsn, autocommit=True, **options) as connection:
            row = connection.execute(_WRITE).fetchone()
            at_ns = time.monotonic_ns()
            xid, scope = (str(row[1]), str(row[2])) if row else ("", "")
            after = connection.execute(_AFTER, (xid,)).fetchone()
    except psycopg.Error as error:
        raise TargetError(" ".join(str(error).split()) or type(error).__name__) from None
    if after is None or after[0] != "committed":
        raise TargetError(f"the write {xid} is {after[0] if after else 'unknown'}, not committed")
    return WriteProof(at_ns, scope, int(after[1]), int(after[2]), xid)


def writes_within(dsn: str, password: str | None, deadline_s: float) -> WriteProof:
    """Try until a write is committed. TargetError (DeadlineError) with the last reason after `deadline_s`."""
    last = "not tried"

    def attempt() -> WriteProof | None:
        nonlocal last
        try:
            return write_once(dsn, password)
        except TargetError as error:
            last = str(error)
            return None

    try:
        return wait.until(attempt, deadline_s=deadline_s, what="a committed write", poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None
