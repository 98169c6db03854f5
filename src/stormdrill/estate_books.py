"""How the books of an estate are read: what a topology says of its audit, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stormdrill.content.plain import WHEN_SET
from stormdrill.estate_secrets import Credential


@dataclass(frozen=True)
class Invariant:
    """A query over the books that must give exactly `expect`."""

    id: str
    query: str
    expect: int


@dataclass(frozen=True)
class Across:
    """A query asked of every cell's books, whose numbers must come to exactly `expect` together within `within_s`.

    `by_key`, if any, gives (key, amount) of what must cancel, to name what does not.
    """

    id: str
    query: str
    expect: int
    within_s: float
    by_key: str | None


@dataclass(frozen=True)
class SqlAudit:
    """Books read by SQL. `movements` yields (key, amount, source, target, id) for ids above `%(since)s`.

    `cells` holds a DSN for each cell whose books stand apart; `dsn` is empty then. The queries are asked of each, those
    of `across` of all together.
    """

    dsn: str
    password: Credential | None
    high_water: str
    movements: str
    invariants: tuple[Invariant, ...]
    deadline_s: float
    kind: Literal["sql"] = "sql"
    cells: Mapping[str, str] = field(default_factory=dict, metadata=WHEN_SET)
    across: tuple[Across, ...] = field(default=(), metadata=WHEN_SET)


@dataclass(frozen=True)
class HttpAudit:
    """Books asked by idempotency key, `{key}` in `url`.

    The statuses say found or missing; the fields are names in its JSON answer.
    """

    url: str
    found: int
    missing: int
    headers: Mapping[str, str]
    bearer: Credential | None
    amount_field: str | None
    source_field: str | None
    target_field: str | None
    id_field: str | None
    deadline_s: float
    kind: Literal["http"] = "http"


@dataclass(frozen=True)
class CsvAudit:
    """Books exported to a file by somebody; a missing file at audit time is an incomplete audit."""

    file: Path
    key_column: str
    amount_column: str
    source_column: str | None
    target_column: str | None
    id_column: str | None
    kind: Literal["csv"] = "csv"


@dataclass(frozen=True)
class NoAudit:
    """Nobody reads the books: data loss cannot be shown."""

    why: str
    kind: Literal["none"] = "none"


Audit = SqlAudit | HttpAudit | CsvAudit | NoAudit
