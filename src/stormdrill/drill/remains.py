"""What a killed drill left on an estate: found, ended and proven to be gone, without a plan or a run.

Leased faults end by themselves; this ends them at once and says whether they are really gone. The drill lock is
held meanwhile, so nobody's running drill is disturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stormdrill import wait
from stormdrill.credential import resolve
from stormdrill.drill import leftover, remains_of_moves
from stormdrill.drill.connect import canaries_of
from stormdrill.drill.lock import Lock
from stormdrill.drill.stop import Stop
from stormdrill.errors import (
    ActionError,
    DeadlineError,
    InputError,
    RevertError,
    StormdrillError,
    TargetError,
)
from stormdrill.estate import Topology
from stormdrill.faults.canaries import Canaries, not_green
from stormdrill.faults.ending import await_gone, remove
from stormdrill.kube import Cluster, FaultObject, FaultObjects
from stormdrill.prometheus import Prometheus

GREEN_S = 60.0
"""How long canaries may take to be green again: a held connection notices by TCP's back-off."""
_LOOK_S = 0.5


@dataclass
class Remains:
    """What was found and ended, and what is still there or could not be looked at. Sentences."""

    found: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def recover(
    topology: Topology,
    kubeconfig: Path | None,
    runs: Path,
    stop: Stop,
    say: Callable[[str], None],
    *,
    come_back: str | None = None,
) -> Remains:
    """End everything that a dead drill left; `say` hears each step.

    `come_back`: a cell that was failed over (empty: all that were), to be brought back as well.

    InputError when a drill is running on the estate, or no region can be asked; Aborted when stopped.
    """
    remains = Remains()
    clusters = _clusters(topology, kubeconfig, stop, remains)
    lock = _lock(topology, clusters, stop, remains)
    try:
        for run in leftover.mark_dead(runs):
            remains.found.append(f"{run.path}: its harness was killed; marked as aborted")
        _end_faults(clusters, remains, say)
        if set(clusters) == set(topology.regions):
            found, left = remains_of_moves.settle(topology, clusters, say, stop.check)
            remains.found += found
            if come_back is not None and not remains.left:
                left = _bring_back(
                    lambda: remains_of_moves.bring_back(
                        topology, clusters, come_back, runs, say=say, check=stop.check
                    ),
                    lambda: remains_of_moves.settle(topology, clusters, say, stop.check)[1],
                    remains,
                )
            remains.left += left
        _prove(topology, clusters, stop, remains, say)
    finally:
        if lock:
            lock.release()
    return remains


def _bring_back(
    bring: Callable[[], list[Path]], look: Callable[[], list[str]], remains: Remains
) -> list[str]:
    """Bring cells back; what is not as always after it."""
    try:
        for fork in bring():
            kept = f"its old timeline is kept in {fork}" if fork.exists() else "it had been rebuilt before"
            remains.found.append(f"came back; {kept}")
    except (ActionError, TargetError) as error:
        return [f"not come back: {error}", *look()]
    return look()


def _clusters(
    topology: Topology, kubeconfig: Path | None, stop: Stop, remains: Remains
) -> dict[str, Cluster]:
    """The regions that answer and are the right ones."""
    found: dict[str, Cluster] = {}
    for name, region in topology.regions.items():
        cluster = Cluster.connect(kubeconfig, region.context)
        try:
            identity = stop.during(cluster.identity)
        except StormdrillError as error:
            stop.check()
            remains.left.append(f"region {name} was not looked at: {error}")
            continue
        if region.cluster_id and region.cluster_id != identity:
            message = (
                f"region {name}, context {region.context}: its id is {identity}, not {region.cluster_id}"
            )
            raise InputError(f"wrong cluster: {message}")
        found[name] = cluster
    if not found:
        raise InputError("\n".join(remains.left))
    return found


