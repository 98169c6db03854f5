"""What a dead drill left of a failover: what is safe is done, where it stands is said, what is not safe is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stormdrill.direct.bench import clear
from stormdrill.direct.comeback import Journey, come_back
from stormdrill.direct.cut_off import lead_again
from stormdrill.direct.failover import call_off, close
from stormdrill.direct.rebuild import Wanted
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Pair, Side, pair_of
from stormdrill.direct.standing import Place, Standing, stand
from stormdrill.drill.sayings import worth_saying
from stormdrill.errors import InputError, StormdrillError
from stormdrill.estate import Topology
from stormdrill.estate_books import SqlAudit
from stormdrill.kube import Cluster
from stormdrill.plan_moves import two_sited

BY = "stormdrill recover"
Say = Callable[[str], None]
_AWAY = (Place.AWAY, Place.RETURNING, Place.OPEN)


def settle(
    topology: Topology, clusters: Mapping[str, Cluster], say: Say, check: Callable[[], None]
) -> tuple[list[str], list[str]]:
    """Take back what was not promoted, hold what was; what was found, and what is still not as always.

    Only what a drill began is taken back: a fence that people closed is theirs.
    """
    found: list[str] = []
    left: list[str] = []
    standings: list[Standing] = []
    for cell in two_sited(topology):
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
        standings.append(after)
        if not after.usual:
            left.append(after.text())
    left += scattered(standings)
    return found, left


def bring_back(
    topology: Topology,
    clusters: Mapping[str, Cluster],
    cell: str,
    directory: Path,
    *,
    say: Say,
    check: Callable[[], None],
) -> list[Path]:
    """Rebuild the home of a cell (empty: of all that are away), switch back to it, lead phones there.

    Returns where their old timelines are kept. InputError when none is away, or another one is as well.
    ActionError and TargetError as `come_back`.
    """
    cells = two_sited(topology)
    if cell and cell not in cells:
        raise InputError(
            f"no database of cell {cell} with two sites; there are: {', '.join(cells) or 'none'}"
        )
    pairs = {name: _pair(topology, name, clusters, say) for name in cells}
    standings = {name: stand(pair) for name, pair in pairs.items()}
    away = [name for name, one in standings.items() if one.place in _AWAY]
    if not away or (cell and cell not in away):
        said = [standings[name].text() for name in ([cell] if cell else cells)]
        raise InputError(f"there is nothing to come back from. {'. '.join(said)}")
    if cell and (
        others := [name for name in away if name != cell and _same_way(standings[name], standings[cell])]
    ):
        raise InputError(
            f"{', '.join(others)} is away as well, and phones can be led to one region only: "
            f"bring all of them back together, with `--come-back` and no cell"
        )
    chosen = [cell] if cell else away
    directory.mkdir(parents=True, exist_ok=True)
    at, books = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", topology.audit
    wanted = {
        name: Wanted(BY, directory / f"fork-{name}-{at}.json", books if isinstance(books, SqlAudit) else None)
        for name in chosen
    }
    routes = Routes.of(topology)
    journeys = [
        Journey(pairs[name].home, pairs[name].standby, routes, wanted[name], check) for name in chosen
    ]
    come_back(journeys, "asked for", _tell(say))
    return [one.fork for one in wanted.values()]


def scattered(standings: Sequence[Standing]) -> list[str]:
    """What is wrong with cells of one home that lead in different regions, a sentence for each such home."""
    found = []
    for home in dict.fromkeys(one.home for one in standings):
        mine = [one for one in standings if one.home == home]
        there = [one.cell for one in mine if one.place in _AWAY]
        here = [one.cell for one in mine if one.place in (Place.HOME, Place.ARMED)]
        if there and here:
            found.append(
                f"{', '.join(here)} leads in {home} and {', '.join(there)} does not: phones can be led to one region "
                f"only, and the others' customers are not served there. Safe: `stormdrill recover --come-back`"
            )
    return found


def _same_way(one: Standing, other: Standing) -> bool:
    return (one.home, one.away) == (other.home, other.away)


def _mend(topology: Topology, pair: Pair, standing: Standing, check: Callable[[], None]) -> str:
    """Do what is safe; what that was, empty when there was nothing."""
    home = pair.home
    for side in (home, pair.standby):
        clear(
            side.cluster, side.namespace
        )  # a rebuild that was cut off; nobody may have a volume beside its member
    if standing.place in (Place.ARMED, Place.CLOSED, Place.HOME):
        return _given_back(home, standing)
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


def _given_back(home: Side, standing: Standing) -> str:
    """What a drill began and nobody was promoted for."""
    if standing.place is Place.HOME:
        return _edges_opened(home, standing)
    if not standing.of_a_drill:
        return ""
    if standing.place is Place.ARMED:
        home.fencing.disarm(BY)
        return f"the fence of {home.region}, armed by a drill: disarmed"
    call_off(home, BY, home.fencing.tell)
    return f"{home.region}, closed by a drill that promoted nobody: opened, it takes writes again"


def _edges_opened(home: Side, standing: Standing) -> str:
    """Whoever gave the site back may have died before its edges were opened."""
    fence = standing.fence
    if fence is None or not fence.edges_shut or not (standing.of_a_drill or fence.by == BY):
        return ""
    if home.fencing.closed_neighbours():  # whoever of them is opened last opens them
        return ""
    home.fencing.open_edges()
    return f"edges of {home.region}, shut by {fence.by} and not opened again: opened"


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
