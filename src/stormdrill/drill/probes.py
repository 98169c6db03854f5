"""The probes of a steady-state hypothesis, answered from the clients the supervisor already holds.

A probe says yes or no of what it saw. What it could not see it does not call bad: it raises, and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from stormdrill.drill.session import Session
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.faults import DatabaseDirector
from stormdrill.faults.victims import find
from stormdrill.load.live import LoadSecond
from stormdrill.units import NS_PER_S, parse_duration_s, parse_ratio

_REPORTED_S = 3.0
"""A second of load is told a little after it is over."""


def probes_of(session: Session) -> dict[str, Callable[..., Any]]:
    """The probes by name. They raise ActionError or TargetError when what they are asked is not known."""

    def load_healthy(success_ratio: str | float, within: str) -> bool:
        return _healthy(session, parse_ratio(success_ratio), parse_duration_s(within))

    def pods_ready(service: str, zone: str, count: int) -> bool:
        pods = [victim.pod for victim in find(session.estate, session.plan.topology.services[service], zone)]
        return len(pods) >= count and all(pod.ready for pod in pods)

    def replication_in_sync(cell: str) -> bool:
        directors = session.targets.directors
        return _in_sync({name: directors[name] for name in ([cell] if cell else directors)})

    def prometheus_fresh() -> bool:
        source, prometheus = session.plan.topology.prometheus, session.targets.prometheus
        if source is None or prometheus is None:
            raise ActionError("the topology names no Prometheus")
        return prometheus.sample_age_s() <= source.max_age_s

    return {
        "load_healthy": load_healthy,
        "pods_ready": pods_ready,
        "replication_in_sync": replication_in_sync,
        "prometheus_fresh": prometheus_fresh,
    }


def _healthy(session: Session, wanted: float, window_s: float) -> bool:
    """Whether at least `wanted` of the requests that ended in the last `window_s` seconds ended well.

    A recovery ends with a wave of those who had waited, and some of them are shed: right after it an answer that is no
    is asked for again until a whole window has passed, and one more.
    """
    enough_ns = session.well_since_ns + round(2 * window_s * NS_PER_S)
    found: bool | None = None

    def settled() -> bool:
        nonlocal found
        seconds = session.load.seconds if session.load else []
        found = _share_is(wanted, seconds[-max(1, round(window_s)) :], session.well_since_ns)
        return bool(found) or not seconds or seconds[-1].t_ns >= enough_ns

    with suppress(DeadlineError):  # the load says nothing more: what it said last stands
        session.stop.until(settled, deadline_s=2 * window_s + _REPORTED_S, what="good service", poll_s=0.2)
    if found is None:
        raise ActionError(f"no request ended in the last {window_s:g}s")
    return found


def _share_is(wanted: float, seconds: Sequence[LoadSecond], since_ns: int) -> bool | None:
    """Whether so many ended well of those that ended in these seconds, after `since_ns`; None when none ended."""
    last = [second for second in seconds if second.t_ns > since_ns]
    good = sum(second.good for second in last)
    # Not what was dropped: the generator had no user free for it, which says nothing of the estate.
    ended = good + sum(second.shed + second.failed + second.unknown for second in last)
    return good >= wanted * ended if ended else None


def _in_sync(directors: Mapping[str, DatabaseDirector]) -> bool:
    """Whether each database has a leader and a synchronous standby. One seen without outweighs one not seen."""
    unknown = ""
    for name, director in directors.items():
        try:
            state = director.cluster()
        except TargetError as error:
            unknown = str(error)
            continue
        silent = ", ".join(member.name for member in state.members if not member.reachable)
        if state.leader is None and silent:
            unknown = f"nobody says that it leads database {name}, and {silent} does not answer"
        elif state.leader is None or not state.sync_standbys:
            return False
    if unknown:
        raise TargetError(unknown)
    return True
