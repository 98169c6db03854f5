"""Moving a cell's database from one living site to the other, nothing lost: demote, see that all arrived, promote.

The leading site is stopped for writers first and follows the other from then on; the other is promoted only when it has
the last of the log. The pause of writes runs from the demotion to the first committed write.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from stormdrill import wait
from stormdrill.direct.following import followed_within, keep_slot, need_following, standby_of
from stormdrill.direct.side import Side
from stormdrill.direct.steps import Steps
from stormdrill.direct.write_proof import WriteProof
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.fence.site import Tell

_DEMOTED_S = 30.0
_KNOWN_S = 10.0
"""For two sites to answer how far their logs reach: one that is slow to answer is no reason to hold."""
_FOLLOWS_S = 90.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Switched:
    """Who leads now, its first committed write, how long nobody could write at most, the seconds of each step."""

    region: str
    proof: WriteProof
    pause_s: float
    took: dict[str, float]


def switch(
    leading: Side,
    to: Side,
    by: str,
    why: str,
    tell: Tell,
    *,
    lead: Callable[[str], object] = lambda _: None,
) -> Switched:
    """Make `to` the leading site and `leading` its standby.

    `lead` is told the region where phones are to go, as soon as nobody can write: they need a while to follow.

    ActionError, with nothing changed, when `to` is not a whole and nearly up-to-date standby of `leading`, or is
    fenced. When the last of the log does not arrive in time, `leading` is given its writes back (TargetError).
    """
    need_following(to, leading)
    tell("decision", by, what=f"switch {leading.cell} to {to.region}", why=why)
    tell("switch.started", by, database=leading.cell, region=to.region, source=leading.region)
    steps = Steps("switch", by, tell, database=leading.cell, region=to.region)
    with steps.step("slot"):
        keep_slot(to, leading)
    begun = time.monotonic()
    try:
        with steps.step("demote"):
            leading.config.patch({"standby_cluster": standby_of(to, leading)})
            end_lsn = _demoted(leading)
        lead(to.region)
        with steps.step("last of the log"):
            _arrived(to, end_lsn)
            _still_follows(leading)
    except TargetError:
        _give_back(leading, to, by, tell)
        lead(leading.region)
        raise
    except ActionError:
        lead(leading.region)
        raise
    tell("promote.started", by, database=to.cell, region=to.region)
    with steps.step("promote"):
        to.config.patch({"standby_cluster": None})
        proof = to.writes_within(_DEMOTED_S)
    pause_s = proof.mono_ns / 1e9 - begun
    tell(
        "promote.done",
        by,
        mono_ns=proof.mono_ns,
        database=to.cell,
        region=to.region,
        member=to.director.leader(),
        proof=proof.to_json(),
        pause_s=round(pause_s, 3),
    )
    with steps.step("edges"):
        to.fencing.open_edges()
    with steps.step("redundancy"):
        followed_within(leading, to, _FOLLOWS_S)
        _synchronous(to)
        # It would keep log for a follower that has become the leader.
        leading.config.patch({"slots": {to.site.slot: None}})
    tell(
        "switch.done", by, database=to.cell, region=to.region, pause_s=round(pause_s, 3), took_s=steps.total_s
    )
    return Switched(to.region, proof, pause_s, steps.took)


def _demoted(leading: Side) -> int:
    """Wait until every member of it runs as a standby again; the end of its log (bytes)."""
    last = ""

    def standby() -> int | None:
        nonlocal last
        try:
            state = leading.director.cluster()
        except TargetError as error:
            last = str(error)
            return None
        last = ", ".join(f"{one.name} is {one.role} {one.state} at {one.lsn}" for one in state.members)
        ends = [
            one.lsn for one in state.members if one.role == "standby_leader" and one.reachable and one.lsn
        ]
        well = not state.primaries and all(one.state in ("running", "streaming") for one in state.members)
        return ends[0] if well and ends else None

    try:
        return wait.until(standby, deadline_s=_DEMOTED_S, what=f"{leading.region} as standby", poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None


def _arrived(to: Side, end_lsn: int) -> None:
    """Wait until the one who will lead has the log up to there. DeadlineError saying what is missing."""
    last = ""

    def there() -> bool:
        nonlocal last
        members = to.director.cluster().members
        leaders = [one for one in members if one.role == "standby_leader" and one.reachable]
        last = ", ".join(f"{one.name} has {one.lsn} of {end_lsn}" for one in leaders) or "no standby leader"
        return any(one.lsn is not None and one.lsn >= end_lsn for one in leaders)

    try:
        wait.until(there, deadline_s=_DEMOTED_S, what="the last of the log", poll_s=_POLL_S)
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None


def _still_follows(leading: Side) -> None:
    """ActionError when somebody gave it its writes back meanwhile: then nobody else may be promoted."""
    if not leading.follows_now():
        raise ActionError(
            f"somebody else gave {leading.region} its writes back during the switch: it goes on leading"
        )


def lead_again(home: Side, away: Side, by: str, tell: Tell) -> Side:
    """End a switch that was cut off while each follows the other: whoever has the log to its end leads again.

    The side that leads. ActionError, with nothing changed, when one leads already or their logs cannot be compared.
    """
    for side in (home, away):
        if not side.follows_now():
            raise ActionError(f"{side.region} leads already: there is nothing to give back")
    ends: dict[str, int | None] = {}

    def known() -> bool:
        ends.update((side.region, _end(side)) for side in (home, away))
        return None not in ends.values()

    try:
        wait.until(known, deadline_s=_KNOWN_S, what="the ends of both logs", poll_s=_POLL_S)
    except DeadlineError:
        unknown = [region for region, end in ends.items() if end is None]
        raise ActionError(f"how far the log of {' and '.join(unknown)} reaches is not known: hold") from None
    # On equal terms the one that led last: what it has not sent, nobody misses.
    leading = home if (ends[home.region] or 0) > (ends[away.region] or 0) else away
    _give_back(leading, away if leading is home else home, by, tell)
    return leading


def _end(side: Side) -> int | None:
    """The end of a standby leader's log in bytes."""
    members = side.director.cluster().members
    return next((one.lsn for one in members if one.role == "standby_leader" and one.reachable), None)


def _give_back(leading: Side, to: Side, by: str, tell: Tell) -> None:
    """Undo the demotion: nobody has been promoted, so the old leader may lead again."""
    leading.config.patch({"standby_cluster": None})
    proof = leading.writes_within(_DEMOTED_S)
    tell("switch.undone", by, database=to.cell, region=leading.region, proof=proof.to_json())


def _synchronous(to: Side) -> None:
    """Wait until a standby of its own acknowledges its commits, where it has one."""
    if len(to.site.members) < 2:
        return
    wait.until(
        lambda: bool(to.director.cluster().sync_standbys),
        deadline_s=_FOLLOWS_S,
        what=f"a synchronous standby in {to.region}",
    )
