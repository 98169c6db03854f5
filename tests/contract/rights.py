"""The rights that Stormdrill's parts are given, applied in a namespace of the test's own, and what they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from .asking import Api, Json

MANIFEST = Path(__file__).parents[2] / "topology" / "kubernetes" / "base" / "stormdrill" / "rbac.yaml"
HOME = "stormdrill"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
HARNESS: list[Json] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "create", "update", "delete"],
    },
    {
        "apiGroups": ["stormdrill.io"],
        "resources": ["faults"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    },
]
"""In its namespaces, as docs/your-own-cluster.md says; the other two are cluster-wide."""
HARNESS_EVERYWHERE: list[Json] = [
    {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list"]},
    {
        "apiGroups": [""],
        "resources": ["namespaces"],
        "resourceNames": ["kube-system", HOME],
        "verbs": ["get"],
    },
]


def account(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def manifest(namespace: str) -> list[Json]:
    """Our manifest as if `namespace` were the one it is made for; what it has at cluster scope gets its own name."""
    found = []
    for body in yaml.safe_load_all(MANIFEST.read_text()):
        for subject in body.get("subjects", ()):
            subject["namespace"] = namespace
        home = body["metadata"].get("namespace")
        if home == HOME:
            body["metadata"]["namespace"] = namespace
        else:
            # In other namespaces and in none: beside those of an installation that may be there.
            body["metadata"]["name"] += f"-{namespace[-20:].strip('-')}"
            if "roleRef" in body:
                body["roleRef"]["name"] = body["metadata"]["name"]
        found.append(body)
    return found


def _role(kind: str, name: str, namespace: str | None, rules: list[Json]) -> Json:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": rules}


def harness(namespace: str) -> list[Json]:
    """A service account with the rights that the page says the harness needs."""
    wide = f"stormdrill-harness-{namespace[-20:].strip('-')}"
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "harness", "namespace": namespace}
    return [
        {"kind": "ServiceAccount", "metadata": {"name": "harness", "namespace": namespace}},
        _role("Role", "harness", namespace, HARNESS),
        {"kind": "RoleBinding", "metadata": {"name": "harness", "namespace": namespace}, "subjects": [subject],
         "roleRef": {"apiGroup": group, "kind": "Role", "name": "harness"}},
        _role("ClusterRole", wide, None, HARNESS_EVERYWHERE),
        {"kind": "ClusterRoleBinding", "metadata": {"name": wide}, "subjects": [subject],
         "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": wide}},
    ]  # fmt: skip


def _collection(body: Json) -> str:
    plural = body["kind"].lower() + "s"
    namespace = body["metadata"].get("namespace")
    root = "/api/v1" if body["kind"] == "ServiceAccount" else RBAC
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


@contextmanager
def granted(api: Api, bodies: list[Json]) -> Iterator[None]:
    """All of it is there, and gone afterwards where its namespace does not take it along."""
    made: list[str] = []
    try:
        for body in bodies:
            api.done("POST", _collection(body), {**body, "apiVersion": _version(body)})
            made.append(f"{_collection(body)}/{body['metadata']['name']}")
        yield
    finally:
        for path in reversed(made):
            api.call("DELETE", path)


def _version(body: Json) -> str:
    return "v1" if body["kind"] == "ServiceAccount" else "rbac.authorization.k8s.io/v1"


def may(api: Api, verb: str, resource: str, namespace: str = "", *, name: str = "", group: str = "") -> bool:
    """What a SelfSubjectAccessReview says to whoever asks."""
    resource, _, part = resource.partition("/")
    asked: dict[str, Any] = {"verb": verb, "group": group, "resource": resource, "subresource": part}
    asked |= {"namespace": namespace, "name": name}
    body = {"spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return bool(api.done("POST", path, body)["status"]["allowed"])
