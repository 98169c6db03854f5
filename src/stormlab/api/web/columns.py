"""Which columns each kind's Table has, and how a cell is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stormlab.api import kinds
from stormlab.api.jsontree import Tree, at
from stormlab.api.scale import selector_text
from stormlab.api.web import podcells
from stormlab.api.web.ages import since

NONE = "<none>"
Cell = Callable[[Tree, dt.datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; priority 1 is shown by `-o wide` only."""

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""


def _path(*steps: str, default: Any = NONE) -> Cell:
    return lambda tree, _now: at(tree, *steps, default=default) or default


def _count(*steps: str) -> Cell:
    return lambda tree, _now: at(tree, *steps, default=0)


def _age(tree: Tree, now: dt.datetime) -> str:
    return since(tree["metadata"].get("creationTimestamp"), now)


NAME = Column("Name", _path("metadata", "name"), format="name")
AGE = Column("Age", _age)
DEFAULT_COLUMNS = (NAME, Column("Age", _age))


def _containers(field: str) -> Cell:
    def cell(tree: Tree, _now: dt.datetime) -> str:
        listed = at(tree, "spec", "template", "spec", "containers", default=[])
        return ",".join(str(item.get(field, "")) for item in listed)

    return cell


def _controller(tree: Tree, _now: dt.datetime) -> str:
    owner = next(
        (one for one in at(tree, "metadata", "ownerReferences", default=[]) if one.get("controller")), None
    )
    if owner is None:
        return NONE
    return f"{owner['kind'].lower()}.{owner['apiVersion'].partition('/')[0]}/{owner['name']}"


def _selector(tree: Tree, _now: dt.datetime) -> str:
    return selector_text(at(tree, "spec", "selector")) or NONE


def _map_selector(tree: Tree, _now: dt.datetime) -> str:
    chosen = at(tree, "spec", "selector", default={})
    return ",".join(f"{key}={value}" for key, value in sorted(chosen.items())) or NONE


_TEMPLATE = (
    Column("Containers", _containers("name"), priority=1),
    Column("Images", _containers("image"), priority=1),
)
_SELECTOR = Column("Selector", _selector, priority=1)


def _ready_of(wanted: tuple[str, ...]) -> Cell:
    def cell(tree: Tree, _now: dt.datetime) -> str:
        return f"{at(tree, 'status', 'readyReplicas', default=0)}/{at(tree, *wanted, default=0)}"

    return cell


def _node_status(tree: Tree, _now: dt.datetime) -> str:
    conditions = at(tree, "status", "conditions", default=[])
    found = [item["status"] for item in conditions if item["type"] == "Ready"]
    shown = "Unknown" if not found else "Ready" if found[0] == "True" else "NotReady"
    return shown + (",SchedulingDisabled" if at(tree, "spec", "unschedulable") else "")


def _node_roles(tree: Tree, _now: dt.datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = at(tree, "metadata", "labels", default={})
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or NONE


def _node_address(wanted: str) -> Cell:
    def cell(tree: Tree, _now: dt.datetime) -> str:
        listed = at(tree, "status", "addresses", default=[])
        return next((item["address"] for item in listed if item["type"] == wanted), NONE)

    return cell


def _node_info(field: str) -> Cell:
    return _path("status", "nodeInfo", field, default="<unknown>")


def _ports(tree: Tree, _now: dt.datetime) -> str:
    shown = []
    for port in at(tree, "spec", "ports", default=[]):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port['protocol']}")
    return ",".join(shown) or NONE


def _endpoints(tree: Tree, _now: dt.datetime) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in tree.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return _shortened(found)


def _shortened(found: list[str]) -> str:
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return (",".join(found[:3]) + more) or NONE


def _slice_ports(tree: Tree, _now: dt.datetime) -> str:
    return ",".join(str(port.get("port", "*")) for port in tree.get("ports") or ()) or "<unset>"


def _slice_addresses(tree: Tree, _now: dt.datetime) -> str:
    found = [address for item in tree.get("endpoints") or () for address in item.get("addresses", ())]
    return _shortened(found) if found else "<unset>"


def _data(tree: Tree, _now: dt.datetime) -> int:
    return len(tree.get("data") or {}) + len(tree.get("binaryData") or {})


def _event_object(tree: Tree, _now: dt.datetime) -> str:
    thing = tree.get("involvedObject", {})
    return f"{thing.get('kind', '').lower()}/{thing.get('name', '')}"


