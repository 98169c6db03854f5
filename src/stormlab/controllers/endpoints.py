"""EndpointSlices and Endpoints: which pods stand behind a service, at once after each change (topic 20)."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import ENDPOINT_SLICE, ENDPOINTS, NODE, POD, SERVICE, Kind
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.api.selectors import from_map, matches
from stormlab.controllers import owners
from stormlab.controllers.backends import Backend, Port, backend_of, slice_endpoint, subsets
from stormlab.controllers.loop import Key

SERVICE_LABEL = "kubernetes.io/service-name"
_MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
_MANAGER = "endpointslice-controller.k8s.io"
# When the pods behind a service last changed; it also tells what this controller made from what others did.
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
_HEADLESS_LABEL = "service.kubernetes.io/headless"
SLICE_SIZE = 100


class EndpointsController:
    """Keeps a service's slices and its Endpoints object."""

    name = "endpoints"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all services, and Endpoints that may be left of one."""
        every = [*self._store.records(SERVICE), *self._store.records(ENDPOINTS)]
        return {(record.namespace, record.name) for record in every}

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the service that changed, or those whose selector covers the pod that did."""
        record = event.after
        if record.kind is SERVICE:
            return [(record.namespace, record.name)]
        if record.kind is ENDPOINTS:
            return [(record.namespace, record.name)]
        if record.kind is ENDPOINT_SLICE:
            name = record.labels.get(SERVICE_LABEL)
            return [(record.namespace, name)] if name else []
        if record.kind is POD:
            return self._covering(record.namespace, [item.labels for item in (event.before, record) if item])
        return []

    def _covering(self, namespace: str, labels: list[dict[str, str]]) -> list[Key]:
        found: list[Key] = []
        for service in self._store.records(SERVICE, namespace):
            selector = service.tree["spec"].get("selector")
            if selector and any(matches(from_map(selector), item) for item in labels):
                found.append((namespace, service.name))
        return found

    def reconcile(self, key: Key) -> float | None:
        """Bring slices and Endpoints of one service up to date."""
        service = self._store.get(SERVICE, *key)
        if service is None:
            self._clear(*key)
            return None
        selector = service.tree["spec"].get("selector")
        if not selector or service.tree["spec"]["type"] == "ExternalName":
            return None
        requirement = from_map(selector)
        zones = {
            node.name: node.labels.get("topology.kubernetes.io/zone") for node in self._store.records(NODE)
        }
        found = [
            backend
            for pod in self._store.records(POD, service.namespace)
            if matches(requirement, pod.labels) and (backend := backend_of(service, pod, zones)) is not None
        ]
        self._write_slices(service, found)
        self._write_endpoints(service, found)
        return None

    def _clear(self, namespace: str, name: str) -> None:
        """Remove what is left of a service that is gone, unless somebody else made it."""
        record = self._store.get(ENDPOINTS, namespace, name)
        if record is not None and at(record.tree, "metadata", "annotations", _TRIGGER):
            delete(self._objects, ENDPOINTS, namespace, name, DeleteOptions())

    def _slices(self, service: Record) -> list[Record]:
        return owners.owned(self._store, ENDPOINT_SLICE, service)

    def _write_slices(self, service: Record, found: list[Backend]) -> None:
        existing = self._slices(service)
        groups: dict[tuple[Port, ...], list[Backend]] = {}
        for backend in found:
            groups.setdefault(backend.ports, []).append(backend)
        chunks: list[tuple[tuple[Port, ...] | None, list[Backend]]] = []
        for ports, members in groups.items():
            kept = _in_old_order(members, existing)
            chunks += [(ports, kept[start : start + SLICE_SIZE]) for start in range(0, len(kept), SLICE_SIZE)]
        # A service without pods still has one, empty slice.
        for index, (resolved, shown) in enumerate(chunks or [(None, [])]):
            tree = _slice_tree(service, resolved, shown)
            if index < len(existing):
                self._update(existing[index], tree)
            else:
                tree["metadata"]["generateName"] = f"{service.name}-"
                self._create(ENDPOINT_SLICE, service.namespace, tree)
        for record in existing[max(len(chunks), 1) :]:
            delete(self._objects, ENDPOINT_SLICE, record.namespace, record.name, DeleteOptions())

    def _write_endpoints(self, service: Record, found: list[Backend]) -> None:
        metadata: Tree = {
            "name": service.name,
            "labels": {**service.labels, **_headless(service)},
        }
        tree: Tree = {"metadata": metadata}
        if listed := subsets(found):
            tree["subsets"] = listed
        record = self._store.get(ENDPOINTS, service.namespace, service.name)
        if record is None:
            self._create(ENDPOINTS, service.namespace, tree)
        else:
            self._update(record, tree)

    def _create(self, kind: Kind, namespace: str, tree: Tree) -> None:
        tree["metadata"]["annotations"] = {_TRIGGER: stamp(self._objects.now())}
        self._objects.create(kind, namespace, tree)

    def _update(self, record: Record, tree: Tree) -> None:
        annotations = at(record.tree, "metadata", "annotations", default={})
        same = all(record.tree.get(key) == value for key, value in tree.items() if key != "metadata")
        same = same and ("subsets" in tree) == ("subsets" in record.tree)
        moment = annotations.get(_TRIGGER) if same else None
        metadata = {**tree["metadata"], "annotations": {_TRIGGER: moment or stamp(self._objects.now())}}
        self._objects.update(record.kind, record.namespace, record.name, {**tree, "metadata": metadata})


def _headless(service: Record) -> dict[str, str]:
    return {_HEADLESS_LABEL: ""} if service.tree["spec"].get("clusterIP") == "None" else {}


def _in_old_order(members: list[Backend], existing: list[Record]) -> list[Backend]:
    """Keep endpoints where they were, so that a change of one shows as a change of one."""
    seen = [
        at(item, "targetRef", "uid", default="")
        for record in existing
        for item in record.tree.get("endpoints") or ()
    ]
    place = {uid: index for index, uid in enumerate(seen)}
    return sorted(members, key=lambda backend: place.get(backend.uid, len(place)))


def _slice_tree(service: Record, ports: tuple[Port, ...] | None, members: list[Backend]) -> Tree:
    metadata: Tree = {
        "labels": {
            **service.labels,
            _MANAGER_LABEL: _MANAGER,
            SERVICE_LABEL: service.name,
            **_headless(service),
        },
        "ownerReferences": [owners.reference(service)],
    }
    tree: Tree = {"metadata": metadata, "addressType": "IPv4", "endpoints": None, "ports": None}
    if members:
        tree["endpoints"] = [slice_endpoint(member) for member in members]
    if ports:
        tree["ports"] = [
            {"name": port.name, "protocol": port.protocol, "port": port.number} for port in ports
        ]
    return tree
