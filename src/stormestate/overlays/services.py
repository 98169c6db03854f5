"""The bank's services: a Deployment in every serving zone, and a Service in every region, for each role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stormestate.overlays.text import ZONE, document, kustomization
from stormestate.roles import Role
from stormestate.shape import Zone

_BASE = "bank/service"
_CALLED = "service"
"""What the manifests of `base` call it."""
_SLOWER_S = 5


def directory(role: Role) -> str:
    """Of a role's files, in a region's or a zone's."""
    return f"services/{role.name}"


def deployment(role: Role, zone: Zone, up: str, more: Mapping[str, str]) -> dict[str, str]:
    """Its files in a zone's directory; `up` leads from there to `base`, `more` are settings of its region.

    The zone's name is added by the zone.
    """
    container = "/spec/template/spec/containers/0"
    changes = [
        _put("/metadata/name", role.name),
        _put("/spec/replicas", role.replicas),
        _put("/spec/template/metadata/annotations/prometheus.io~1port", str(role.port)),
        _put(f"{container}/name", role.name),
        _put(f"{container}/command/3", role.name),
        _put(f"{container}/ports/0/containerPort", role.port),
        _add("/spec/template/spec/nodeSelector", {ZONE: zone.name}),
        *(_add(f"{container}/env/-", entry) for entry in _env(role, more)),
    ]
    if role.patient:
        changes += [
            _put(f"{container}/readinessProbe/periodSeconds", _SLOWER_S),
            _put(f"{container}/livenessProbe/periodSeconds", 2 * _SLOWER_S),
        ]
    title = f"The {role.name} of the zone, whose name comes after the role's."
    return _files(role, title, "Deployment", f"../../{up}/{_BASE}/zone", changes)


def service(role: Role, up: str) -> dict[str, str]:
    """Its files in a region's directory."""
    changes = [_put("/metadata/name", role.name), _put("/spec/ports/0/port", role.port)]
    title = f"The name under which {role.name} is asked."
    return _files(role, title, "Service", f"../../{up}/{_BASE}/region", changes)


def _files(role: Role, title: str, kind: str, base: str, changes: list[dict[str, Any]]) -> dict[str, str]:
    at = directory(role)
    target: dict[str, str] = {"version": "v1", "kind": kind, "name": _CALLED}
    group = {"group": "apps"} if kind == "Deployment" else {}
    top = kustomization(
        title,
        commonLabels={"app": role.name},
        bases=[base],
        patchesJson6902=[{"target": group | target, "path": "role.yaml"}],
    )
    return {f"{at}/kustomization.yaml": top, f"{at}/role.yaml": document(title, changes)}


def _env(role: Role, more: Mapping[str, str]) -> list[dict[str, Any]]:
    values = {**role.env, **more}
    stated: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    return stated + [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in role.secrets.items()
    ]


def _put(path: str, value: object) -> dict[str, object]:
    return {"op": "replace", "path": path, "value": value}


def _add(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": path, "value": value}
