"""Patroni's view of one database cluster, put together from the store's view and from each member's own.

The store alone misleads: a leader that died still stands there as `running` until its lease ends (20 s and
more), and a crashed one for a second. So a member counts as leader only while it says so itself, right now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import urllib3

from stormdrill.errors import TargetError

_PRIMARY = ("primary", "master")
_SYNC = ("sync", "quorum")
_STANDBY = ("sync_standby", "quorum_standby")


@dataclass(frozen=True)
class Member:
    """One member. `role` and `state` are its own words when it answers, else the store's (None: not in it).

    `role` is Patroni's: leader, sync_standby, replica, standby_leader... ; `lag_bytes` is None when unknown;
    `started` is the postmaster's start time; `sync_state` is what the leader's PostgreSQL says of it.
    """

    name: str
    reachable: bool
    role: str | None
    state: str | None
    timeline: int | None
    lag_bytes: int | None
    started: str | None
    sync_state: str | None


@dataclass(frozen=True)
class ClusterState:
    """The cluster now. `leader` takes writes by its own word; `store_leader` holds the key, dead or alive.

    `sync_standbys` are those that both may be promoted (store) and acknowledge commits (PostgreSQL).
    """

    leader: str | None
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
            views = pool.map(lambda url: self._ask(f"{url}/cluster"), self._members.values())
            own = dict(zip(self._members, pool.map(self._own, self._members), strict=True))
            stores = [view for view in views if view is not None]
        if not stores and not any(own.values()):
            listed = ", ".join(f"{name} at {url}" for name, url in self._members.items())
            raise TargetError(f"no Patroni member answers: {listed}")
        return combine(self._members, _freshest(stores, own), own)

    def leader(self) -> str | None:
        """The member that takes writes by its own word; None while there is none."""
        return self.cluster().leader

    def postmaster_started(self, member: str) -> str | None:
        """When the member's PostgreSQL was started, as text that changes with every start; None when down."""
        own = self._own(member)
        return own.get("postmaster_start_time") if own else None

    def _own(self, member: str) -> dict[str, Any] | None:
        return self._ask(f"{self._members[member]}/patroni")

    def _ask(self, url: str) -> dict[str, Any] | None:
        try:
            answer = self._http.request("GET", url)
            parsed = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return None
        return parsed if isinstance(parsed, dict) else None


def combine(
    names: Iterable[str], store: Mapping[str, Any], own: Mapping[str, Mapping[str, Any] | None]
) -> ClusterState:
    """One state from the store's view (`/cluster`) and each member's own (`/patroni`; None: no answer)."""
    listed = {entry["name"]: entry for entry in store.get("members", [])}
    store_leader = next((name for name, entry in listed.items() if entry.get("role") == "leader"), None)
    leaders = [name for name, said in own.items() if said and _leads(said)]
    # Two that both say so: the store's key decides who may, the newer timeline who was promoted last.
    leaders.sort(key=lambda name: (name == store_leader, (own[name] or {}).get("timeline") or 0))
    leader = leaders[-1] if leaders else None
    replication = ((own[leader] or {}).get("replication") or []) if leader else []
    sync_states = {entry.get("application_name"): entry.get("sync_state") for entry in replication}
    members = tuple(
        _member(name, listed.get(name), own.get(name), sync_states.get(name))
        for name in dict.fromkeys([*names, *listed])
    )
    return ClusterState(
        leader=leader,
        store_leader=store_leader,
        timeline=(own[leader] or {}).get("timeline") if leader else None,
        sync_standbys=tuple(
            m.name
            for m in members
            if listed.get(m.name, {}).get("role") in _STANDBY and m.sync_state in _SYNC
        ),
        members=members,
        paused=bool(store.get("pause")),
    )


def _leads(said: Mapping[str, Any]) -> bool:
    return said.get("role") in _PRIMARY and said.get("state") == "running"


def _member(
    name: str, listed: Mapping[str, Any] | None, said: Mapping[str, Any] | None, sync_state: str | None
) -> Member:
    listed = listed or {}
    role = listed.get("role")
    if said is not None and role == "leader" and not _leads(said):
        role = said.get("role")
    lag = listed.get("lag")
    return Member(
        name=name,
        reachable=said is not None,
        role=role,
        state=(said or listed).get("state"),
        timeline=(said or {}).get("timeline") or listed.get("timeline"),
        lag_bytes=lag if isinstance(lag, int) else None,
        started=(said or {}).get("postmaster_start_time"),
        sync_state=sync_state,
    )


def _freshest(stores: list[dict[str, Any]], own: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """The view of the store that names a live leader, if any; the others repeat an old one."""
    alive = {name for name, said in own.items() if said and _leads(said)}
    for store in stores:
        if any(
            entry.get("role") == "leader" and entry["name"] in alive for entry in store.get("members", [])
        ):
            return store
    return stores[0] if stores else {}
