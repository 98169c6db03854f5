"""Kinds with few rules: Namespace, revision, Node, ConfigMap, Secret, Lease, EndpointSlice, PodDisruptionBudget."""

from __future__ import annotations

import base64

from stormlab.api.jsontree import Tree
from stormlab.api.rules import Rules
from stormlab.api.rules.lab import refusals
from stormlab.api.status import Cause, forbidden_field, invalid_value, required, unsupported

MAX_DATA_BYTES = 1 << 20


class NamespaceRules(Rules):
    """Namespaces wear their name as a label and are Active at once (topic 02)."""

    name_pattern = "label"

    def default(self, tree: Tree) -> None:
        """Set the name label."""
        metadata = tree["metadata"]
        if "name" in metadata:
            metadata["labels"] = {
                **metadata.get("labels", {}),
                "kubernetes.io/metadata.name": metadata["name"],
            }

    def prepare_create(self, tree: Tree) -> None:
        """Start Active, with the finalizer that empties the namespace on deletion."""
        tree["spec"] = {"finalizers": ["kubernetes"]}
        tree["status"] = {"phase": "Active"}

    def prepare_update(self, tree: Tree, old: Tree) -> None:
        """Keep the finalizers: they change only through the finalize path."""
        tree["spec"] = old.get("spec", {})


class RevisionRules(Rules):
    """ControllerRevisions: what a controller wrote down of a template stays as it was; their number may change."""

    def default(self, tree: Tree) -> None:
        """A revision always has a number."""
        tree.setdefault("revision", 0)

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Keep the data."""
        if tree.get("data") == old.get("data"):
            return []
        return [invalid_value("data", tree.get("data"), "field is immutable")]


class NodeRules(Rules):
    """Nodes: the client may register with a status."""

    _effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")

    def default(self, tree: Tree) -> None:
        """A node always has spec and status."""
        spec = tree.setdefault("spec", {})
        if spec.get("unschedulable") is False:
            del spec["unschedulable"]
        if "podCIDR" in spec:
            spec.setdefault("podCIDRs", [spec["podCIDR"]])
        tree.setdefault("status", {})

    def validate(self, tree: Tree) -> list[Cause]:
        """Check the taints (topic 14)."""
        causes: list[Cause] = []
        seen: set[tuple[str, str]] = set()
        for index, taint in enumerate(tree["spec"].get("taints", ())):
            key, effect = taint.get("key", ""), taint.get("effect", "")
            if effect not in self._effects:
                causes.append(unsupported(f"metadata.taints[{index}].effect", effect, self._effects))
            elif (key, effect) in seen:
                shown = (
                    f'core.Taint{{Key:"{key}", Value:"{taint.get("value", "")}", Effect:"{effect}", '
                    "TimeAdded:<nil>}: taints must be unique by key and effect pair"
                )
                message = f"Duplicate value: {shown}"
                causes.append(Cause("FieldValueDuplicate", f"metadata.taints[{index}]", message))
            seen.add((key, effect))
        return causes

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse another address range."""
        # Real servers check the taints of an update twice, and say so twice.
        causes = self.validate(tree)
        before = old.get("spec", {}).get("podCIDR")
        if before and tree["spec"].get("podCIDR") != before:
            why = 'node updates may not change podCIDR except from "" to valid'
            causes.append(forbidden_field("spec.podCIDRs", why))
        return causes


class ConfigMapRules(Rules):
    """ConfigMaps may be immutable."""

    def validate(self, tree: Tree) -> list[Cause]:
        """Limit the size."""
        return too_long(tree.get("data", {}), tree.get("binaryData", {}))

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse changes of immutable data."""
        return immutable_data(tree, old, ("data", "binaryData"))


class SecretRules(Rules):
    """Secrets: stringData is write-only and becomes base64 data."""

    def default(self, tree: Tree) -> None:
        """Fold stringData into data."""
        tree.setdefault("type", "Opaque")
        if plain := tree.pop("stringData", None):
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
            tree["data"] = {**tree.get("data", {}), **encoded}

    def validate(self, tree: Tree) -> list[Cause]:
        """Limit the size."""
        return too_long(tree.get("data", {}), {}, field="data")

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse changes of immutable data, and of the type."""
        causes = immutable_data(tree, old, ("data",))
        if tree.get("type") != old.get("type"):
            causes.append(invalid_value("type", tree.get("type"), "field is immutable"))
        return causes


class LeaseRules(Rules):
    """Leases: the server checks numbers, never expiry (topic 15)."""

    def validate(self, tree: Tree) -> list[Cause]:
        """Check the numbers."""
        spec = tree.get("spec", {})
        causes = []
        if "leaseDurationSeconds" in spec and spec["leaseDurationSeconds"] <= 0:
            value = spec["leaseDurationSeconds"]
            causes.append(invalid_value("spec.leaseDurationSeconds", value, "must be greater than 0"))
        if spec.get("leaseTransitions", 0) < 0:
            value = spec["leaseTransitions"]
            causes.append(invalid_value("spec.leaseTransitions", value, "must be greater than or equal to 0"))
        return causes

    def default(self, tree: Tree) -> None:
        """A lease always has a spec."""
        tree.setdefault("spec", {})


class EndpointSliceRules(Rules):
    """EndpointSlices: an empty one has `endpoints: null` (topic 20)."""

    def default(self, tree: Tree) -> None:
        """Show the absence of endpoints the way the server does."""
        tree.setdefault("endpoints", None)
        tree.setdefault("ports", None)

    def validate(self, tree: Tree) -> list[Cause]:
        """Require the address type."""
        return [] if tree.get("addressType") else [required("addressType")]

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse another address type."""
        if tree.get("addressType") != old.get("addressType"):
            return [invalid_value("addressType", tree.get("addressType"), "field is immutable")]
        return []


class DisruptionBudgetRules(Rules):
    """PodDisruptionBudgets start unobserved: nothing is allowed yet (topic 12)."""

    def default(self, tree: Tree) -> None:
        """A budget always has a spec."""
        tree.setdefault("spec", {})

    def prepare_create(self, tree: Tree) -> None:
        """Start with the empty status."""
        tree["status"] = {
            "disruptionsAllowed": 0,
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "expectedPods": 0,
        }

    def validate(self, tree: Tree) -> list[Cause]:
        """Allow one of the two ways to state it."""
        if {"minAvailable", "maxUnavailable"} <= tree["spec"].keys():
            why = "minAvailable and maxUnavailable cannot be both set"
            return [invalid_value("spec", "...", why)]
        return refusals("PodDisruptionBudgetSpec", tree["spec"], "spec")


def too_long(data: Tree, binary: Tree, field: str = "[]") -> list[Cause]:
    """Return the cause of data over 1 MiB."""
    size = sum(len(value.encode()) for value in data.values()) + sum(len(v) * 3 // 4 for v in binary.values())
    if size <= MAX_DATA_BYTES:
        return []
    return [Cause("FieldValueTooLong", field, f"Too long: must have at most {MAX_DATA_BYTES} bytes")]


def immutable_data(tree: Tree, old: Tree, fields: tuple[str, ...]) -> list[Cause]:
    """Return the causes of changes to data under `immutable: true`."""
    if not old.get("immutable"):
        return []
    why = "field is immutable when `immutable` is set"
    return [forbidden_field(name, why) for name in (*fields, "immutable") if tree.get(name) != old.get(name)]
