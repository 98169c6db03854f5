"""Binding: a pod gets its node, once."""

from __future__ import annotations

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import POD
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Record
from stormlab.api.status import conflict, invalid, required


def bind(objects: Objects, namespace: str, name: str, node: str) -> Record:
    """Assign a pod to a node and say so in its conditions; ApiError 404, 409 or 422."""
    record = objects.require(POD, namespace, name)
    if not node:
        raise invalid("", "Binding", name, [required("target.name")])
    taken = record.tree["spec"].get("nodeName")
    if taken or record.deleting:
        why = f'pod {name} is already assigned to node "{taken}"' if taken else f"pod {name} is being deleted"
        raise conflict(POD, name, why, subresource="binding")
    status: Tree = dict(record.tree["status"])
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": stamp(objects.now()),
    }
    others = [item for item in at(status, "conditions", default=[]) if item["type"] != "PodScheduled"]
    status["conditions"] = [scheduled, *others]
    tree = {
        "metadata": dict(record.tree["metadata"]),
        "spec": {**record.tree["spec"], "nodeName": node},
        "status": status,
    }
    return objects.store.put(POD, tree)