def _lock(topology: Topology, clusters: Mapping[str, Cluster], stop: Stop, remains: Remains) -> Lock | None:
    """The drill lock, taken from whoever is dead; None when its region does not answer."""
    cluster = clusters.get(next(iter(topology.regions)))
    if cluster is None:
        return None
    lock = Lock(cluster, topology.lock)
    before = lock.take(stop)
    if before:
        remains.found.append(f"the drill lock, held by {before}: taken over and released")
    lock.keep(lambda why: remains.left.append(f"the drill lock was lost meanwhile: {why}"))
    return lock


def _end_faults(clusters: Mapping[str, Cluster], remains: Remains, say: Callable[[str], None]) -> None:
    """Ask all to end before any is waited for: what one answers keeps no other from being asked."""
    asked: list[tuple[str, FaultObjects, FaultObject]] = []
    for region, cluster in clusters.items():
        objects = FaultObjects(cluster)
        try:
            found, odd = objects.legible()
        except StormdrillError as error:
            remains.left.append(f"region {region}: {error}")
            continue
        remains.left += [f"region {region}: {why}" for why in odd]
        for one in found:
            say(f"region {region}: fault {one.name} ({one.spec.kind}) of {one.spec.holder}")
            asked.append((region, objects, one))
            with suppress(TargetError):  # asked again for as long as it is waited for
                objects.end(one.name)
    for region, objects, one in asked:
        nodes = ", ".join(sorted({target.node for target in one.spec.targets}))
        what = f"region {region}: fault {one.name} ({one.spec.kind} on {nodes}, held by {one.spec.holder})"
        try:
            remove(objects, await_gone(objects, one.name, one.spec.longest_s, say))
        except RevertError as error:
            if _nodes_gone(objects, one):
                remove(objects, one)
                remains.found.append(f"{what}: removed, its nodes are no longer in the cluster")
            else:
                remains.left.append(f"{what}: {error}")
        else:
            remains.found.append(f"{what}: gone, its agents say")


def _nodes_gone(objects: FaultObjects, fault: FaultObject) -> bool:
    """Whether every node on which it may still be has left the cluster, and its rules with it."""
    try:
        last = objects.read(fault.name)
        nodes = {str(one["metadata"]["name"]) for one in objects.cluster.list("/api/v1/nodes")}
    except TargetError:
        return False
    return last is not None and not nodes.intersection(last.lasting)


def _prove(
    topology: Topology,
    clusters: Mapping[str, Cluster],
    stop: Stop,
    remains: Remains,
    say: Callable[[str], None],
) -> None:
    """Let the canaries show that nothing is cut any more."""
    try:
        canaries = _canaries(topology, clusters)
    except StormdrillError as error:
        remains.left.append(f"the canaries could not be asked: {error}")
        return
    if canaries is None:
        say("the topology names no canaries: what agents say is all the proof there is")
        return
    last = ["nobody looked"]
    patience_s = 0.0 if remains.left else GREEN_S  # what is known to be there will not turn green

    def green() -> bool:
        stop.check()
        try:
            last[0] = not_green(canaries.look(), canaries.zones)
        except StormdrillError as error:
            last[0] = str(error)
        return not last[0]

    try:
        wait.until(green, deadline_s=patience_s, what="the canaries", poll_s=_LOOK_S)
        say("every canary is green")
    except DeadlineError:
        remains.left.append(f"the canaries are not green: {last[0]}")


def _canaries(topology: Topology, clusters: Mapping[str, Cluster]) -> Canaries | None:
    source = topology.prometheus
    bearer = source.bearer
    if topology.canaries is None:
        return None
    if bearer and bearer.secret and bearer.secret.region not in clusters:
        raise InputError(
            f"region {bearer.secret.region}, which keeps the token for Prometheus, does not answer"
        )
    secret = resolve(bearer, lambda region: clusters[region])
    prometheus = Prometheus(source.url, source.timeout_s, secret)
    age_s = prometheus.sample_age_s()
    if age_s > source.max_age_s:  # it would tell for minutes what was green then
        raise TargetError(f"the newest sample of Prometheus at {source.url} is {age_s:.0f} s old")
    return canaries_of(topology, prometheus)
