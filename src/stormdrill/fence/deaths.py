"""Pods that are dead by an agent's word: a site loss is applied on their node, and kills on sight."""

from __future__ import annotations

from collections.abc import Callable

from stormdrill.errors import TargetError
from stormdrill.faultspec import FaultKind, NodeState
from stormdrill.kube import PodRef
from stormdrill.kube.faults import FaultObjects


def dead_by_agents(faults: FaultObjects) -> Callable[[PodRef], bool]:
    """A function that says of a pod whether its node's agent keeps it killed now; False when nobody can say."""

    def dead(pod: PodRef) -> bool:
        if pod.node is None:
            return False
        try:
            found = faults.all()
        except TargetError:
            return False
        return any(
            fault.spec.kind is FaultKind.SITE_LOSS
            and pod.node in fault.nodes
            and fault.nodes[pod.node].state is NodeState.APPLIED
            for fault in found
        )

    return dead
