"""The faults an experiment's `method` may name. Each returns once its targets are hit; the proof follows.

They raise when nothing was hurt: a selector that matches nothing is an error, never a success. Their names
and arguments are also in `stormdrill.activities`, which plans are checked against.
"""

from __future__ import annotations

from typing import Any

from stormdrill.chaos.client import call

__all__ = [
    "crash_primary",
    "fail_back",
    "fail_over",
    "heal",
    "kill_pods",
    "kill_primary",
    "lose_region",
    "lose_zone",
    "partition_zone",
    "wait",
]


def kill_pods(service: str, zone: str = "", count: int = 1, share: str | float = "") -> Any:
    """Kill pods of a service (a name of the topology) through the Kubernetes API, without grace.

    `count` pods die, or `share` of the ready ones (`50%`, rounded up) when given; in `zone`, or anywhere when
    it is left out; `zone: each` kills so many in every zone in which the service has pods, all at once. Which
    ones is drawn with the run's seed and recorded.
    """
    return call("inject", fault="kill_pods", service=service, zone=zone, count=count, share=share)


def kill_primary(cell: str = "") -> Any:
    """Kill the pod of the cell's database primary through the Kubernetes API, without grace.

    Without a cell it is the first, in the topology's order, that has a database.
    """
    return call("inject", fault="kill_primary", cell=cell)


def crash_primary(cell: str = "") -> Any:
    """Kill the database process of a cell's primary with SIGKILL, leaving its pod and its data in place.

    Without a cell it is the first, in the topology's order, that has a database.
    """
    return call("inject", fault="crash_primary", cell=cell)


def partition_zone(
    zone: str,
    *,
    cell: str = "",
    cut_from: str = "anything",
    direction: str = "both",
    lease: str = "",
    duration: str = "",
) -> Any:
    """Drop all packets between `zone` and `cut_from`: a zone, a region, or `anything`.

    `zone: primary` is where the primary of `cell` (or of the first cell) runs at that moment. `direction` is seen
    from the zone: `both`, `in` or `out`. Established connections are cut as well, and nothing is refused: clients
    hear nothing. It lasts until `heal`, or the end of the method and the recovery; with `duration` for so long, and
    the action returns when it is over. `lease` is how long it outlives us.
    """
    fault = {"zone": zone, "cell": cell, "cut_from": cut_from, "direction": direction, "lease": lease}
    return _hold("partition_zone", duration, fault)


def lose_zone(zone: str, *, cell: str = "", lease: str = "", duration: str = "") -> Any:
    """Silence `zone`, then kill every container in it and keep them down.

    What `zone` may be and how long it lasts: as `partition_zone`.
    """
    return _hold("lose_zone", duration, {"zone": zone, "cell": cell, "lease": lease})


def lose_region(region: str, lease: str = "", duration: str = "", **returning: str) -> Any:
    """Silence every zone of `region`, then kill every container there. Lasts as `partition_zone`.

    With `return: fenced` the region's fence is armed before: a failover closes it, and it comes back closed.
    """
    return _hold("lose_region", duration, {"region": region, "lease": lease, **returning})


def fail_over(
    why: str,
    cell: str = "",
    after: str = "",
    fence: str = "",
    i_accept_dual_writes: bool = False,
) -> Any:
    """Move the database of `cell` to its other site: close the lost one, promote, lead phones there.

    Without a cell those of every cell that has two sites and is at home in the region that was lost, together.
    The experiment decides, `after` so long from the fault. The region must have been lost with `return: fenced`.
    `fence: skipped` promotes without closing anything, so that both sites take writes: to show, in a lab, what comes
    of that. It needs `i_accept_dual_writes: true`, and no region has to be lost.
    """
    accepted = {"i_accept_dual_writes": i_accept_dual_writes}
    return call("fail_over", cell=cell, why=why, after=after, fence=fence, **accepted)


def fail_back(why: str, cell: str = "") -> Any:
    """Come back, as the method's last action: wait until customers are served, end all faults, rebuild, switch back.

    Without a cell: with all that were failed over. With one, that must be the only one.
    """
    return call("fail_back", cell=cell, why=why)


def heal(fault: str = "") -> Any:
    """End a fault by its name (`partition_zone-1`), or every one that lasts, and wait until all is as before."""
    return call("heal", fault=fault)


def _hold(fault: str, duration: str, arguments: dict[str, str]) -> Any:
    """Inject; with a duration, end it after so long."""
    applied = call("inject", fault=fault, **arguments)
    if duration:
        call("wait", duration=duration)
        call("heal", fault=applied["name"])
    return applied


def wait(duration: str) -> Any:
    """Let `duration` (`10s`) pass between two faults; ends at once when the run has to end."""
    return call("wait", duration=duration)
