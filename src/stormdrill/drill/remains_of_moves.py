"""What a dead drill left of a failover: what is safe is done, where it stands is said, what is not safe is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stormdrill.direct.bench import clear
from stormdrill.direct.comeback import Journey, come_back
from stormdrill.direct.failover import call_off, close
from stormdrill.direct.rebuild import Wanted
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Pair, pair_of
from stormdrill.direct.standing import Place, Standing, stand
from stormdrill.direct.switchback import lead_again
from stormdrill.drill.moves import cell_of
from stormdrill.drill.sayings import worth_saying
from stormdrill.errors import ActionError, InputError, StormdrillError
from stormdrill.estate import Topology
from stormdrill.estate_books import SqlAudit
from stormdrill.kube import Cluster

BY = "stormdrill recover"
Say = Callable[[str], None]


def settle(
    topology: Topology, clusters: Mapping[str, Cluster], say: Say, check: Callable[[], None]
) -> tuple[list[str], list[str]]:
    """Take back what was not promoted, hold what was; what was found, and what is still not as always.

    Only what a drill began is taken back: a fence that people closed is theirs.
    """
    found: list[str] = []
    left: list[str] = []
    for cell, database in topology.databases.items():
        if database.home is None or database.standby is None:
            continue
        try:
            pair = _pair(topology, cell, clusters, say)
            before = stand(pair)
            done = _mend(topology, pair, before, check)
            after = stand(pair) if done else before
        except StormdrillError as error:
            left.append(f"{cell}: its database could not be looked at: {error}")
            continue
        if done:
            found.append(f"{cell}: {done}")
        if not after.usual:
            left.append(after.text())
    return found, left


def bring_back(
    topology: Topology,
    clusters: Mapping[str, Cluster],
    cell: str,
    directory: Path,
    *,
    say: Say,
    check: Callable[[], None],
) -> Path:
    """Rebuild a cell's home, switch back to it, lead phones there; where its old timeline is kept.

    InputError when it is not away. ActionError and TargetError as `come_back`.
    """
    try:
        cell = cell_of(topology, cell)
    except ActionError as error:
        raise InputError(str(error)) from None
    pair = _pair(topology, cell, clusters, say)
    standing = stand(pair)
    if standing.place not in (Place.AWAY, Place.RETURNING, Place.OPEN):
        raise InputError(f"there is nothing to come back from. {standing.text()}")
    directory.mkdir(parents=True, exist_ok=True)
    fork = directory / f"fork-{cell}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    books = topology.audit if isinstance(topology.audit, SqlAudit) else None
    journey = Journey(pair.home, pair.standby, Routes.of(topology), Wanted(BY, fork, books), check)
    come_back(journey, "asked for", _tell(say))
    return fork


def _mend(topology: Topology, pair: Pair, standing: Standing, check: Callable[[], None]) -> str:
    """Do what is safe; what that was, empty when there was nothing."""
    home = pair.home
    for side in (home, pair.standby):
        clear(
            side.cluster, side.namespace
        )  # a rebuild that was cut off; nobody may have a volume beside its member
    if standing.place is Place.ARMED and standing.of_a_drill:
        home.fencing.disarm(BY)
        return f"the fence of {home.region}, armed by a drill: disarmed"
    if standing.place is Place.CLOSED and standing.of_a_drill:
        call_off(home, BY, home.fencing.tell)
        return f"{home.region}, closed by a drill that promoted nobody: opened, it takes writes again"
    if standing.place is Place.NEITHER:
        leading = lead_again(home, pair.standby, BY, home.fencing.tell)
        return f"each site followed the other, a switch between them was cut off: {leading.region} takes writes again"
    if standing.place in (Place.OPEN, Place.SPLIT):
        record = close(home, BY, check)
        how = record.how.value if record.how else "not proven"
        return f"{home.region} was not closed although {pair.standby.region} leads: closed ({how})"
    if standing.place in (Place.AWAY, Place.RETURNING):
        return _led(topology, pair)
    return ""


def _led(topology: Topology, pair: Pair) -> str:
    """Whoever promoted may have died before phones were led there."""
    there = pair.standby
    routes = Routes.of(topology)
    if routes.regions() == {there.region}:
        return ""
    routes.turn_to(there.region, BY, there.fencing.tell)
    routes.serving(there.region)
    return f"phones were not led to {there.region}, where the database leads: they are now"


def _pair(topology: Topology, cell: str, clusters: Mapping[str, Cluster], say: Say) -> Pair:
    return pair_of(topology, cell, clusters, _tell(say))


def _tell(say: Say) -> Callable[..., object]:
    def tell(kind: str, actor: str = "", *, mono_ns: int | None = None, **data: Any) -> None:
        del actor, mono_ns
        if text := worth_saying(kind, data):
            say(text)

    return tell
