"""`promql: {query, limit}`: every series of an instant query keeps a limit; no series does not."""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill import address
from stormdrill.content import Node
from stormdrill.limit import Limit
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.surroundings import Surroundings

_SHOWN = 5


@dataclass(frozen=True)
class PromQl:
    """`url` None: the topology's Prometheus."""

    query: str
    limit: Limit
    url: str | None
    changes: bool = False

    @property
    def text(self) -> str:
        """The query and its limit."""
        return f"{self.query} {self.limit}"

    def run(self, around: Surroundings) -> Finding:
        """Ask once. Warnings (a partial answer) do not hold."""
        answer = around.prometheus(self.url).instant(self.query)
        values = [sample.value for sample in answer.samples]
        if answer.warnings:
            return Finding(False, f"a partial answer: {'; '.join(answer.warnings)}")
        if not values:
            return Finding(False, "no data")
        holds = all(value is not None and self.limit.holds(value) for value in values)
        shown = ", ".join("NaN" if value is None else f"{value:g}" for value in values[:_SHOWN])
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        return Finding(holds, shown + more, {"values": values})


def decode(node: Node) -> PromQl:
    """From a step's block."""
    with node.fields() as fields:
        return PromQl(
            fields.need("query").text(),
            fields.need("limit").parsed(Limit.parse, Limit("==", 0)),
            fields.get("url").maybe(url),
        )


def url(node: Node) -> str:
    """An http(s) address."""
    text = node.text()
    if text and (wrong := address.trouble(text)):
        node.problem(wrong)
    return text.rstrip("/")
