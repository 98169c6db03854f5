"""The probes of a steady-state hypothesis, answered from the clients the supervisor already holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stormdrill.drill.recovery import bad
from stormdrill.drill.session import Session
from stormdrill.errors import StormdrillError
from stormdrill.faults.victims import find
from stormdrill.units import parse_duration_s, parse_ratio


def probes_of(session: Session) -> dict[str, Callable[..., Any]]:
    """The probes by name."""

    def load_healthy(success_ratio: str | float, within: str) -> bool:
        seconds = session.load.seconds if session.load else []
        last = seconds[-max(1, round(parse_duration_s(within))) :]
        last = [second for second in last if second.t_ns > session.well_since_ns]
        good = sum(second.good for second in last)
        ended = good + sum(second.shed + bad(second) for second in last)
        return ended > 0 and good >= parse_ratio(success_ratio) * ended

    def pods_ready(service: str, zone: str, count: int) -> bool:
        pods = [victim.pod for victim in find(session.estate, session.plan.topology.services[service], zone)]
        return len(pods) >= count and all(pod.ready for pod in pods)

    def replication_in_sync(cell: str) -> bool:
        directors = session.targets.directors
        states = [directors[name].cluster() for name in ([cell] if cell else directors)]
        return all(state.leader is not None and bool(state.sync_standbys) for state in states)

    def prometheus_fresh() -> bool:
        source, prometheus = session.plan.topology.prometheus, session.targets.prometheus
        if source is None or prometheus is None:
            return False
        try:
            return prometheus.sample_age_s() <= source.max_age_s
        except StormdrillError:
            return False

    return {
        "load_healthy": load_healthy,
        "pods_ready": pods_ready,
        "replication_in_sync": replication_in_sync,
        "prometheus_fresh": prometheus_fresh,
    }
