"""Whether a pod fits a node: readiness, cordon, taints, node and pod affinity, spread, host ports, resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stormlab.api.jsontree import Tree, at
from stormlab.api.record import Record
from stormlab.api.selectors import Requirement, from_object, matches
from stormlab.controllers import affinity, pods, resources
from stormlab.controllers.placed import Placed

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": ">", "Lt": "<"}
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def facts(node: Record) -> tuple[Any, ...]:
    """Return what about a node decides whether pods fit."""
    spec = node.tree.get("spec", {})
    offered = at(node.tree, "status", "allocatable", default={})
    return spec.get("unschedulable", False), spec.get("taints", []), node.labels, node_ready(node), offered


def node_ready(node: Record) -> bool:
    """Say whether the node's Ready condition is true."""
    return pods.ready(node)


def tolerates(pod: Record, taint: Mapping[str, Any]) -> bool:
    """Say whether a pod tolerates a taint, for however long."""
    return toleration(pod.tree["spec"], taint) is not None


def toleration(spec: Tree, taint: Mapping[str, Any]) -> Tree | None:
    """Return the toleration of a taint, if there is one."""
    for item in spec.get("tolerations") or ():
        exists = item.get("operator", "Equal") == "Exists"
        same_effect = item.get("effect") in {None, "", taint.get("effect")}
        # No key with Exists tolerates everything.
        same_key = item.get("key") == taint.get("key") or (exists and not item.get("key"))
        if same_effect and same_key and (exists or item.get("value", "") == taint.get("value", "")):
            found: Tree = item
            return found
    return None


def refusal(pod: Record, node: Record, nodes: list[Record], placed: Placed) -> str:
    """Return why the pod does not fit the node, in the scheduler's words; empty when it fits."""
    if why := _tainted(pod, node):
        return why
    if not matches_node(pod.tree["spec"], node):
        return "node(s) didn't match Pod's node affinity/selector"
    wanted = _ports(pod)
    if wanted and wanted & {port for item in placed.on(node.name) for port in _ports(item)}:
        return "node(s) didn't have free ports for the requested pod ports"
    return _among_others(pod, node, nodes, placed)


def _among_others(pod: Record, node: Record, nodes: list[Record], placed: Placed) -> str:
    if why := resources.lacking(pod, node, placed):
        return why
    if _lopsided(pod, node, nodes, placed):
        return "node(s) didn't match pod topology spread constraints"
    if affinity.repelled(pod, node, nodes, placed):
        return "node(s) didn't match pod anti-affinity rules"
    if not affinity.attracted(pod, node, nodes, placed):
        return "node(s) didn't match pod affinity rules"
    return ""


# What evicting others could change, were anybody evicted for it.
_ABOUT_OTHERS = ("Insufficient", "Too many pods", "free ports", "anti-affinity", "spread constraints")


def about_others(refusal: str) -> bool:
    """Say whether it is other pods that keep the pod from a node."""
    return any(words in refusal for words in _ABOUT_OTHERS)


def _tainted(pod: Record, node: Record) -> str:
    spec = node.tree.get("spec", {})
    if spec.get("unschedulable") and not tolerates(pod, {"key": UNSCHEDULABLE, "effect": "NoSchedule"}):
        return "node(s) were unschedulable"
    taints = [
        taint for taint in spec.get("taints") or () if taint.get("effect") in {"NoSchedule", "NoExecute"}
    ]
    # A node that just registered or just died may not wear its taint yet.
    if not taints and not node_ready(node):
        taints = [{"key": NOT_READY, "effect": "NoSchedule"}]
    for taint in taints:
        if not tolerates(pod, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return ""


def matches_node(spec: Tree, node: Record) -> bool:
    """Say whether nodeSelector and required node affinity accept a node."""
    wanted = spec.get("nodeSelector") or {}
    if any(node.labels.get(key) != value for key, value in wanted.items()):
        return False
    terms = at(
        spec,
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )
    if terms is None:
        return True
    return any(_term(term, node) for term in terms)


def _term(term: Tree, node: Record) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    names = {"metadata.name": node.name}
    return all(_requirement(item, node.labels) for item in expressions) and all(
        _requirement(item, names) for item in fields
    )


def _requirement(item: Tree, labels: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(item.get("operator", ""), "in")
    return Requirement(item["key"], operator, frozenset(item.get("values") or ())).matches(labels)


def _ports(pod: Record) -> set[tuple[int, str]]:
    return {
        (port["hostPort"], port.get("protocol", "TCP"))
        for container in pod.tree["spec"].get("containers", ())
        for port in container.get("ports", ())
        if port.get("hostPort")
    }


def _lopsided(pod: Record, node: Record, nodes: list[Record], placed: Placed) -> bool:
    """Apply topology spread constraints with DoNotSchedule."""
    for rule in pod.tree["spec"].get("topologySpreadConstraints") or ():
        if rule.get("whenUnsatisfiable", "DoNotSchedule") != "DoNotSchedule":
            continue
        key, selector = rule["topologyKey"], from_object(rule.get("labelSelector"))
        eligible = [item for item in nodes if key in item.labels and matches_node(pod.tree["spec"], item)]
        if key not in node.labels:
            return True
        counts = dict.fromkeys((item.labels[key] for item in eligible), 0)
        where = {item.name: item.labels[key] for item in eligible}
        for other in placed.everywhere:
            domain = where.get(other.tree["spec"]["nodeName"])
            if (
                domain
                and other.namespace == pod.namespace
                and pods.active(other)
                and matches(selector, other.labels)
            ):
                counts[domain] += 1
        if counts[node.labels[key]] + 1 - min(counts.values()) > rule.get("maxSkew", 1):
            return True
    return False
