"""Whether one site follows the other, how far behind it is, and the settings that make it."""

from __future__ import annotations

from typing import Any

from stormdrill import wait
from stormdrill.direct.patroni import ClusterState, Member
from stormdrill.direct.side import Side
from stormdrill.errors import ActionError, DeadlineError, TargetError

_WELL = ("running", "streaming")


def standby_of(source: Side, follower: Side) -> dict[str, Any]:
    """Patroni's `standby_cluster` for a site that follows `source`."""
    return {
        "host": source.site.address,
        "port": source.site.port,
        "primary_slot_name": follower.site.slot,
        "create_replica_methods": ["basebackup"],
    }


def keep_slot(source: Side, follower: Side) -> None:
    """Have `source` keep what the follower has not yet received. TargetError when the slot does not appear."""
    source.config.patch({"slots": {follower.site.slot: {"type": "physical"}}})


def behind(follower: Side, timeline: int, lag_bytes: int, source_lsn: int) -> str:
    """What the follower lacks to be a whole standby of that timeline; empty when it lacks nothing."""
    try:
        state = follower.director.cluster()
    except TargetError as error:
        return str(error)
    leader = _standby_leader(state)
    if state.primaries:
        return f"{', '.join(state.primaries)} in {follower.region} says that it takes writes"
    if leader is None:
        return f"no standby leader in {follower.region} yet"
    missing = [name for name in follower.site.members if name not in {one.name for one in state.members}]
    idle = [f"{one.name} is {one.state}" for one in state.members if one.state not in _WELL]
    if missing or idle:
        return ", ".join([*(f"{name} is not there" for name in missing), *idle])
    if leader.timeline != timeline:
        return f"{leader.name} is on timeline {leader.timeline}, not {timeline}"
    late = [one for one in state.members if one.lsn is None or source_lsn - one.lsn > lag_bytes]
    return ", ".join(f"{one.name} has the log up to {one.lsn}, not {source_lsn}" for one in late)


def followed_within(follower: Side, source: Side, deadline_s: float, lag_bytes: int = 0) -> int:
    """Wait until every member of the follower has what the source had committed when asked; the timeline.

    TargetError when the source takes no writes or the follower does not come up to it in time.
    """
    mark = source.write()
    last = ""

    def whole() -> bool:
        nonlocal last
        last = behind(follower, mark.timeline, lag_bytes, mark.lsn)
        return not last

    try:
        wait.until(whole, deadline_s=deadline_s, what=f"{follower.region} as standby of {source.region}")
    except DeadlineError as error:
        raise DeadlineError(f"{error}: {last}") from None
    return mark.timeline


def need_following(follower: Side, source: Side) -> None:
    """ActionError when `follower` is not a whole standby of `source`, almost up to it, right now."""
    mark = source.write()
    if lacks := behind(follower, mark.timeline, 16 << 20, mark.lsn):
        raise ActionError(f"{follower.region} does not follow {source.region}: {lacks}")


def _standby_leader(state: ClusterState) -> Member | None:
    return next((one for one in state.members if one.role == "standby_leader" and one.reachable), None)
