"""The probes of a steady-state hypothesis, answered from the clients the supervisor already holds.

A probe says yes or no of what it saw. What it could not see it does not call bad: it raises, and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stormdrill.drill.session import Session
from stormdrill.errors import ActionError, TargetError
from stormdrill.faults import DatabaseDirector
from stormdrill.faults.victims import find
from stormdrill.units import parse_duration_s, parse_ratio


def probes_of(session: Session) -> dict[str, Callable[..., Any]]:
    """The probes by name. They raise ActionError or TargetError when what they are asked is not known."""

    def load_healthy(success_ratio: str | float, within: str) -> bool:
        seconds = session.load.seconds if session.load else []
        last = seconds[-max(1, round(parse_duration_s(within))) :]
        last = [second for second in last if second.t_ns > session.well_since_ns]
        good = sum(second.good for second in last)
        # Not what was dropped: the generator had no user free for it, which says nothing of the estate.
        ended = good + sum(second.shed + second.failed + second.unknown for second in last)
        if not ended:
            raise ActionError(f"no request ended in the last {within}")
        return good >= parse_ratio(success_ratio) * ended

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
