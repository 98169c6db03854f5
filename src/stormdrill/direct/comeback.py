"""The way back: the old site rebuilt behind its fence, caught up, switched back to under load, phones led home.

Each part looks first at what is done already, so that a way back that was cut off can be begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stormdrill import wait
from stormdrill.direct.cut_off import lead_again
from stormdrill.direct.failover import close, retried
from stormdrill.direct.following import behind, followed_within
from stormdrill.direct.rebuild import FOLLOWS_WITHIN_S, Wanted, rebuild
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Side
from stormdrill.direct.switchback import Leg, Switched, switch_together
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.fence import State
from stormdrill.fence.site import Tell

WITHIN_S = 90.0
_POLL_S = 0.5


@dataclass(frozen=True)
class Journey:
    """One cell's, from `away`, which leads, to `home`.

    `wanted` is what the rebuild is told; `check` may raise between steps.
    """

    home: Side
    away: Side
    routes: Routes
    wanted: Wanted
    check: Callable[[], None]


def come_back(journeys: Sequence[Journey], why: str, tell: Tell) -> tuple[Switched, ...]:
    """Make each `home` the leading site again, with `away` as its standby.

    All are from one region and to one region, for phones are led to one. They are rebuilt one after the other, which
    is easier on the site that serves, and switched together: phones are led once, and either all switch or none does.

    ActionError when an `away` takes no writes, or a part refuses (its message says what stands). TargetError when
    something does not answer in time. After either one holds: what leads goes on leading.
    """
    begun = time.monotonic()
    first = journeys[0]
    home, by = first.home, first.wanted.by
    for journey in journeys:
        _need_leader(journey, tell)
    _refuse_apart(journeys)
    for journey in journeys:
        tell(
            "return.started", by, database=journey.home.cell, region=home.region, source=first.away.region,
            why=why,
        )  # fmt: skip
        if follows(journey.home):  # since an earlier attempt, whose base backup may still be under way
            followed_within(journey.home, journey.away, FOLLOWS_WITHIN_S)
        else:
            rebuilt(journey, tell)
        journey.check()
    # Before anybody is led there; after a site's loss edges may take a while to run again.
    retried(home.fencing.open_edges, WITHIN_S, f"{home.region}'s edges")

    def lead(region: str) -> None:
        first.routes.turn_to(region, by, tell)

    legs = [Leg(journey.away, journey.home) for journey in journeys]
    switched = switch_together(legs, by, why, tell, lead=lead)
    answer = first.routes.serving(home.region)
    tell("route.serving", by, region=home.region, edges=list(answer.edges))
    for journey in journeys:
        _redundant(journey)
        tell(
            "redundancy.restored",
            by,
            database=journey.home.cell,
            how=f"{home.region} leads with {_mates(journey.home)}, {journey.away.region} follows",
            took_s=round(time.monotonic() - begun, 1),
        )
    return switched


def _refuse_apart(journeys: Sequence[Journey]) -> None:
    """ActionError when phones would be led away from a cell: one that goes elsewhere, or stays where it is."""
    regions = {(journey.home.region, journey.away.region) for journey in journeys}
    if len(regions) > 1:
        ways = ", ".join(sorted(f"{home} from {away}" for home, away in regions))
        raise ActionError(f"phones can be led to one region only, not to {ways} at once")
    mine = {journey.home.cell for journey in journeys}
    home = journeys[0].home
    if left := [cell for cell in home.fencing.closed_neighbours() if cell not in mine]:
        raise ActionError(
            f"{', '.join(left)} is closed in {home.region} as well: bring all of them back together"
        )


def _need_leader(journey: Journey, tell: Tell) -> None:
    """ActionError unless `away` leads; a switch that was cut off half way is ended first."""
    home, away = journey.home, journey.away
    if away.takes_writes() is not None:
        return
    if away.follows_now() and follows(home) and lead_again(home, away, journey.wanted.by, tell) is away:
        return
    raise ActionError(f"{away.text} takes no writes: there is nothing to come back from")


def follows(home: Side) -> bool:
    """Whether it is a standby already. One that cannot be asked is rebuilt."""
    record = home.fencing.record()
    if record and record.state is State.CLOSED:
        return False
    try:
        return home.follows()
    except TargetError:
        return False


def rebuilt(journey: Journey, tell: Tell) -> None:
    """Close it (again), see that nothing of it is left running, and rebuild it."""
    home, by = journey.home, journey.wanted.by
    close(home, by, journey.check)
    _pods_gone(home, journey.check)

    def telling(kind: str, actor: str = by, **data: object) -> object:
        said = tell(kind, actor, **data)  # type: ignore[arg-type]
        if kind == "rebuild.step":
            journey.check()
        return said

    rebuild(home, journey.away, journey.wanted, telling)


def _pods_gone(home: Side, check: Callable[[], None]) -> None:
    last = ""

    def gone() -> bool:
        nonlocal last
        check()
        seen = home.fencing.observe()
        last = seen.trouble or f"still there: {', '.join(seen.alive)}"
        return seen.closed and not seen.alive and not seen.trouble

    try:
        wait.until(gone, deadline_s=WITHIN_S, what=f"the end of {home.text}'s old pods", poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None


def _redundant(journey: Journey) -> None:
    """See once more that both kinds of standby are there: what `switch` waited for may have gone again."""
    home, away = journey.home, journey.away
    if len(home.site.members) > 1 and not home.director.cluster().sync_standbys:
        raise ActionError(f"{home.text} leads again, without a synchronous standby")
    proof = home.write()
    if why := behind(away, proof.timeline, 16 << 20, proof.lsn):
        raise ActionError(f"{home.text} leads again, and {away.region} does not follow it: {why}")


def _mates(home: Side) -> str:
    return ", ".join(home.director.cluster().sync_standbys) or "no synchronous standby"
