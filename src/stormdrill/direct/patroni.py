"""Patroni's view of one database cluster, put together from the store's view and from each member's own.

The store alone misleads: a leader that died still stands there as `running` until its lease ends (20 s and
more), and a crashed one for a second. So a member counts as leader only while it says so itself, right now.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import urllib3

from stormdrill.errors import TargetError

Answer = dict[str, Any]
_PRIMARY = ("primary", "master")
_SYNC = ("sync", "quorum")
_STANDBY = ("sync_standby", "quorum_standby")


@dataclass(frozen=True)
class Member:
    """One member. `role` and `state` are its own words when it answers, else the store's (None: not in it).

    `role` is Patroni's: leader, sync_standby, replica, standby_leader... ; `lsn` is the log position in bytes
    (of a standby: what it has received); `lag_bytes` is the distance to the leader's, or else the store's word,
    which is up to a loop_wait old; `started` is the postmaster's start time; `sync_state` is what the
    leader's PostgreSQL says of it.
    """

    name: str
    reachable: bool
    role: str | None
    state: str | None
    timeline: int | None
    lag_bytes: int | None
    lsn: int | None
    started: str | None
    sync_state: str | None


@dataclass(frozen=True)
class ClusterState:
    """The cluster now. `leader` takes writes by its own word; `store_leader` holds the key, dead or alive.

    `primaries` are all that say they take writes: more than one is a split brain. `sync_standbys` are those
    that both may be promoted (store) and acknowledge commits (PostgreSQL).
    """

    leader: str | None
    primaries: tuple[str, ...]
    store_leader: str | None
    timeline: int | None
    sync_standbys: tuple[str, ...]
    members: tuple[Member, ...]
    paused: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a `db.sync` event."""
        return asdict(self)


class PatroniDirector:
    """Asks the members' REST APIs. `members` maps names to URLs; a call takes at most about `timeout_s`."""

    def __init__(self, members: Mapping[str, str], timeout_s: float = 1.5) -> None:
        self._members = dict(members)
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=timeout_s), maxsize=4, num_pools=2 * len(members)
        )

    def cluster(self) -> ClusterState:
        """What is known now. TargetError when no member answers at all."""
        with ThreadPoolExecutor(max_workers=2 * len(self._members)) as pool:
            asked = pool.map(lambda url: self._ask(f"{url}/cluster"), self._members.values())
            own = dict(zip(self._members, pool.map(self._own, self._members), strict=True))
            views = dict(zip(self._members, asked, strict=True))
        if not any(views.values()) and not any(own.values()):
            listed = ", ".join(f"{name} at {url}" for name, url in self._members.items())
            raise TargetError(f"no Patroni member answers: {listed}")
        return combine(views, own)

    def leader(self) -> str | None:
        """The member that takes writes by its own word; None while there is none."""
        return self.cluster().leader

    def postmaster_started(self, member: str) -> str | None:
        """When the member's PostgreSQL was started, as text that changes with every start; None when down."""
        own = self._own(member)
        return own.get("postmaster_start_time") if own else None

    def store_lost_s(self) -> float | None:
        """For how long no member has reached the store, by their own word; None unless every one says so.

        Seconds between their clocks and ours.
        """
        with ThreadPoolExecutor(max_workers=len(self._members)) as pool:
            said = list(pool.map(self._own, self._members))
        seen = [one.get("dcs_last_seen") if one else None for one in said]
        known = [float(at) for at in seen if isinstance(at, int | float)]
        return time.time() - max(known) if known and len(known) == len(seen) else None

    def _own(self, member: str) -> Answer | None:
        return self._ask(f"{self._members[member]}/patroni")

    def _ask(self, url: str) -> Answer | None:
        try:
            answer = self._http.request("GET", url)
            parsed = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return None
        return parsed if answer.status == 200 and isinstance(parsed, dict) else None


def combine(views: Mapping[str, Answer | None], own: Mapping[str, Answer | None]) -> ClusterState:
    """One state from each member's view of the store (`/cluster`) and of itself (`/patroni`)."""
    primaries = [name for name, said in own.items() if said and _leads(said)]
    # Of two that both say so, the one promoted last leads; it also knows the store best.
    leader = max(primaries, key=lambda name: (own[name] or {}).get("timeline") or 0, default=None)
    mine = (own[leader] or {}) if leader else {}
    store = (views.get(leader) if leader else None) or _latest(views, own)
    listed = {entry["name"]: entry for entry in store.get("members", [])}
    sync_states = {
        entry.get("application_name"): entry.get("sync_state") for entry in mine.get("replication") or []
    }
    leader_lsn = _lsn(mine)
    members = tuple(
        _member(name, listed.get(name), own.get(name), sync_states.get(name), leader_lsn)
        for name in dict.fromkeys([*own, *listed])
    )
    return ClusterState(
        leader=leader,
        primaries=tuple(primaries),
        store_leader=next((name for name, entry in listed.items() if entry.get("role") == "leader"), None),
        timeline=mine.get("timeline"),
        sync_standbys=tuple(
            m.name
            for m in members
            if listed.get(m.name, {}).get("role") in _STANDBY and m.sync_state in _SYNC
        ),
        members=members,
        paused=bool(store.get("pause")),
    )


def _latest(views: Mapping[str, Answer | None], own: Mapping[str, Answer | None]) -> Answer:
    """The view of the member that reached the store last."""
    seen = [name for name, view in views.items() if view]
    name = max(seen, key=lambda name: (own.get(name) or {}).get("dcs_last_seen") or 0, default=None)
    return (views[name] if name else None) or {}


def _leads(said: Mapping[str, Any]) -> bool:
    return said.get("role") in _PRIMARY and said.get("state") == "running"


def _lsn(said: Mapping[str, Any]) -> int | None:
    """The end of its log. A standby that was just started has received nothing yet, or only a segment's beginning."""
    xlog = said.get("xlog") or {}
    found = [xlog.get(name) for name in ("location", "received_location", "replayed_location")]
    return max((one for one in found if isinstance(one, int)), default=None)


def _member(
    name: str,
    listed: Mapping[str, Any] | None,
    said: Mapping[str, Any] | None,
    sync_state: str | None,
    leader_lsn: int | None,
) -> Member:
    listed = listed or {}
    role = listed.get("role")
    if said is not None and role == "leader" and not _leads(said):
        role = said.get("role")
    lsn, lag = _lsn(said or {}), listed.get("lag")
    if lsn is not None and leader_lsn is not None and not _leads(said or {}):
        lag = max(0, leader_lsn - lsn)
    return Member(
        name=name,
        reachable=said is not None,
        role=role,
        state=(said or listed).get("state"),
        timeline=(said or {}).get("timeline") or listed.get("timeline"),
        lag_bytes=lag if isinstance(lag, int) else None,
        lsn=lsn,
        started=(said or {}).get("postmaster_start_time"),
        sync_state=sync_state,
    )
