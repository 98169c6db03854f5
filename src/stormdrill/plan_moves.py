"""What must hold between the actions of a method that move a database, and what the topology must have for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

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
        order = _over if activity.function == FAIL_OVER else _back
        found = (
            *_topology(activity, topology),
            *_skipped(activity, topology),
            *order(activity, before, topology),
        )
        for message in found:
            yield Problem(str(experiment.path), activity.line, f"{activity.name}: {message}")
        if activity.function == FAIL_BACK and any(one.kind is ActivityKind.ACTION for one in after):
            message = (
                f"{FAIL_BACK} must be the method's last action: it waits for the recovery and ends all faults"
            )
            yield Problem(str(experiment.path), activity.line, f"{activity.name}: {message}")


def two_sited(topology: Topology) -> dict[str, Database]:
    """The databases that can be moved, by cell, in the order of the cells."""
    return {
        cell: topology.databases[cell]
        for cell in topology.cells
        if cell in topology.databases and topology.databases[cell].home and topology.databases[cell].standby
    }


def cells_at_home_in(topology: Topology, regions: Collection[str]) -> list[str]:
    """The cells that a move without a cell concerns: all that have two sites and are at home in one of `regions`."""
    return [
        cell
        for cell, one in two_sited(topology).items()
        if one.home is not None and one.home.region in regions
    ]


def lost_in(method: Iterable[Activity]) -> list[str]:
    """The regions that a method loses with a fence around them."""
    return [str(one.arguments.get("region")) for one in method if _fenced(one)]


def meant_by(activity: Activity, before: Iterable[Activity], topology: Topology) -> list[str]:
    """The cells that a `fail_over` moves, after what stands before it in the method."""
    named = activity.arguments.get("cell")
    if named:
        return [str(named)]
    if activity.arguments.get("fence") != SKIPPED:
        return cells_at_home_in(topology, lost_in(before))
    homes = [one.home.region for one in two_sited(topology).values() if one.home is not None]
    return cells_at_home_in(topology, homes[:1])


def _topology(activity: Activity, topology: Topology) -> Iterator[str]:
    cells = two_sited(topology)
    named = activity.arguments.get("cell")
    if not cells or (named in topology.databases and named not in cells):
        yield f"{topology.path.name} gives {named or 'no cell'} no second site ('home' and 'standby' of its database)"
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


def _over(activity: Activity, before: tuple[Activity, ...], topology: Topology) -> Iterator[str]:
    cells = two_sited(topology)
    named = activity.arguments.get("cell")
    skipped = activity.arguments.get("fence") == SKIPPED  # then nobody has to be lost
    lost, meant = lost_in(before), meant_by(activity, before, topology)
    # Whichever of its regions is lost, the other takes over.
    mine = [cells[str(named)]] if named in cells else [] if named else list(cells.values())
    regions = sorted({site.region for database in mine for site in _sites(database)})
    if not skipped and not set(lost) & set(regions):
        yield f"must come after a lose_region of {' or '.join(regions) or 'its region'} with `return: fenced`"
    elif not meant and cells:
        yield f"no cell with two sites is at home in {', '.join(lost)}: there is nothing to fail over"
    to = sorted({one.standby.region for cell in meant if (one := cells.get(cell)) and one.standby})
    if len(to) > 1:
        yield f"{', '.join(meant)} would go to {' and '.join(to)}: phones can be led to one region only"
    for cell in meant:
        if cell in _moved(before, topology):
            yield f"{cell} is failed over twice"


def _back(activity: Activity, before: tuple[Activity, ...], topology: Topology) -> Iterator[str]:
    moved, named = _moved(before, topology), activity.arguments.get("cell")
    if not moved or (named and named not in moved):
        yield f"must come after a {FAIL_OVER} of the same cell"
    elif named and len(moved) > 1:
        rest = ", ".join(cell for cell in moved if cell != named)
        yield f"phones can be led to one region only, and {rest} would stay away: leave out 'cell'"


def _moved(before: tuple[Activity, ...], topology: Topology) -> list[str]:
    """The cells that earlier actions fail over."""
    return [
        cell
        for at, one in enumerate(before)
        if one.kind is ActivityKind.ACTION and one.function == FAIL_OVER
        for cell in meant_by(one, before[:at], topology)
    ]


def _fenced(activity: Activity) -> bool:
    return activity.function == "lose_region" and activity.arguments.get(RETURN) == FENCED


def _sites(database: Database) -> Iterator[DatabaseSite]:
    for site in (database.home, database.standby):
        if site is not None:
            yield site
