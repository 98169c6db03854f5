"""Which calls there are, by the name that a step's block gives them."""

from __future__ import annotations

from collections.abc import Callable

from stormdrill.content import Node
from stormdrill.runbook.calls import Call, command, http, patroni, promql, site, sql

CALLS: dict[str, Callable[[Node], Call]] = {
    "promql": promql.decode,
    "http": http.decode,
    "patroni": patroni.decode,
    "sql": sql.decode,
    "site": site.decode,
    "command": command.decode,
}
