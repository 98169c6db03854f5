"""Required affinity between pods: which nodes attract or repel a pod for the pods that are near."""

from __future__ import annotations

from collections.abc import Mapping

from stormlab.api.jsontree import Tree, at
from stormlab.api.record import Record
from stormlab.api.selectors import from_object, matches
from stormlab.controllers import pods
from stormlab.controllers.placed import Placed

_Domains = Mapping[str, Mapping[str, str]]


def repelled(pod: Record, node: Record, nodes: list[Record], placed: Placed) -> bool:
    """Apply required anti-affinity, of the new pod and of those already placed."""
    domains = _domains(nodes)
    new = [(term, pod, item, item) for term in _terms(pod, "podAntiAffinity") for item in placed.everywhere]
    old = [(term, item, pod, item) for item in placed.repelling for term in _terms(item, "podAntiAffinity")]
    return any(
        _same_domain(term, node, where, domains) and _covers(term, owner, other)
        for term, owner, other, where in new + old
    )


def attracted(pod: Record, node: Record, nodes: list[Record], placed: Placed) -> bool:
    """Apply required affinity: near the node there must be a pod for every term, or the new one is the first."""
    domains = _domains(nodes)
    for term in _terms(pod, "podAffinity"):
        if term.get("topologyKey", "") not in node.labels:
            return False
        there = [item for item in placed.everywhere if _covers(term, pod, item)]
        first = not there and _covers(term, pod, pod)
        if not first and not any(_same_domain(term, node, item, domains) for item in there):
            return False
    return True


def _domains(nodes: list[Record]) -> _Domains:
    return {item.name: item.labels for item in nodes}


def _terms(pod: Record, which: str) -> list[Tree]:
    path = ("spec", "affinity", which, "requiredDuringSchedulingIgnoredDuringExecution")
    found: list[Tree] = at(pod.tree, *path, default=[])
    return found


def _covers(term: Tree, owner: Record, other: Record) -> bool:
    namespaces = term.get("namespaces") or [owner.namespace]
    selector = term.get("labelSelector")
    return (
        pods.active(other)
        and other.namespace in namespaces
        and selector is not None
        and matches(from_object(selector), other.labels)
    )


def _same_domain(term: Tree, node: Record, other: Record, domains: _Domains) -> bool:
    key = term.get("topologyKey", "")
    there = domains.get(other.tree["spec"].get("nodeName", ""), {})
    return key in node.labels and node.labels[key] == there.get(key)
