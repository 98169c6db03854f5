"""Eviction: a delete that a PodDisruptionBudget may refuse (topic 12)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import DISRUPTION_BUDGET, POD
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Record
from stormlab.api.removal import DeleteOptions, Removal, delete
from stormlab.api.selectors import from_object, matches
from stormlab.api.status import ApiError, internal
from stormlab.api.store import Store

_BLOCKED = "Cannot evict pod as it would violate the pod's disruption budget."


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What a budget allows now: pods it covers, those healthy, and those it needs."""

    expected: int
    healthy: int
    desired: int

    @property
    def allowed(self) -> int:
        """Return how many pods may be evicted."""
        return max(self.healthy - self.desired, 0)


def is_ready(record: Record) -> bool:
    """Say whether a pod's Ready condition is true."""
    conditions = at(record.tree, "status", "conditions", default=[])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _share(value: Any, total: int) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(total * int(value[:-1]) / 100)
    return int(value)


def covers(budget: Record, pod: Record) -> bool:
    """Say whether a budget is about a pod; a budget without selector covers nothing."""
    selector = budget.tree["spec"].get("selector")
    return (
        selector is not None
        and budget.namespace == pod.namespace
        and matches(from_object(selector), pod.labels)
    )


def budget_state(store: Store, budget: Record) -> BudgetState:
    """Return a budget's state from the pods there are."""
    pods = [
        pod
        for pod in store.records(POD, budget.namespace)
        if covers(budget, pod) and at(pod.tree, "status", "phase") not in {"Succeeded", "Failed"}
    ]
    total = len(pods)
    spec = budget.tree["spec"]
    if "maxUnavailable" in spec:
        desired = max(total - _share(spec["maxUnavailable"], total), 0)
    else:
        desired = _share(spec.get("minAvailable", 1), total)
    return BudgetState(total, sum(is_ready(pod) and not pod.deleting for pod in pods), desired)


def _require_observed(budget: Record) -> None:
    """Refuse for now while nobody has looked at a new budget: ApiError 429 with Retry-After 10."""
    if at(budget.tree, "status", "observedGeneration", default=0) < budget.tree["metadata"]["generation"]:
        why = f"The disruption budget {budget.name} is still being processed by the server."
        cause = {"reason": "DisruptionBudget", "message": why}
        raise ApiError(429, "TooManyRequests", _BLOCKED, {"causes": [cause]}, retry_after_s=10)


def evict(objects: Objects, namespace: str, name: str, options: DeleteOptions) -> Removal | None:
    """Delete a pod if its budgets allow; None when it is terminating already. ApiError 429 or 500."""
    pod = objects.require(POD, namespace, name)
    budgets = [item for item in objects.store.records(DISRUPTION_BUDGET, namespace) if covers(item, pod)]
    if len(budgets) > 1:
        raise internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    if pod.deleting:
        return None
    for budget in budgets if pod.tree["spec"].get("nodeName") else []:
        _require_observed(budget)
        state = budget_state(objects.store, budget)
        # A pod that serves nobody may go while enough others do, or always if the budget says so.
        always = budget.tree["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        held = state.allowed == 0 if is_ready(pod) else not always and state.healthy < state.desired
        if held:
            why = (
                f"The disruption budget {budget.name} needs {state.desired} healthy pods "
                f"and has {state.healthy} currently"
            )
            cause = {"reason": "DisruptionBudget", "message": why}
            raise ApiError(429, "TooManyRequests", _BLOCKED, {"causes": [cause]})
    meant = options.uid in {None, pod.uid} and options.resource_version in {None, str(pod.version)}
    if meant and not options.dry_run:
        marked = _mark(objects, pod)
        if options.resource_version is not None:
            options = replace(options, resource_version=str(marked.version))
    return delete(objects, POD, namespace, name, options)


def _mark(objects: Objects, pod: Record) -> Record:
    """Say in the pod's status that it goes because of an eviction, before it does."""
    target: Tree = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": stamp(objects.now()),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status = pod.tree["status"]
    others = [item for item in status.get("conditions") or () if item["type"] != target["type"]]
    tree = {"metadata": pod.tree["metadata"], "status": {**status, "conditions": [*others, target]}}
    return objects.update(POD, pod.namespace, pod.name, tree, status=True)
