"""The scale subresource: a small object that stands for a workload's number of replicas (topic 11)."""

from __future__ import annotations

from typing import Any

from stormlab.api.jsontree import Tree, at, copy
from stormlab.api.record import Record
from stormlab.api.status import conflict, internal, invalid, invalid_value

API_VERSION = "autoscaling/v1"


def selector_text(selector: Tree | None) -> str:
    """Return a LabelSelector object as text, keys in order."""
    parts = [f"{key}={value}" for key, value in at(selector, "matchLabels", default={}).items()]
    for item in at(selector, "matchExpressions", default=[]):
        values = ",".join(sorted(item.get("values") or ()))
        operator = item["operator"]
        parts.append(
            {"Exists": item["key"], "DoesNotExist": f"!{item['key']}"}.get(
                operator, f"{item['key']} {operator.lower()} ({values})"
            )
        )
    return ",".join(sorted(parts))


def scale_of(record: Record) -> Tree:
    """Return the Scale of a workload; zero replicas are left out, as Go does."""
    metadata = record.tree["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = at(record.tree, "spec", "replicas", default=0)
    status: dict[str, Any] = {"replicas": at(record.tree, "status", "replicas", default=0)}
    if selector := selector_text(record.tree["spec"].get("selector")):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": {name: metadata[name] for name in names},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def with_scale(record: Record, scale: Tree) -> Tree:
    """Return the workload's tree with the replicas of `scale`; ApiError 409 or 422."""
    replicas = at(scale, "spec", "replicas", default=0)
    if replicas < 0:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", record.name, [cause])
    version = scale["metadata"].get("resourceVersion", "")
    if version and not version.isdigit():
        raise internal(f'strconv.ParseUint: parsing "{version}": invalid syntax')
    if version and version != str(record.version):
        raise conflict(record.kind, record.name)
    tree: Tree = copy(record.tree)
    tree["spec"]["replicas"] = replicas
    tree["metadata"].pop("resourceVersion", None)
    return tree
