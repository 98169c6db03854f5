"""A leased fault as it stands in the `Fault` object: what harness and agents say to each other, as frozen values.

The harness writes `spec`; each agent writes its own node's entry of `status.nodes`. The object's schema is
`topology/kubernetes/base/stormdrill/fault-crd.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

GROUP = "stormdrill.io"
VERSION = "v1alpha1"
PLURAL = "faults"
NAMESPACE = "stormdrill"
ANYWHERE = "0.0.0.0/0"


class FaultKind(StrEnum):
    """What agents can do."""

    PARTITION = "partition"
    SITE_LOSS = "site-loss"


class Desired(StrEnum):
    """What the holder wants."""

    APPLIED = "applied"
    REVERTED = "reverted"


class NodeState(StrEnum):
    """How far one node is. Of a fault that is `reverted` or `failed` nothing is there any more: `over`."""

    APPLYING = "applying"
    APPLIED = "applied"
    REVERTING = "reverting"
    REVERTED = "reverted"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing of the fault is on the node, now or later."""
        return self in (NodeState.REVERTED, NodeState.FAILED)


class Direction(StrEnum):
    """Seen from the target node's zone."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True)
class NodeTarget:
    """One node and what is cut there.

    `inside` are the networks of the zone itself (pods and nodes), between which nothing is cut; `outside` those
    they are cut from (`ANYWHERE`: from all that is not inside). With `spare_control_plane` the node's other
    programs still reach the Kubernetes API; the agent always does.
    """

    node: str
    zone: str
    inside: tuple[str, ...]
    outside: tuple[str, ...] = (ANYWHERE,)
    directions: tuple[Direction, ...] = (Direction.IN, Direction.OUT)
    spare_control_plane: bool = False


@dataclass(frozen=True)
class FaultSpec:
    """What is wanted, by whom, and for how long without a sign of life.

    `renewal` grows with every renewal of the lease; an agent counts `lease_s` from when it last saw it grow, on
    its own monotonic clock. `deadline_s` instead of renewals: from the application, for what cuts agents off.
    """

    kind: FaultKind
    holder: str
    desired: Desired
    lease_s: float
    renewal: int
    targets: tuple[NodeTarget, ...]
    deadline_s: float | None = None

    @property
    def longest_s(self) -> float:
        """How long it may last after the last sign of life."""
        return self.lease_s if self.deadline_s is None else self.deadline_s


@dataclass(frozen=True)
class NodeStatus:
    """What an agent says of its node. Times are UTC, RFC 3339; `reason` of an end: wanted, deleted, lease, deadline."""

    state: NodeState
    why: str = ""
    reason: str = ""
    applied_at: str = ""
    reverted_at: str = ""
    took_ms: float = 0.0
    agent: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def spec_body(spec: FaultSpec) -> dict[str, Any]:
    """The object's `spec`."""
    body: dict[str, Any] = {
        "kind": spec.kind.value, "holder": spec.holder, "desired": spec.desired.value,
        "leaseSeconds": spec.lease_s, "renewal": spec.renewal,
        "targets": [
            {
                "node": target.node, "zone": target.zone, "inside": [*target.inside],
                "outside": [*target.outside], "directions": [way.value for way in target.directions],
                "spareControlPlane": target.spare_control_plane,
            }
            for target in spec.targets
        ],
    }  # fmt: skip
    if spec.deadline_s is not None:
        body["deadlineSeconds"] = spec.deadline_s
    return body


def spec_of(body: Mapping[str, Any]) -> FaultSpec:
    """Read an object's `spec`. ValueError when it is none of ours."""
    try:
        deadline_s = body.get("deadlineSeconds")
        return FaultSpec(
            FaultKind(body["kind"]), str(body["holder"]), Desired(body["desired"]), float(body["leaseSeconds"]),
            int(body["renewal"]), tuple(_target_of(one) for one in body["targets"]),
            None if deadline_s is None else float(deadline_s),
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not the spec of a Fault: {error!r}") from None


def _target_of(body: Mapping[str, Any]) -> NodeTarget:
    return NodeTarget(
        str(body["node"]), str(body["zone"]), tuple(body.get("inside") or ()),
        tuple(body.get("outside") or (ANYWHERE,)),
        tuple(Direction(way) for way in body.get("directions") or ("in", "out")),
        bool(body.get("spareControlPlane", False)),
    )  # fmt: skip


def status_body(status: NodeStatus) -> dict[str, Any]:
    """A node's entry of `status.nodes`."""
    said = {
        "state": status.state.value, "why": status.why, "reason": status.reason, "appliedAt": status.applied_at,
        "revertedAt": status.reverted_at, "tookMs": status.took_ms, "agent": status.agent,
        "evidence": dict(status.evidence),
    }  # fmt: skip
    return {name: value for name, value in said.items() if value not in ("", {}, 0.0)}


def status_of(body: Mapping[str, Any]) -> NodeStatus:
    """Read a node's entry. ValueError when it is none."""
    try:
        return NodeStatus(
            NodeState(body["state"]), str(body.get("why", "")), str(body.get("reason", "")),
            str(body.get("appliedAt", "")), str(body.get("revertedAt", "")), float(body.get("tookMs", 0)),
            str(body.get("agent", "")), body.get("evidence") or {},
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the status of a node: {error!r}") from None
