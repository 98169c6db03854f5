"""Faults that agents apply and hold only as long as somebody renews them.

A fault is one `Fault` object in the cluster it hurts. Here it is made, renewed, proven by agents and canaries,
ended, and proven to be gone. What a fault is (which nodes, which networks, which pairs of zones must break)
says its own file by a `Cut`.
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from threading import Event
from typing import Any

from stormdrill import wait
from stormdrill.errors import ActionError, DeadlineError, StormdrillError, TargetError
from stormdrill.estate import Environment
from stormdrill.faults import Estate, Injection, Proof
from stormdrill.faults.canaries import Flow, Scope, not_cut
from stormdrill.faults.ending import Ending
from stormdrill.faults.keeper import Keeper
from stormdrill.faults.zones import Zone, without_agent
from stormdrill.faultspec import Desired, FaultKind, FaultSpec, NodeState, NodeTarget
from stormdrill.kube import FaultObject, FaultObjects

APPLY_S = 5.0
"""How long agents may take to apply; half a second is what they are expected to need."""
PROOF_S = 20.0
"""How long canaries may take to notice: a second of silence, a scrape, and a busy machine."""
LEASE_S = {Environment.LAB: 15.0, Environment.PRODUCTION: 60.0}
_POLL_S = 0.03
_LOOK_S = 0.5


@dataclass(frozen=True)
class Cut:
    """What a fault asks of agents, all of one region, and which pairs of zones that breaks."""

    kind: FaultKind
    zones: tuple[Zone, ...]
    targets: tuple[NodeTarget, ...]
    scope: Scope
    cut_from: str = "anything"

    @property
    def region(self) -> str:
        """Where the object lives."""
        return self.zones[0].region

    def describe(self) -> tuple[dict[str, Any], ...]:
        """The targets as the history keeps them."""
        return tuple(
            {
                "node": target.node, "zone": target.zone, "region": self.region, "from": self.cut_from,
                "directions": [way.value for way in target.directions],
            }
            for target in self.targets
        )  # fmt: skip


class LeasedFault(ABC):
    """The shape of a fault, for all that agents apply. `lease_s` is None for what the environment has."""

    kind: str
    lease_s: float | None

    @abstractmethod
    def cut(self, estate: Estate) -> Cut:
        """Whom it hurts now. ActionError when that is nobody, TargetError when the API does not say."""

    def rehearse(self, estate: Estate) -> None:
        """See that agents and canaries are there, and nothing of an earlier fault. ActionError when not."""
        cut = self.cut(estate)
        if estate.canaries is None:
            raise ActionError("the topology names no canaries: nothing could prove this fault")
        cluster = estate.clusters[cut.region]
        FaultObjects(cluster).need_kind()
        for zone in cut.zones:
            if silent := without_agent(cluster, zone):
                raise ActionError(f"zone {zone.name}: no agent is ready on {', '.join(silent)}")
        for region, other in estate.clusters.items():
            left = [one.name for one in FaultObjects(other).all() if one.lasting]
            if left:
                names = ", ".join(left)
                message = f"region {region} still has {names}: `stormdrill recover` ends what was left behind"
                raise ActionError(message)

    def inject(self, estate: Estate, name: str) -> Injection:
        """Make the object and wait until every agent has applied it.

        ActionError when one does not; what the others applied has been taken back then, or RevertError.
        """
        cut, standbys = self.cut(estate), _standbys(estate)
        objects = FaultObjects(estate.clusters[cut.region])
        spec = self._spec(estate, cut)
        unique = f"{name.replace('_', '-')}-{secrets.token_hex(3)}"
        estate.check_stop()
        estate.record("fault.intended", name=name, object=unique, region=cut.region, targets=cut.describe())
        t0_ns = time.monotonic_ns()
        ending = Ending(estate.record, objects, name, unique, spec.lease_s)

        def lost(why: str) -> None:
            estate.record("lease.lost", name=name, why=why)

        try:
            made = objects.create(unique, spec)
            # From now on: an agent that starts just now applies only what it sees to be held.
            ending.keeper = Keeper(objects, unique, spec.lease_s, lost)
            ending.keeper.start()
            applied = _await_applied(estate, objects, made)
            in_place_ns = time.monotonic_ns()
        except BaseException:
            ending.take_back()
            raise
        memory = {"cut": cut, "ending": ending, "object": applied, "standbys": standbys}
        return Injection(name, t0_ns, cut.describe(), memory, in_place_ns)

    def verify(self, estate: Estate, injection: Injection) -> Proof:
        """Every agent says that it applied, the pairs of zones that must break broke, and no other did."""
        cut: Cut = injection.memory["cut"]
        ending: Ending = injection.memory["ending"]
        made: FaultObject = injection.memory["object"]
        evidence: dict[str, Any] = {
            "object": made.name,
            "nodes": {node: {"took_ms": s.took_ms, **s.evidence} for node, s in made.nodes.items()},
        }
        why = ["the canaries were not asked"]

        def shown() -> bool:
            estate.check_stop()
            if ending.wanted:
                raise ActionError(f"it was ended before the canaries had shown it: {why[0]}")
            why[0] = _unlike(estate, cut.scope)
            return not why[0]

        try:
            wait.until(shown, deadline_s=PROOF_S, what="the canaries", poll_s=_LOOK_S)
        except DeadlineError:
            return Proof(False, f"after {PROOF_S:g} s {why[0]}", evidence)
        evidence["seen_after_s"] = round((time.monotonic_ns() - injection.t0_ns) / 1e9, 3)
        broken = len(cut.scope.pairs)
        return Proof(
            True, f"{broken} pair(s) of zones broke, by every canary's word, and no other did", evidence
        )

    def follow(self, estate: Estate, injection: Injection, ended: Event) -> None:
        """Record `fault.ended_early` for each node whose agent ended the fault although nobody wanted it."""
        ending: Ending = injection.memory["ending"]
        cut: Cut = injection.memory["cut"]
        waiting = {target.node for target in cut.targets}

        def early(node: str, reason: str, why: str) -> None:
            waiting.discard(node)
            estate.record("fault.ended_early", name=injection.name, node=node, reason=reason, why=why)

        while not ended.wait(1.0):
            try:
                seen = ending.objects.read(ending.object_name)
            except TargetError:
                continue
            if ending.wanted:
                return
            if seen is None:
                for node in sorted(waiting):
                    early(node, "deleted", "somebody deleted the object")
                return
            for node in sorted(waiting & seen.nodes.keys()):
                said = seen.nodes[node]
                if said.state.over:
                    early(node, said.reason or said.state.value, said.why)

    def breaks(self, injection: Injection) -> frozenset[Flow]:
        """The flows between zones that do not work while it lasts."""
        cut: Cut = injection.memory["cut"]
        return cut.scope.broken

    def let_go(self, estate: Estate, injection: Injection) -> None:  # noqa: ARG002 - the shape of a fault
        """Want the fault gone, and do not wait for it."""
        ending: Ending = injection.memory["ending"]
        ending.want()

    def revert(self, estate: Estate, injection: Injection, deadline_s: float) -> Proof:
        """Every agent says that it reverted, every canary is green, and the estate is whole.

        RevertError when an agent does not say so within the lease, which ends the fault by itself.
        """
        ending: Ending = injection.memory["ending"]
        return ending.prove(estate, deadline_s, injection.memory["standbys"])

    def _spec(self, estate: Estate, cut: Cut) -> FaultSpec:
        lease_s = self.lease_s or LEASE_S[estate.topology.environment]
        return FaultSpec(cut.kind, estate.holder, Desired.APPLIED, lease_s, 0, cut.targets)


def _await_applied(estate: Estate, objects: FaultObjects, made: FaultObject) -> FaultObject:
    """The object once every agent has applied it. ActionError naming those that did not."""
    last = [made]

    def applied() -> FaultObject | None:
        estate.check_stop()
        seen = objects.read(made.name)
        if seen is None:
            raise ActionError(f"fault {made.name} was deleted by somebody else")
        last[0] = seen
        over = [node for node, said in seen.nodes.items() if said.state.over]
        if over:
            raise ActionError("; ".join(seen.describe(node) for node in sorted(over)))
        return None if seen.lacking(NodeState.APPLIED) else seen

    try:
        return wait.until(applied, deadline_s=APPLY_S, what="the agents", poll_s=_POLL_S)
    except DeadlineError:
        missing = last[0].lacking(NodeState.APPLIED)
        said = "; ".join(last[0].describe(node) for node in missing)
        raise ActionError(f"not applied within {APPLY_S:g} s: {said}") from None


def _unlike(estate: Estate, scope: Scope) -> str:
    """How what the canaries say differs from what the fault should make of it; empty when it does not."""
    if estate.canaries is None:
        return "there are no canaries"
    try:
        return not_cut(estate.canaries.look(), estate.canaries.pairs, scope, estate.severed())
    except StormdrillError as error:
        return str(error)


def _standbys(estate: Estate) -> dict[str, int]:
    """How many synchronous standbys each database had; what does not answer just now had none to lose."""
    found = {}
    for cell, director in estate.directors.items():
        try:
            found[cell] = len(director.cluster().sync_standbys)
        except TargetError:
            found[cell] = 0
    return found
