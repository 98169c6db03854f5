"""The faults an experiment's `method` may name. Each returns once its targets are hit; the proof follows.

They raise when nothing was hurt: a selector that matches nothing is an error, never a success. Their names
and arguments are also in `stormdrill.activities`, which plans are checked against.
"""

from __future__ import annotations

from typing import Any

from stormdrill.chaos.client import call

__all__ = ["crash_primary", "kill_pods", "kill_primary", "wait"]


def kill_pods(service: str, zone: str = "", count: int = 1, share: str | float = "") -> Any:
    """Kill pods of a service (a name of the topology) through the Kubernetes API, without grace.

    `count` pods die, or `share` of the ready ones (`50%`, rounded up) when given; in `zone`, or anywhere when
    it is left out; `zone: each` kills so many in every zone in which the service has pods, all at once. Which
    ones is drawn with the run's seed and recorded.
    """
    return call("inject", fault="kill_pods", service=service, zone=zone, count=count, share=share)


def kill_primary(cell: str = "") -> Any:
    """Kill the pod of the cell's database primary through the Kubernetes API, without grace.

    The cell may be left out when only one has a database.
    """
    return call("inject", fault="kill_primary", cell=cell)


def crash_primary(cell: str = "") -> Any:
    """Kill the database process of a cell's primary with SIGKILL, leaving its pod and its data in place.

    The cell may be left out when only one has a database.
    """
    return call("inject", fault="crash_primary", cell=cell)


def wait(duration: str) -> Any:
    """Let `duration` (`10s`) pass between two faults; ends at once when the run has to end."""
    return call("wait", duration=duration)
