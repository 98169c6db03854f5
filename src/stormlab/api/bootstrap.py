"""What a cluster has from its first moment: four namespaces and the API's own service."""

from __future__ import annotations

import ipaddress

from stormlab.api.kinds import CLUSTER_ROLE, ENDPOINT_SLICE, ENDPOINTS, NAMESPACE, SERVICE
from stormlab.api.objects import Objects

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def bootstrap(objects: Objects, *, service_network: str, address: str, port: int) -> None:
    """Create what is missing. `address` and `port` are where pods reach this API.

    The uid of kube-system is the cluster's identity: made once, kept in the log.
    """
    for name in NAMESPACES:
        if objects.get(NAMESPACE, "", name) is None:
            objects.create(NAMESPACE, "", {"metadata": {"name": name}})
    _cluster_admin(objects)
    _own_service(objects, service_network)
    labels = {"kubernetes.io/service-name": "kubernetes"}
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    slice_ = {
        "metadata": {"name": "kubernetes", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": ports,
    }
    endpoints = {
        "metadata": {"name": "kubernetes"},
        "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
    }
    for kind, tree in ((ENDPOINT_SLICE, slice_), (ENDPOINTS, endpoints)):
        if objects.get(kind, "default", "kubernetes") is None:
            objects.create(kind, "default", tree)
        else:
            objects.update(kind, "default", "kubernetes", tree)


def _cluster_admin(objects: Objects) -> None:
    """The one role of a fresh cluster that a manifest may bind; `admin`, `edit` and `view` are not built."""
    if objects.get(CLUSTER_ROLE, "", "cluster-admin") is None:
        everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        paths = {"nonResourceURLs": ["*"], "verbs": ["*"]}
        objects.create(
            CLUSTER_ROLE, "", {"metadata": {"name": "cluster-admin"}, "rules": [everything, paths]}
        )


def _own_service(objects: Objects, service_network: str) -> None:
    if objects.get(SERVICE, "default", "kubernetes") is None:
        spec = {
            "clusterIP": str(ipaddress.ip_network(service_network)[1]),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        }
        labels = {"component": "apiserver", "provider": "kubernetes"}
        objects.create(
            SERVICE, "default", {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec}
        )
