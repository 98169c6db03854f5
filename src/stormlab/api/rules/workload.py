"""Deployment, ReplicaSet, StatefulSet and DaemonSet: defaults and validation (topics 06, 08, 19)."""

from __future__ import annotations

from typing import ClassVar

from stormlab.api.jsontree import Tree, at, encode
from stormlab.api.rules import Rules
from stormlab.api.rules.claim import default_claim
from stormlab.api.rules.lab import refusals
from stormlab.api.rules.template import default_pod_spec, validate_pod_spec
from stormlab.api.selectors import from_object, matches
from stormlab.api.status import Cause, forbidden_field, invalid_value, required


class WorkloadRules(Rules):
    """What the four kinds share: a selector that must match a pod template."""

    struct = ""
    """Name of the spec's struct."""
    replicas_default: int | None = 1
    empty_status: ClassVar[Tree] = {}

    def default(self, tree: Tree) -> None:
        """Fill in the template and the number of replicas."""
        spec = tree.setdefault("spec", {})
        template = spec.setdefault("template", {})
        template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        default_pod_spec(template.setdefault("spec", {}))
        if self.replicas_default is not None:
            spec.setdefault("replicas", self.replicas_default)
        self.default_spec(spec)

    def default_spec(self, spec: Tree) -> None:
        """Fill in what only this kind has."""

    def prepare_create(self, tree: Tree) -> None:
        """Start with the empty status."""
        tree["status"] = dict(self.empty_status)

    def validate(self, tree: Tree) -> list[Cause]:
        """Check selector, template and replicas."""
        spec = tree["spec"]
        causes: list[Cause] = []
        if (replicas := spec.get("replicas", 0)) < 0:
            causes.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
        causes += self.validate_spec(spec)
        selector = spec.get("selector")
        if not selector:
            causes.append(required("spec.selector"))
        labels = at(spec, "template", "metadata", "labels", default={})
        if not selector or not matches(from_object(selector), labels):
            shown = f"map[string]string{encode(labels).decode()}" if labels else "map[string]string(nil)"
            # Go prints the value without quotes, which a plain string would get.
            causes.append(
                Cause(
                    "FieldValueInvalid",
                    "spec.template.metadata.labels",
                    f"Invalid value: {shown}: `selector` does not match template `labels`",
                )
            )
        causes += validate_pod_spec(spec["template"]["spec"], "spec.template.spec")
        return causes + refusals(self.struct, spec, "spec")

    def validate_spec(self, spec: Tree) -> list[Cause]:  # noqa: ARG002 -- named for those who override it
        """Check what only this kind has."""
        return []

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse a change of the selector."""
        if tree["spec"].get("selector") != old["spec"].get("selector"):
            shown = encode(tree["spec"].get("selector")).decode()
            return [
                Cause("FieldValueInvalid", "spec.selector", f"Invalid value: {shown}: field is immutable")
            ]
        return []


class DeploymentRules(WorkloadRules):
    """Rules of Deployments."""

    struct = "DeploymentSpec"

    def default_spec(self, spec: Tree) -> None:
        """Default to a rolling update of 25 %."""
        strategy = spec.setdefault("strategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)

    def validate_spec(self, spec: Tree) -> list[Cause]:
        """Refuse rollingUpdate settings of another strategy."""
        strategy = spec["strategy"]
        if strategy["type"] == "Recreate" and "rollingUpdate" in strategy:
            why = "may not be specified when strategy `type` is 'Recreate'"
            return [forbidden_field("spec.strategy.rollingUpdate", why)]
        return []


class ReplicaSetRules(WorkloadRules):
    """Rules of ReplicaSets."""

    struct = "ReplicaSetSpec"
    empty_status: ClassVar[Tree] = {"replicas": 0}


class StatefulSetRules(WorkloadRules):
    """Rules of StatefulSets."""

    struct = "StatefulSetSpec"
    empty_status: ClassVar[Tree] = {"replicas": 0, "availableReplicas": 0}
    _mutable = frozenset(
        {"replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy",
         "minReadySeconds", "revisionHistoryLimit"}
    )  # fmt: skip

    def default_spec(self, spec: Tree) -> None:
        """Default to ordered starts and rolling updates."""
        spec.setdefault("podManagementPolicy", "OrderedReady")
        strategy = spec.setdefault("updateStrategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
        spec.setdefault("revisionHistoryLimit", 10)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        retention.setdefault("whenDeleted", "Retain")
        retention.setdefault("whenScaled", "Retain")
        for claim in spec.get("volumeClaimTemplates", ()):
            claim.setdefault("apiVersion", "v1")
            claim.setdefault("kind", "PersistentVolumeClaim")
            default_claim(claim)

    def validate(self, tree: Tree) -> list[Cause]:
        """Volumes may come from claim templates."""
        claims = [claim["metadata"].get("name") for claim in tree["spec"].get("volumeClaimTemplates", ())]

        def from_claim(cause: Cause) -> bool:
            return cause.reason == "FieldValueNotFound" and any(
                f'"{name}"' in cause.message for name in claims
            )

        return [cause for cause in super().validate(tree) if not from_claim(cause)]

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Allow changes of replicas, template and strategy only."""
        new_spec, old_spec = tree["spec"], old["spec"]
        changed = {key for key in new_spec.keys() | old_spec.keys() if new_spec.get(key) != old_spec.get(key)}
        if changed <= self._mutable:
            return []
        why = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        return [forbidden_field("spec", why)]


class DaemonSetRules(WorkloadRules):
    """Rules of DaemonSets."""

    struct = "DaemonSetSpec"
    replicas_default = None
    empty_status: ClassVar[Tree] = {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    }

    def default_spec(self, spec: Tree) -> None:
        """Default to a rolling update, one node at a time."""
        strategy = spec.setdefault("updateStrategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)
        spec.setdefault("revisionHistoryLimit", 10)

    def prepare_create(self, tree: Tree) -> None:
        """Note the template generation, as real servers still do."""
        super().prepare_create(tree)
        tree["metadata"].setdefault("annotations", {})["deprecated.daemonset.template.generation"] = "1"
