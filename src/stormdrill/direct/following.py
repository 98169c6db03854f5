"""Whether one site follows the other, how far behind it is, and the settings that make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from stormdrill import wait
from stormdrill.direct.patroni import ClusterState, Member, PatroniDirector
from stormdrill.direct.side import Side
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.estate_sites import DatabaseSite

_WELL = ("running", "streaming")
_ALMOST_BYTES = 16 << 20
"""One segment: less than this behind is following."""


class Follower(Protocol):
    """A site that ought to follow another."""

    @property
    def region(self) -> str:
        """Where it is."""

    @property
    def site(self) -> DatabaseSite:
        """Its members."""

    @property
    def director(self) -> PatroniDirector:
        """Who asks them."""


@dataclass(frozen=True)
class Trailing:
    """A cell's standby site beside the site that leads it, seen without writing anything."""

    site: DatabaseSite
    director: PatroniDirector
    leading: PatroniDirector

    @property
    def region(self) -> str:
        """Where the standby is."""
        return self.site.region

    def lacks(self) -> str:
        """What the standby lacks to follow; empty when it follows."""
        try:
            home = self.leading.cluster()
            leader = next((one for one in home.members if one.name == home.leader), None)
            if leader is None or leader.timeline is None or leader.lsn is None:
                return f"nobody leads whom {self.region} could follow"
            return behind(self, leader.timeline, _ALMOST_BYTES, leader.lsn)
        except TargetError as error:
            return str(error)


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


def behind(follower: Follower, timeline: int, lag_bytes: int, source_lsn: int) -> str:
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
    if lacks := behind(follower, mark.timeline, _ALMOST_BYTES, mark.lsn):
        raise ActionError(f"{follower.region} does not follow {source.region}: {lacks}")


def _standby_leader(state: ClusterState) -> Member | None:
    return next((one for one in state.members if one.role == "standby_leader" and one.reachable), None)
