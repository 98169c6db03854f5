"""Events that a controller writes about an object: what it could not do, for `kubectl describe`."""

from __future__ import annotations

import time

from stormlab.api.jsontree import Tree
from stormlab.api.kinds import EVENT
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Record
from stormlab.api.status import ApiError


def warn(objects: Objects, about: Record, component: str, reason: str, message: str) -> None:
    """Write a Warning; the same about the same object again is counted in the Event that is there.

    Where it cannot be written (the namespace goes), it is left out: nothing depends on an Event.
    """
    moment = stamp(objects.now())
    for record in objects.store.records(EVENT, about.namespace):
        tree = record.tree
        same = tree.get("involvedObject", {}).get("uid") == about.uid and tree.get("reason") == reason
        if same and tree.get("message") == message:
            again = {**tree, "count": tree.get("count", 1) + 1, "lastTimestamp": moment}
            objects.update(EVENT, record.namespace, record.name, again)
            return
    try:
        objects.create(EVENT, about.namespace, _event(about, component, reason, message, moment))
    except ApiError:
        return


def _event(about: Record, component: str, reason: str, message: str, moment: str) -> Tree:
    return {
        "metadata": {"name": f"{about.name}.{time.time_ns():x}"},
        "involvedObject": {
            "kind": about.kind.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
            "apiVersion": about.kind.api_version,
            "resourceVersion": str(about.version),
        },
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "type": "Warning",
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": "",
    }
