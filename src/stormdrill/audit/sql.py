"""Books by SQL: one consistent snapshot of a writable primary, waited for up to a deadline."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stormdrill import wait
from stormdrill.audit.books import ALL_HARMS, Books, InvariantResult, Mark, Movement, key_text, mark_of
from stormdrill.errors import DeadlineError, TargetError
from stormdrill.estate_books import Invariant, SqlAudit

_STATEMENT_TIMEOUT_MS = 60_000
_DEFAULTS: dict[str, Any] = {
    "application_name": "stormdrill-audit",
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Waiting does not help against these.
_FOR_GOOD = re.compile("authentication failed|no password supplied|does not exist|no pg_hba.conf entry")


class SqlReader:
    """Reads through psycopg; the DSN may name several hosts, of which the writable one is used."""

    def __init__(self, audit: SqlAudit, password: str | None) -> None:
        self._audit = audit
        self._password = password

    def high_water(self) -> int:
        """The largest movement id now. TargetError when no writable primary answers in time."""
        with self._connect() as connection:
            try:
                return _whole(connection, self._audit.high_water)
            except psycopg.Error as error:
                raise TargetError(f"audit database: high_water: {_line(error)}") from None
            except ValueError as error:
                raise TargetError(f"audit database: high_water: {error}") from None

    def read(self, since: Mark, keys: Iterable[str]) -> Books:  # noqa: ARG002 - SQL reads all, not by key
        """Movements above `since` and the invariants, all of one snapshot."""
        step = "connect"
        try:
            with self._connect() as connection:
                step = "movements"
                movements = tuple(self._movements(connection, mark_of(since, "")))
                results = []
                for invariant in self._audit.invariants:
                    step = f"invariant {invariant.id}"
                    results.append(_invariant(connection, invariant))
        except TargetError as error:
            return Books.incomplete("sql", since, str(error))
        except (psycopg.Error, ValueError, TypeError, ArithmeticError) as error:
            return Books.incomplete("sql", since, f"{step}: {_line(error)}")
        return Books(
            "sql",
            complete=True,
            why="",
            since=since,
            movements=movements,
            invariants=tuple(results),
            shows=ALL_HARMS,
        )

    def number(self, query: str) -> int:
        """The one number that `query` gives now. TargetError when it cannot be had."""
        with self._connect() as connection:
            try:
                return _whole(connection, query)
            except (psycopg.Error, ValueError, TypeError, ArithmeticError) as error:
                raise TargetError(f"audit database: {_line(error)}") from None

    def by_key(self, query: str) -> dict[str, int]:
        """The sums of (key, amount) that `query` gives now, by key. TargetError when they cannot be had."""
        total: dict[str, int] = {}
        with self._connect() as connection:
            try:
                for key, amount in connection.execute(_sql(query)):
                    name = key_text(key)
                    total[name] = total.get(name, 0) + (_int(amount) or 0)
            except (psycopg.Error, ValueError, TypeError, ArithmeticError) as error:
                raise TargetError(f"audit database: {_line(error)}") from None
        return total

    def _movements(self, connection: psycopg.Connection[Any], since: int) -> Iterable[Movement]:
        for row in connection.execute(_sql(self._audit.movements), {"since": since}):
            if len(row) != 5:
                raise ValueError(f"must give key, amount, source, target, id; it gives {len(row)} columns")
            key, amount, source, target, identity = row
            yield Movement(key_text(key), _int(amount), _int(source), _int(target), _int(identity))

    def _connect(self) -> psycopg.Connection[Any]:
        """A read-only snapshot transaction on the writable primary; the last reason is in the error."""
        last = "no attempt was made"

        def attempt() -> psycopg.Connection[Any] | None:
            nonlocal last
            connection: psycopg.Connection[Any] | None = None
            try:
                connection = self._open()
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    connection.rollback()
                    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                    connection.read_only = True
                    connection.execute(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT_MS}")
                    return connection
                last = "it is a standby"
            except psycopg.OperationalError as error:
                last = _line(error)
                if _FOR_GOOD.search(last):
                    raise TargetError(f"audit database: {last}") from None
            except psycopg.Error as error:
                raise TargetError(f"audit database: {_line(error)}") from None
            if connection is not None:
                connection.close()
            return None

        try:
            return wait.until(
                attempt,
                deadline_s=self._audit.deadline_s,
                what="a writable primary for the audit",
                poll_s=0.5,
            )
        except DeadlineError as error:
            raise TargetError(f"audit database: {error}: {last}") from None

    def _open(self) -> psycopg.Connection[Any]:
        """A connection that notices a host gone silent, unless the DSN says otherwise."""
        stated = conninfo_to_dict(self._audit.dsn)
        options = {name: value for name, value in _DEFAULTS.items() if name not in stated}
        if self._password is not None:
            options["password"] = self._password
        return psycopg.connect(self._audit.dsn, **options)


def _invariant(connection: psycopg.Connection[Any], invariant: Invariant) -> InvariantResult:
    return InvariantResult(invariant.id, _whole(connection, invariant.query), invariant.expect)


def _whole(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(_sql(query)).fetchone()
    if row is None or len(row) != 1:
        raise ValueError("must give one row with one number")
    value = _int(row[0])
    if value is None:
        raise ValueError("gave NULL")
    return value


def _sql(text: str) -> bytes:
    """The query as the author wrote it: it comes from the topology, not from the estate."""
    return text.encode()


def _int(value: object) -> int | None:
    """A whole number from whatever numeric type the query gave; a fraction is an error, not rounded."""
    if value is None:
        return None
    number = int(value)  # type: ignore[call-overload]
    if number != value:
        raise ValueError(f"not a whole number: {value!r}")
    return int(number)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
