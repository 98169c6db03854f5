"""Pods: admission of the service account, default tolerations, and what an update may change."""

from __future__ import annotations

from stormlab.api.jsontree import Tree, copy
from stormlab.api.kinds import POD, SERVICE_ACCOUNT
from stormlab.api.rules import Rules, World
from stormlab.api.rules.lab import refusals
from stormlab.api.rules.template import default_pod_spec, qos_class, validate_pod_spec
from stormlab.api.status import Cause, forbidden, forbidden_field

TOLERATION_S = 300
_MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


class PodRules(Rules):
    """Rules of pods."""

    def default(self, tree: Tree) -> None:
        """Fill in the pod spec, and what a template does not have."""
        spec = tree.setdefault("spec", {})
        default_pod_spec(spec)
        spec.setdefault("enableServiceLinks", True)

    def prepare_create(self, tree: Tree) -> None:
        """Set phase, account and tolerations."""
        spec = tree["spec"]
        spec["serviceAccount"] = spec.setdefault("serviceAccountName", spec.get("serviceAccount", "default"))
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        _add_tolerations(spec)
        tree["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}

    def admit(self, tree: Tree, world: World, asked: str) -> None:
        """Refuse an unknown service account or priority class, with 403."""
        spec, namespace = tree["spec"], tree["metadata"]["namespace"]
        account = spec["serviceAccountName"]
        if world.get(SERVICE_ACCOUNT, namespace, account) is None:
            missing = f'serviceaccount "{account}" not found'
            raise forbidden(POD, asked, f"error looking up service account {namespace}/{account}: {missing}")
        priority = spec.get("priorityClassName")
        if priority not in {None, "system-node-critical", "system-cluster-critical"}:
            raise forbidden(POD, asked, f"no PriorityClass with name {priority} was found")

    def validate(self, tree: Tree) -> list[Cause]:
        """Check the pod spec, and that the lab can do what it asks."""
        return [*validate_pod_spec(tree["spec"], "spec"), *refusals("PodSpec", tree["spec"], "spec")]

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Allow new images, a deadline and further tolerations; nothing else of the spec."""
        if _frozen(tree["spec"]) != _frozen(old["spec"]):
            return [forbidden_field("spec", _MUTABLE)]
        kept = tree["spec"].get("tolerations", [])
        if any(item not in kept for item in old["spec"].get("tolerations", ())):
            return [
                forbidden_field(
                    "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"
                )
            ]
        return []


def _add_tolerations(spec: Tree) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        covered = any(
            item.get("key") in {key, None} and item.get("effect") in {"NoExecute", None}
            for item in tolerations
        )
        if not covered:
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_S}
            )


def _frozen(spec: Tree) -> Tree:
    kept: Tree = copy(
        {key: value for key, value in spec.items() if key not in {"activeDeadlineSeconds", "tolerations"}}
    )
    for container in [*kept.get("initContainers", ()), *kept.get("containers", ())]:
        container.pop("image", None)
    return kept
