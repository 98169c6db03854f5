"""Discovery: which groups, versions and resources there are, plain and aggregated (topic 01)."""

from __future__ import annotations

from typing import Any

from stormlab.api.catalog import Catalog
from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree
from stormlab.api.kinds import Kind

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


def group_names(catalog: Catalog) -> list[str]:
    """Return the served groups besides the core, in order."""
    return sorted((catalog.groups - {""}) | set(REVIEWS))


def versions_of(catalog: Catalog, name: str) -> list[str]:
    """Return a served group's versions, the preferred one first."""
    return catalog.versions(name) or ["v1"]


def _group(catalog: Catalog, name: str) -> Tree:
    found = versions_of(catalog, name)
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def versions(address: str) -> Tree:
    """Answer `/api`."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def groups(catalog: Catalog) -> Tree:
    """Answer `/apis`."""
    listed = [_group(catalog, name) for name in group_names(catalog)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(catalog: Catalog, name: str) -> Tree:
    """Answer `/apis/<group>`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(catalog, name)}


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


def resources(catalog: Catalog, name: str, version: str) -> Tree:
    """Answer `/api/v1` (empty name) or `/apis/<group>/<version>`."""
    listed = [entry for kind in _kinds(catalog, name, version) for entry in _resources(kind)]
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
    return {**head, "groupVersion": f"{name}/{version}" if name else version, "resources": listed}


def _kinds(catalog: Catalog, name: str, version: str) -> list[Kind]:
    found = (kind for kind in catalog.kinds if (kind.group, kind.version) == (name, version))
    return sorted(found, key=lambda kind: kind.plural)


def _response_kind(kind: Kind) -> Tree:
    # Empty means: as the list it stands in. Of custom kinds a real server says it all the same.
    custom = isinstance(kind, CustomKind)
    group, version = (kind.group, kind.version) if custom else ("", "")
    return {"group": group, "version": version, "kind": kind.kind}


def _aggregated_resource(kind: Kind) -> Tree:
    entry: Tree = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind),
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
            "responseKind": _response_kind(kind)
            if not part.kind
            else {"group": part.group, "version": part.version, "kind": part.kind},
            "verbs": list(part.verbs),
        }
        for name, part in sorted(kind.subresources.items())
    ]
    return {**entry, "subresources": parts} if parts else entry


def _aggregated_review(name: str) -> list[Tree]:
    if name not in REVIEWS:
        return []
    plural, kind_name = REVIEWS[name]
    entry = {
        "resource": plural,
        "responseKind": {"group": name, "version": "v1", "kind": kind_name},
        "scope": "Cluster",
        "singularResource": kind_name.lower(),
        "verbs": ["create"],
    }
    return [entry]


def aggregated(catalog: Catalog, *, core: bool) -> Tree:
    """Answer `/api` or `/apis` in the aggregated form current kubectl asks for."""
    items = []
    for name in [""] if core else group_names(catalog):
        versions = [
            {
                "version": version,
                "resources": [
                    *map(_aggregated_resource, _kinds(catalog, name, version)),
                    *_aggregated_review(name),
                ],
                "freshness": "Current",
            }
            for version in versions_of(catalog, name)
        ]
        metadata = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
        items.append({"metadata": metadata, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def root_paths(catalog: Catalog) -> Tree:
    """Answer `/`."""
    served = [
        path
        for name in group_names(catalog)
        for path in (
            f"/apis/{name}",
            *(f"/apis/{name}/{version}" for version in versions_of(catalog, name)),
        )
    ]
    return {
        "paths": ["/api", "/api/v1", "/apis", "/apis/", *served, "/healthz", "/livez", "/readyz", "/version"]
    }
