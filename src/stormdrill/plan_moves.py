"""What must hold between the actions of a method that move a database, and what the topology must have for them."""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.activities import ACCEPTED, FAIL_BACK, FAIL_OVER, FENCED, MOVES, RETURN, SKIPPED
from stormdrill.errors import Problem
from stormdrill.estate import Environment, Topology
from stormdrill.estate_sites import Database, DatabaseSite
from stormdrill.scenario import Activity, ActivityKind, Experiment


def move_problems(experiment: Experiment, topology: Topology) -> Iterator[Problem]:
    """Every contradiction: order, cells, sites, edges."""
    for at, activity in enumerate(experiment.method):
        if activity.kind is not ActivityKind.ACTION or activity.function not in MOVES:
            continue
        before, after = experiment.method[:at], experiment.method[at + 1 :]
        found = (
            *_topology(activity, topology),
            *_skipped(activity, topology),
            *_order(activity, before, after, topology),
        )
        for message in found:
            yield Problem(str(experiment.path), activity.line, f"{activity.name}: {message}")


def _topology(activity: Activity, topology: Topology) -> Iterator[str]:
    cells = _cells(topology)
    named = activity.arguments.get("cell")
    if not cells or (named in topology.databases and named not in cells):
        yield f"{topology.path.name} gives {named or 'no cell'} no second site ('home' and 'standby' of its database)"
    elif named is None and len(cells) > 1:
        yield f"say which cell: {', '.join(cells)}"
    if topology.resolver is None:
        yield f"{topology.path.name} has no 'resolver': phones could not be led to another region"
    elif lost := [edge.name for edge in topology.edges if edge.name not in topology.zones]:
        yield f"edges must be called as their zones: {', '.join(lost)}"


def _skipped(activity: Activity, topology: Topology) -> Iterator[str]:
    """A fence is left out by nobody who has not said what that means, and nowhere but in a lab."""
    accepted = activity.arguments.get(ACCEPTED)
    if activity.arguments.get("fence") != SKIPPED:
        if accepted is not None:
            yield f"'{ACCEPTED}' is for 'fence: {SKIPPED}' only"
        return
    if accepted is not True:
        yield f"'fence: {SKIPPED}' lets both sites take writes: it needs '{ACCEPTED}: true'"
    if topology.environment is not Environment.LAB:
        yield f"'fence: {SKIPPED}' is for labs only, and {topology.path.name} is {topology.environment}"


def _order(
    activity: Activity, before: tuple[Activity, ...], after: tuple[Activity, ...], topology: Topology
) -> Iterator[str]:
    cells = _cells(topology)
    cell = activity.arguments.get("cell") or next(iter(cells), None)
    if activity.function == FAIL_OVER:
        regions = {
            site.region for site in _sites(cells.get(str(cell)))
        }  # whichever of them is lost, the other takes over
        skipped = activity.arguments.get("fence") == SKIPPED  # then nobody has to be lost either
        if not skipped and not any(one.arguments.get("region") in regions and _fenced(one) for one in before):
            where = " or ".join(sorted(regions)) or "its region"
            yield f"must come after a lose_region of {where} with `return: fenced`"
        if any(one.function == FAIL_OVER and _same(one, activity) for one in before):
            yield f"{cell} is failed over twice"
        return
    if not any(one.function == FAIL_OVER and _same(one, activity) for one in before):
        yield f"must come after a {FAIL_OVER} of the same cell"
    if any(one.kind is ActivityKind.ACTION for one in after):
        yield f"{FAIL_BACK} must be the method's last action: it waits for the recovery and ends all faults"


def _fenced(activity: Activity) -> bool:
    return activity.function == "lose_region" and activity.arguments.get(RETURN) == FENCED


def _same(one: Activity, other: Activity) -> bool:
    return one.arguments.get("cell") == other.arguments.get("cell")


def _cells(topology: Topology) -> dict[str, Database]:
    return {name: one for name, one in topology.databases.items() if one.home and one.standby}


def _sites(database: Database | None) -> Iterator[DatabaseSite]:
    for site in (database.home, database.standby) if database else ():
        if site is not None:
            yield site
