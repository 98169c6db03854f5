"""What the files of a plan say about each other: names that must exist, arguments that must fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stormdrill import metric_names
from stormdrill.activities import (
    ACTIONS,
    EACH,
    FENCED,
    HARMLESS,
    HEAL,
    PRIMARY,
    PROBES,
    SKIPPED,
    Argument,
    Kind,
    Signature,
)
from stormdrill.content.problems import unknown
from stormdrill.continuity import Continuity
from stormdrill.errors import Problem
from stormdrill.estate import Topology
from stormdrill.plan_moves import move_problems
from stormdrill.plan_objectives import objective_problems
from stormdrill.population import Population
from stormdrill.profile import Profile
from stormdrill.scenario import Activity, ActivityKind, Experiment
from stormdrill.units import parse_duration_s, parse_ratio

_FEWEST = 2
"""Customers of a cell: one who sends money, and one who gets it."""


def check(
    experiment: Experiment, topology: Topology, continuity: Continuity, profile: Profile
) -> list[Problem]:
    """Every contradiction between the files, at its place in the experiment."""
    return [
        *_activity_problems(experiment, topology),
        *_rollback_problems(experiment),
        *_heal_problems(experiment),
        *move_problems(experiment, topology),
        *objective_problems(experiment, topology, continuity),
        *_metric_problems(experiment, topology),
        *metric_names.problems(experiment),
        *_profile_problems(experiment, topology, profile),
    ]


def _activity_problems(experiment: Experiment, topology: Topology) -> Iterable[Problem]:
    file = str(experiment.path)
    for activity in (*experiment.hypothesis, *experiment.method, *experiment.rollbacks):
        table = ACTIONS if activity.kind is ActivityKind.ACTION else PROBES
        signature = table[activity.function]  # known, or the experiment would not have been read
        found = [*_argument_problems(activity, signature, topology)]
        if signature.hurts_database or activity.arguments.get("zone") == PRIMARY:
            found += _database_problems(activity, topology)
        if signature.needs_canaries and topology.canaries is None:
            found.append(f"only canaries can prove it: {topology.path.name} has no 'canaries'")
        yield from (Problem(file, activity.line, f"{activity.name}: {message}") for message in found)


def _rollback_problems(experiment: Experiment) -> Iterable[Problem]:
    for activity in experiment.rollbacks:
        if (
            activity.kind is ActivityKind.ACTION
            and activity.function in ACTIONS
            and activity.function not in HARMLESS
        ):
            allowed = " and ".join(f"'{name}'" for name in HARMLESS)
            message = (
                f"{activity.name}: {activity.function} is a fault; rollbacks hold probes, {allowed} only"
            )
            yield Problem(str(experiment.path), activity.line, message)


def _heal_problems(experiment: Experiment) -> Iterable[Problem]:
    """A `heal` must name what was applied before it: the action's name and a number from 1."""
    times: Counter[str] = Counter()
    lasting: set[str] = set()
    for activity in experiment.method:
        if activity.kind is not ActivityKind.ACTION or activity.function not in ACTIONS:
            continue
        if activity.function != HEAL:
            times[activity.function] += 1
            if "lease" in ACTIONS[activity.function].arguments and not activity.arguments.get("duration"):
                lasting.add(f"{activity.function}-{times[activity.function]}")
            continue
        named = activity.arguments.get("fault")
        healed = {named} & lasting if named else set(lasting)
        if not healed:
            there = ", ".join(sorted(lasting)) or "none"
            message = (
                f"{activity.name}: {named or 'there is nothing'} to heal; faults that last so far: {there}"
            )
            yield Problem(str(experiment.path), activity.line, message)
        lasting -= healed


def _argument_problems(activity: Activity, signature: Signature, topology: Topology) -> Iterable[str]:
    given = activity.arguments
    for name, value in given.items():
        if message := _value_problem(signature.arguments[name], value, topology):
            yield f"{name}: {message}"
    zone, service = given.get("zone"), topology.services.get(str(given.get("service")))
    if service is not None and service.regions and zone in topology.zones:
        region = topology.zones[str(zone)]
        if region not in service.regions:
            yield f"service '{service.name}' does not run in region '{region}' of zone '{zone}'"


