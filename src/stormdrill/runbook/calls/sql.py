"""`sql: {dsn, statements, limit}`: PostgreSQL asked, or written to and committed (`commits: true`)."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from stormdrill.content import Node
from stormdrill.estate_secrets import Credential
from stormdrill.limit import Limit
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.surroundings import Surroundings
from stormdrill.topology_audit import decode_credential

_STATEMENT_TIMEOUT_MS = 10_000


@dataclass(frozen=True)
class Sql:
    """All statements in one transaction. The last one's first value must keep `limit`, when there is one."""

    dsn: str
    password: Credential | None
    statements: tuple[str, ...]
    limit: Limit | None
    commits: bool

    @property
    def changes(self) -> bool:
        """Without `commits` the transaction is read-only."""
        return self.commits

    @property
    def text(self) -> str:
        """The statements and the limit."""
        end = " commit" if self.commits else ""
        return f"SQL at {self.dsn}: {'; '.join(self.statements)};{end} {self.limit or ''}".rstrip()

    def run(self, around: Surroundings) -> Finding:
        """Connect, do it, and, with `commits`, hear from the server that it is committed."""
        options: dict[str, Any] = {"connect_timeout": 3, "application_name": "stormdrill-runbook"}
        if (password := around.secret(self.password)) is not None:
            options["password"] = password
        try:
            with psycopg.connect(self.dsn, **options) as connection:
                connection.read_only = not self.commits
                value = self._execute(connection)
            at_ns = time.monotonic_ns()
        except psycopg.Error as error:
            return Finding(False, " ".join(str(error).split()) or type(error).__name__)
        return self._judge(value, {"write_ns": at_ns} if self.commits else {})

    def _execute(self, connection: psycopg.Connection[Any]) -> object:
        """The first value of the last statement; the caller's `with` commits after it."""
        connection.execute(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT_MS}")
        cursor = None
        for statement in self.statements:
            cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor is not None and cursor.description else None
        return row[0] if row else None

    def _judge(self, value: object, when: dict[str, int]) -> Finding:
        done = "committed" if self.commits else "answered"
        evidence = {"value": None if value is None else str(value), "committed": self.commits, **when}
        if self.limit is None:
            return Finding(True, done if value is None else f"{done}: {value}", evidence)
        try:
            holds = self.limit.holds(float(str(value)))
        except ValueError:
            return Finding(False, f"{done}: {value!r} is no number", evidence)
        return Finding(holds, f"{done}: {value}", evidence)


def decode(node: Node) -> Sql:
    """From a step's block."""
    with node.fields() as fields:
        dsn, statements = fields.need("dsn"), fields.need("statements")
        if re.search(r"password\s*=|://[^/@\s]*:[^/@\s]*@", dsn.text()):
            dsn.problem("no password here: use 'password: {env|file|secret: ...}' beside it")
        texts = statements.texts() if statements.is_list else tuple(filter(None, [statements.text()]))
        return Sql(
            dsn.text(),
            fields.get("password").maybe(decode_credential),
            texts,
            fields.get("limit").maybe(lambda child: child.parsed(Limit.parse, Limit("==", 0))),
            fields.get("commits").boolean(False),
        )
