"""The `Fault` objects of one cluster: made, renewed, ended, read and removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stormdrill import faultspec
from stormdrill.errors import TargetError
from stormdrill.faultspec import Desired, FaultSpec, NodeState, NodeStatus
from stormdrill.kube.answers import ApiError
from stormdrill.kube.cluster import Cluster

_GROUP = f"/apis/{faultspec.GROUP}/{faultspec.VERSION}"
_COLLECTION = f"{_GROUP}/namespaces/{faultspec.NAMESPACE}/{faultspec.PLURAL}"


@dataclass(frozen=True)
class FaultObject:
    """One object as it was read. `nodes` holds what agents said, by node."""

    name: str
    uid: str
    spec: FaultSpec
    nodes: Mapping[str, NodeStatus]

    def lacking(self, state: NodeState) -> tuple[str, ...]:
        """The target nodes whose agents have not said `state`, by name."""
        names = {target.node for target in self.spec.targets}
        return tuple(sorted(n for n in names if n not in self.nodes or self.nodes[n].state is not state))

    @property
    def lasting(self) -> tuple[str, ...]:
        """The target nodes on which something of it may be, by name."""
        names = {target.node for target in self.spec.targets}
        return tuple(sorted(n for n in names if n not in self.nodes or not self.nodes[n].state.over))

    def describe(self, node: str) -> str:
        """What `node` said, as words."""
        said = self.nodes.get(node)
        if said is None:
            return f"{node} has said nothing"
        why = said.why or said.reason
        return f"{node} is {said.state}" + (f": {why}" if why else "")


@dataclass(frozen=True)
class FaultObjects:
    """The faults of a cluster. Every call raises ApiError or TargetError as `Cluster` does."""

    cluster: Cluster

    def need_kind(self) -> None:
        """TargetError when the cluster does not know faults, or has no namespace for them."""
        try:
            served = self.cluster.get(_GROUP).get("resources") or []
            known = any(one.get("name") == faultspec.PLURAL for one in served)
        except ApiError as error:
            if not error.missing:
                raise
            known = False
        if not known:
            kind = f"{faultspec.PLURAL}.{faultspec.GROUP}"
            raise TargetError(f"{self.cluster.context}: the kind {kind} is not there: apply fault-crd.yaml")
        try:
            self.cluster.get(f"/api/v1/namespaces/{faultspec.NAMESPACE}")
        except ApiError as error:
            if not error.missing:
                raise
            message = (
                f"{self.cluster.context}: no namespace '{faultspec.NAMESPACE}': are the agents installed?"
            )
            raise TargetError(message) from None

    def create(self, name: str, spec: FaultSpec) -> FaultObject:
        """A new object; agents begin as soon as they see it."""
        body = {
            "apiVersion": f"{faultspec.GROUP}/{faultspec.VERSION}",
            "kind": "Fault",
            "metadata": {"name": name, "namespace": faultspec.NAMESPACE},
            "spec": faultspec.spec_body(spec),
        }
        return _object(self.cluster.create(_COLLECTION, body))

    def read(self, name: str) -> FaultObject | None:
        """The object now; None when there is none."""
        try:
            return _object(self.cluster.get(f"{_COLLECTION}/{name}"))
        except ApiError as error:
            if error.missing:
                return None
            raise

    def all(self) -> tuple[FaultObject, ...]:
        """Every fault of the cluster, by name; none where the kind is not known. TargetError for one that is odd."""
        found, odd = self.legible()
        if odd:
            raise TargetError("; ".join(odd))
        return found

    def legible(self) -> tuple[tuple[FaultObject, ...], tuple[str, ...]]:
        """Every fault that can be read, by name; and what is wrong with each of the others."""
        try:
            items = self.cluster.list(_COLLECTION)
        except ApiError as error:
            if error.missing:
                return (), ()
            raise
        found, odd = [], []
        for item in items:
            try:
                found.append(_object(item))
            except TargetError as error:
                odd.append(str(error))
        return tuple(sorted(found, key=lambda one: one.name)), tuple(odd)

    def renew(self, name: str, renewal: int) -> None:
        """A sign of life; `renewal` must be larger than any before. ApiError (missing) when it is gone."""
        self._patch(name, {"renewal": renewal})

    def end(self, name: str) -> None:
        """Want it reverted. Nothing happens when it is gone."""
        try:
            self._patch(name, {"desired": Desired.REVERTED.value})
        except ApiError as error:
            if not error.missing:
                raise

    def remove(self, name: str, uid: str) -> None:
        """Delete the object as it was made; not a namesake. Nothing happens when it is gone."""
        try:
            self.cluster.delete(f"{_COLLECTION}/{name}", uid=uid)
        except ApiError as error:
            if not (error.missing or error.conflict):
                raise

    def _patch(self, name: str, spec: dict[str, Any]) -> None:
        self.cluster.patch(f"{_COLLECTION}/{name}", {"spec": spec})


def _object(body: Mapping[str, Any]) -> FaultObject:
    """Read an answer. TargetError when the object is none of ours."""
    meta = body.get("metadata") or {}
    try:
        nodes = ((body.get("status") or {}).get("nodes") or {}).items()
        said = {str(node): faultspec.status_of(entry) for node, entry in nodes}
        return FaultObject(str(meta["name"]), str(meta["uid"]), faultspec.spec_of(body["spec"]), said)
    except (KeyError, TypeError, ValueError) as error:
        raise TargetError(f"fault {meta.get('name', '?')} cannot be read: {error}") from None
