"""Our settings within an experiment: the extension called `stormdrill`, schema `stormdrill.experiment/1`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stormdrill.content import Node, lines_of
from stormdrill.content.problems import unknown
from stormdrill.limit import Limit
from stormdrill.scenario import (
    SCALE_BOUNDS,
    SEED_BOUNDS,
    TIMES_LOW_S,
    Activity,
    Aggregate,
    Assertion,
    Experiment,
    FlowControl,
    GuardRule,
    Health,
    LoadSettings,
    Objectives,
    Times,
)

SCHEMA = "stormdrill.experiment/1"
LOADED_PHASES = ("steady", "inject", "recover", "revert", "settle")
"""Phases under load, in which samples can be judged."""
GUARD_METRICS = (
    "good_ratio",
    "shed_ratio",
    "failed_ratio",
    "good_per_s",
    "p99_ms",
    "inflight",
    "lateness_p99_ms",
)
"""What the guard can compute from the load's one-second lines."""

_KEEP = Limit("<=", 0.0)
T = TypeVar("T")


@dataclass(frozen=True)
class Activities:
    """What the experiment does outside our extension."""

    title: str
    hypothesis: tuple[Activity, ...]
    method: tuple[Activity, ...]
    rollbacks: tuple[Activity, ...]


def decode_extension(node: Node, path: Path, sha256: str, activities: Activities) -> Experiment:
    """The experiment: its extension, and the activities read from around it."""
    base = path.resolve().parent
    with node.fields() as fields:
        fields.need("name").text()
        fields.need("schema").choice([SCHEMA], SCHEMA)
        return Experiment(
            path=path.resolve(),
            sha256=sha256,
            title=activities.title,
            name=fields.get("drill").name(path.stem),
            fault_class=fields.need("fault_class").text("-"),
            topology=fields.need("topology").file(base),
            load=_load(fields.need("load"), base),
            times=_times(fields.need("times")),
            health=_health(fields.get("health")),
            objectives=_objectives(fields.get("objectives")),
            assertions=_unique(fields.get("assertions"), _assertion),
            flow_control=fields.get("flow_control").maybe(_flow_control),
            guard=_unique(fields.get("guard"), _guard_rule),
            hypothesis=activities.hypothesis,
            method=activities.method,
            rollbacks=activities.rollbacks,
            lines=lines_of(node),
        )


def _load(node: Node, base: Path) -> LoadSettings:
    with node.fields() as fields:
        locustfile = fields.get("locustfile")
        scale = fields.get("scale")
        return LoadSettings(
            profile=fields.need("profile").file(base),
            locustfile=locustfile.file(base) if locustfile.present else None,
            seed=fields.get("seed").integer(1, low=SEED_BOUNDS[0], high=SEED_BOUNDS[1]),
            scale=scale.number(1.0, low=SCALE_BOUNDS[0], high=SCALE_BOUNDS[1]) if scale.present else None,
        )


def _times(node: Node) -> Times:
    with node.fields() as fields:
        return Times(
            warmup_s=fields.get("warmup").duration_s(5.0, low=TIMES_LOW_S["warmup"]),
            steady_s=fields.need("steady").duration_s(20.0, low=TIMES_LOW_S["steady"]),
            window_s=fields.need("window").duration_s(20.0, low=TIMES_LOW_S["window"]),
            recover_limit_s=fields.need("recover_limit").duration_s(60.0, low=TIMES_LOW_S["recover_limit"]),
            settle_s=fields.get("settle").duration_s(0.0, low=TIMES_LOW_S["settle"]),
        )


def _health(node: Node) -> Health:
    with node.fields() as fields:
        return Health(
            success=fields.get("success").ratio(0.99),
            goodput=fields.get("goodput").ratio(0.95),
            p99_s=fields.get("p99").maybe(lambda part: part.duration_s(1.0, low=0.001)),
        )


def _objectives(node: Node) -> Objectives:
    with node.fields() as fields:
        return Objectives(
            recovery_time_s=_by_tier(fields.get("recovery_time"), Node.duration_s),
            data_loss_s=_by_tier(fields.get("data_loss"), Node.duration_s),
            hurt=_by_tier(fields.get("hurt"), Node.ratio),
            success=_by_tier(fields.get("success"), Node.ratio),
            max_lost=fields.get("lost").maybe(lambda part: part.integer(0, low=0)),
            max_duplicated=fields.get("duplicated").integer(0, low=0),
        )


def _by_tier(node: Node, read: Callable[[Node], float]) -> dict[str, float]:
    return {tier: read(child) for tier, child in node.items()}


def _unique(node: Node, read: Callable[[Node], T]) -> tuple[T, ...]:
    seen: set[str] = set()
    for element in node.elements():
        name = dict(element.items()).get("id")
        if name is not None and name.text() in seen:
            name.problem(f"'{name.text()}' is given twice")
        seen.add(name.text() if name is not None else "")
    return tuple(read(element) for element in node.elements())


def _assertion(node: Node) -> Assertion:
    with node.fields() as fields:
        phases = fields.need("phases")
        for element in phases.elements():
            if element.text() not in LOADED_PHASES:
                element.problem(unknown("phase", element.text(), LOADED_PHASES))
        if phases.present and not phases.elements():
            phases.problem("must name at least one phase")
        return Assertion(
            id=fields.need("id").name(),
            query=fields.need("query").text(),
            phases=phases.texts(),
            aggregate=Aggregate(fields.need("aggregate").choice([*Aggregate], Aggregate.MAX)),
            limit=fields.need("limit").parsed(Limit.parse, _KEEP),
            min_samples=fields.need("min_samples").integer(1, low=1),
        )


def _flow_control(node: Node) -> FlowControl:
    with node.fields() as fields:
        order = fields.need("order")
        if len(set(order.texts())) < max(2, len(order.texts())):
            order.problem("must name at least two tiers, each once, the most important first")
        return FlowControl(
            order=order.texts(),
            min_sheds=fields.get("min_sheds").integer(50, low=1),
            in_flight_slack=fields.get("in_flight_slack").number(0.0, low=0),
        )


def _guard_rule(node: Node) -> GuardRule:
    with node.fields() as fields:
        metric, query = fields.get("metric"), fields.get("query")
        if metric.present == query.present:
            node.problem("give either 'metric' (of the load) or 'query' (PromQL)")
        return GuardRule(
            id=fields.need("id").name(),
            metric=metric.maybe(lambda part: part.choice(GUARD_METRICS, GUARD_METRICS[0])),
            query=query.maybe(Node.text),
            limit=fields.need("limit").parsed(Limit.parse, _KEEP),
            grace_s=fields.need("grace").duration_s(10.0),
            objective=fields.get("objective").boolean(default=False),
        )