def _database_problems(activity: Activity, topology: Topology) -> Iterable[str]:
    databases, cell = topology.databases, activity.arguments.get("cell")
    if not databases:
        yield f"{topology.path.name} has no databases"
    elif cell is not None and cell in topology.cells and cell not in databases:
        yield f"cell '{cell}' has no database in {topology.path.name}"
    elif activity.function == "crash_primary":
        named = str(cell) if cell is not None else topology.first_database
        if named in databases and not databases[named].crash:
            yield f"{topology.path.name} does not say how to crash it: databases.{named}.crash is missing"


def _value_problem(argument: Argument, value: Any, topology: Topology) -> str | None:
    named: Mapping[Kind, Iterable[str]] = {
        Kind.SERVICE: topology.services,
        Kind.ZONE: topology.zones,
        Kind.ZONES: (*topology.zones, EACH),
        Kind.PLACE: (*topology.zones, PRIMARY),
        Kind.REGION: topology.regions,
        Kind.CELL: topology.cells,
        Kind.FAR_SIDE: (*topology.zones, *topology.regions, "anything"),
        Kind.DIRECTION: ("both", "in", "out"),
        Kind.OPERATION: topology.operations,
    }
    if isinstance(value, str) and "${" in value:
        return "substitutions cannot be checked before the start; write the value"
    if argument.kind in named:
        names = list(named[argument.kind])
        what = Kind.ZONE if argument.kind in (Kind.ZONES, Kind.PLACE) else argument.kind
        return None if value in names else unknown(str(what), value, names)
    return _SCALARS[argument.kind](value)


def _count(value: Any) -> str | None:
    ok = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return None if ok else f"must be a whole number from 1: {value!r}"


def _lease(value: Any) -> str | None:
    problem = _parsed(parse_duration_s)(value)
    if problem is None and not 1 <= parse_duration_s(value) <= 300:
        return f"must be from 1s to 5m: {value!r}"
    return problem


def _parsed(parse: Callable[[Any], float]) -> Callable[[Any], str | None]:
    def problem(value: Any) -> str | None:
        try:
            return None if parse(value) > 0 else f"must be above 0: {value!r}"
        except (ValueError, TypeError) as error:
            return str(error)

    return problem


_SCALARS: dict[Kind, Callable[[Any], str | None]] = {
    Kind.COUNT: _count,
    Kind.RATIO: _parsed(parse_ratio),
    Kind.DURATION: _parsed(parse_duration_s),
    Kind.LEASE: _lease,
    Kind.FAULT: lambda value: None if isinstance(value, str) and value else f"must be a name: {value!r}",
    Kind.TEXT: lambda value: None if isinstance(value, str) and value else f"must be text: {value!r}",
    Kind.RETURN: lambda value: None if value == FENCED else f"must be {FENCED!r}, or left out: {value!r}",
    Kind.FENCE: lambda value: None if value == SKIPPED else f"must be {SKIPPED!r}, or left out: {value!r}",
    Kind.FLAG: lambda value: None if isinstance(value, bool) else f"must be true or false: {value!r}",
}


def _metric_problems(experiment: Experiment, topology: Topology) -> Iterable[Problem]:
    if experiment.flow_control is None:
        return
    for name in ("admission_highwater", "admission_limit", "shed_by_tier", "admitted_by_tier"):
        if name not in topology.metrics:
            line = experiment.lines.get("flow_control", 0)
            message = f"flow_control needs the metric '{name}', which {topology.path.name} does not map"
            yield Problem(str(experiment.path), line, message)


def _profile_problems(experiment: Experiment, topology: Topology, profile: Profile) -> Iterable[Problem]:
    line = experiment.lines.get("load.profile", 0)
    for operation in sorted(profile.operations - set(topology.operations)):
        message = unknown("operation", operation, topology.operations)
        yield Problem(
            str(experiment.path), line, f"profile {profile.name}: {message} in {topology.path.name}"
        )
    if profile.arrivals_per_s is not None:
        return  # a plain locustfile has customers of its own
    rules = [cell.customers for cell in topology.cells.values()]
    population = Population(profile.customers, len(rules), rules)
    for number, cell in enumerate(topology.cells):
        few = (len(population.visitors(number)), len(population.probes(number)))
        if len(rules) > 1 and min(few) < _FEWEST:
            message = f"leaves cell {cell} {few[0]} customers for sessions and {few[1]} for probes"
            yield Problem(
                str(experiment.path),
                line,
                f"profile {profile.name}: {message}; each needs {_FEWEST} at least",
            )
