"""The PromQL of a plan: each query once, with the place where it is written, and tried before the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stormdrill.content import open_document
from stormdrill.errors import InputError
from stormdrill.plan import Plan


@dataclass(frozen=True)
class Query:
    """One query as it will be asked (`$` names replaced). `line` is 0 when it is not known."""

    what: str
    text: str
    file: Path
    line: int


def queries_of(plan: Plan) -> Iterator[Query]:
    """Those of the estate's metrics, the assertions and the guard."""
    topology, experiment = plan.topology, plan.experiment
    lines = _metric_lines(topology.path)
    for name, text in topology.metrics.items():
        yield Query(f"metric {name}", text, topology.path, lines.get(name, 0))
    if topology.canaries:
        yield Query("canaries", topology.canaries.metric, topology.path, topology.lines.get("canaries", 0))
    for assertion in experiment.assertions:
        line = experiment.lines.get(f"assertions.{assertion.id}.query", 0)
        yield Query(f"assertion {assertion.id}", assertion.query, experiment.path, line)
    for rule in experiment.guard:
        if rule.query:
            line = experiment.lines.get(f"guard.{rule.id}.query", 0)
            yield Query(f"guard {rule.id}", rule.query, experiment.path, line)


def _metric_lines(topology: Path) -> dict[str, int]:
    try:
        metrics = dict(open_document(topology).root.items()).get("metrics")
    except InputError:  # it was readable when the plan was made; lines are not worth a failure
        return {}
    return {name: node.line for name, node in metrics.items()} if metrics else {}
