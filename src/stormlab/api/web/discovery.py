"""Discovery: which groups, versions and resources there are, plain and aggregated (topic 01)."""

from __future__ import annotations

from typing import Any

from stormlab.api.jsontree import Tree
from stormlab.api.kinds import KINDS, Kind

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION = {
    "major": "1",
    "minor": "31",
    "gitVersion": "v1.31.14+stormlab",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
REVIEWS = {
    "authorization.k8s.io": ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    "authentication.k8s.io": ("selfsubjectreviews", "SelfSubjectReview"),
}


def group_names() -> list[str]:
    """Return the served groups besides the core, in order."""
    return sorted({kind.group for kind in KINDS if kind.group} | set(REVIEWS))


def _group(name: str) -> Tree:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def versions(address: str) -> Tree:
    """Answer `/api`."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def groups() -> Tree:
    """Answer `/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in group_names()]}


def group(name: str) -> Tree:
    """Answer `/apis/<group>`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def _resources(kind: Kind) -> list[Tree]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    found = [entry]
    for name, part in sorted(kind.subresources.items()):
        sub: Tree = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
        if part.version:
            sub |= {"group": part.group, "version": part.version}
        found.append({**sub, "kind": part.kind or kind.kind, "verbs": list(part.verbs)})
    return found


def resources(name: str) -> Tree:
    """Answer `/api/v1` (empty name) or `/apis/<group>/v1`."""
    listed = [entry for kind in _kinds(name) for entry in _resources(kind)]
    if name in REVIEWS:
        plural, kind_name = REVIEWS[name]
        listed.append(
            {
                "name": plural,
                "singularName": kind_name.lower(),
                "namespaced": False,
                "kind": kind_name,
                "verbs": ["create"],
            }
        )
    head: Tree = {"kind": "APIResourceList"}
    if name:
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": f"{name}/v1" if name else "v1", "resources": listed}


def _kinds(name: str) -> list[Kind]:
    return sorted((kind for kind in KINDS if kind.group == name), key=lambda kind: kind.plural)


def _aggregated_resource(kind: Kind) -> Tree:
    entry: Tree = {
        "resource": kind.plural,
        # Empty means: as the list it stands in.
        "responseKind": {"group": "", "version": "", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    parts = [
        {
            "subresource": name,
            "responseKind": {
                "group": part.group,
                "version": part.version,
                "kind": part.kind or kind.kind,
            },
            "verbs": list(part.verbs),
        }
        for name, part in sorted(kind.subresources.items())
    ]
    return {**entry, "subresources": parts} if parts else entry


def aggregated(*, core: bool) -> Tree:
    """Answer `/api` or `/apis` in the aggregated form current kubectl asks for."""
    items = []
    for name in [""] if core else group_names():
        listed = [_aggregated_resource(kind) for kind in _kinds(name)]
        if name in REVIEWS:
            plural, kind_name = REVIEWS[name]
            response = {"group": name, "version": "v1", "kind": kind_name}
            listed.append(
                {
                    "resource": plural,
                    "responseKind": response,
                    "scope": "Cluster",
                    "singularResource": kind_name.lower(),
                    "verbs": ["create"],
                }
            )
        metadata = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
        version = {"version": "v1", "resources": listed, "freshness": "Current"}
        items.append({"metadata": metadata, "versions": [version]})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def root_paths() -> Tree:
    """Answer `/`."""
    served = [path for name in group_names() for path in (f"/apis/{name}", f"/apis/{name}/v1")]
    return {
        "paths": ["/api", "/api/v1", "/apis", "/apis/", *served, "/healthz", "/livez", "/readyz", "/version"]
    }