def _last_seen(tree: Tree, now: dt.datetime) -> str:
    return since(tree.get("lastTimestamp") or tree.get("eventTime") or tree.get("firstTimestamp"), now)


def _modes(tree: Tree, _now: dt.datetime) -> str:
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    return ",".join(short.get(mode, mode) for mode in at(tree, "status", "accessModes", default=[]))


COLUMNS: dict[kinds.Kind, tuple[Column, ...]] = {
    kinds.POD: (
        NAME,
        Column("Ready", podcells.ready),
        Column("Status", podcells.status),
        Column("Restarts", podcells.restarts),
        AGE,
        Column("IP", _path("status", "podIP"), priority=1),
        Column("Node", _path("spec", "nodeName"), priority=1),
        Column("Nominated Node", _path("status", "nominatedNodeName"), priority=1),
        Column("Readiness Gates", lambda _tree, _now: NONE, priority=1),
    ),
    kinds.NODE: (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", _node_info("kubeletVersion")),
        Column("Internal-IP", _node_address("InternalIP"), priority=1),
        Column("External-IP", _node_address("ExternalIP"), priority=1),
        Column("OS-Image", _node_info("osImage"), priority=1),
        Column("Kernel-Version", _node_info("kernelVersion"), priority=1),
        Column("Container-Runtime", _node_info("containerRuntimeVersion"), priority=1),
    ),
    kinds.DEPLOYMENT: (
        NAME,
        Column("Ready", _ready_of(("spec", "replicas"))),
        Column("Up-to-date", _count("status", "updatedReplicas")),
        Column("Available", _count("status", "availableReplicas")),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    kinds.REPLICA_SET: (
        NAME,
        Column("Desired", _count("spec", "replicas"), "integer"),
        Column("Current", _count("status", "replicas"), "integer"),
        Column("Ready", _count("status", "readyReplicas"), "integer"),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    kinds.STATEFUL_SET: (NAME, Column("Ready", _ready_of(("spec", "replicas"))), AGE, *_TEMPLATE),
    kinds.REVISION: (
        NAME,
        Column("Controller", _controller),
        Column("Revision", _count("revision"), "integer"),
        AGE,
    ),
    kinds.DAEMON_SET: (
        NAME,
        Column("Desired", _count("status", "desiredNumberScheduled"), "integer"),
        Column("Current", _count("status", "currentNumberScheduled"), "integer"),
        Column("Ready", _count("status", "numberReady"), "integer"),
        Column("Up-to-date", _count("status", "updatedNumberScheduled"), "integer"),
        Column("Available", _count("status", "numberAvailable"), "integer"),
        Column("Node Selector", lambda _tree, _now: NONE),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    kinds.SERVICE: (
        NAME,
        Column("Type", _path("spec", "type")),
        Column("Cluster-IP", _path("spec", "clusterIP")),
        Column("External-IP", _path("spec", "externalName")),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", _map_selector, priority=1),
    ),
    kinds.ENDPOINTS: (NAME, Column("Endpoints", _endpoints), AGE),
    kinds.ENDPOINT_SLICE: (
        NAME,
        Column("AddressType", _path("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        AGE,
    ),
    kinds.CONFIG_MAP: (NAME, Column("Data", _data), AGE),
    kinds.SECRET: (NAME, Column("Type", _path("type")), Column("Data", _data), AGE),
    kinds.NAMESPACE: (NAME, Column("Status", _path("status", "phase")), AGE),
    kinds.LEASE: (NAME, Column("Holder", _path("spec", "holderIdentity", default="")), AGE),
    kinds.EVENT: (
        Column("Last Seen", _last_seen),
        Column("Type", _path("type")),
        Column("Reason", _path("reason")),
        Column("Object", _event_object),
        Column("Message", _path("message", default="")),
        Column("Name", _path("metadata", "name"), priority=1),
    ),
    kinds.CLAIM: (
        NAME,
        Column("Status", _path("status", "phase")),
        Column("Volume", _path("spec", "volumeName", default="")),
        Column("Capacity", _path("status", "capacity", "storage", default="")),
        Column("Access Modes", _modes),
        Column("StorageClass", _path("spec", "storageClassName", default="")),
        AGE,
    ),
    kinds.DISRUPTION_BUDGET: (
        NAME,
        Column("Min Available", _path("spec", "minAvailable", default="N/A")),
        Column("Max Unavailable", _path("spec", "maxUnavailable", default="N/A")),
        Column("Allowed Disruptions", _count("status", "disruptionsAllowed"), "integer"),
        AGE,
    ),
}
