"""Pod specs, in pods and in templates: defaults and validation (topics 06, 08, 19)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from stormlab.api.jsontree import Tree, at
from stormlab.api.status import Cause, duplicate, invalid_value, required, unsupported
from stormlab.quantity import quantity

LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
DNS_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
RESTART_POLICIES = ("Always", "OnFailure", "Never")
_VOLUME_MODES = {"configMap": 420, "secret": 420, "projected": 420, "downwardAPI": 420}


def default_pod_spec(spec: Tree) -> None:
    """Fill in a pod spec's defaults, in place."""
    for container in [*spec.get("initContainers", ()), *spec.get("containers", ())]:
        _default_container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes", ()):
        _default_volume(volume)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]


def _default_container(container: Tree, *, host_network: bool) -> None:
    image = container.get("image", "")
    latest = image.endswith(":latest") or ":" not in image.rsplit("/", 1)[-1]
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", "Always" if latest and "@" not in image else "IfNotPresent")
    limits = at(container, "resources", "limits", default={})
    if limits:
        container["resources"]["requests"] = {**limits, **container["resources"].get("requests", {})}
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if host_network:
            port.setdefault("hostPort", port.get("containerPort"))
    for variable in container.get("env", ()):
        if reference := at(variable, "valueFrom", "fieldRef"):
            reference.setdefault("apiVersion", "v1")
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        if name in container:
            _default_probe(container[name])


def _default_probe(probe: Tree) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _default_volume(volume: Tree) -> None:
    for source, mode in _VOLUME_MODES.items():
        if source in volume:
            volume[source].setdefault("defaultMode", mode)
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")


def validate_pod_spec(spec: Tree, path: str) -> list[Cause]:
    """Return what is wrong with a pod spec that lies at `path`."""
    causes: list[Cause] = []
    containers = spec.get("containers") or []
    if not containers:
        causes.append(required(f"{path}.containers"))
    volumes = {volume.get("name") for volume in spec.get("volumes", ())}
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field, ())):
            causes += _container(container, f"{path}.{field}[{index}]", seen, volumes)
    if (policy := spec.get("restartPolicy")) not in RESTART_POLICIES:
        causes.append(unsupported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    grace = spec.get("terminationGracePeriodSeconds", 30)
    if grace < 0:
        causes.append(
            invalid_value(
                f"{path}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"
            )
        )
    return causes


def _container(container: Tree, path: str, seen: set[str], volumes: set[Any]) -> list[Cause]:
    causes: list[Cause] = []
    name = container.get("name", "")
    if not name:
        causes.append(required(f"{path}.name"))
    elif not LABEL_NAME.fullmatch(name) or len(name) > 63:
        causes.append(invalid_value(f"{path}.name", name, DNS_LABEL_RULE))
    if not container.get("image"):
        causes.append(required(f"{path}.image"))
    for index, port in enumerate(container.get("ports", ())):
        causes += _port(port.get("containerPort"), f"{path}.ports[{index}].containerPort")
    causes += _resources(container.get("resources", {}), f"{path}.resources")
    causes += _mounts(container.get("volumeMounts", ()), f"{path}.volumeMounts", volumes)
    for index, variable in enumerate(container.get("env", ())):
        if not variable.get("name"):
            causes.append(required(f"{path}.env[{index}].name"))
    if name and name in seen:
        causes.append(duplicate(f"{path}.name", name))
    seen.add(name)
    return causes


def _mounts(mounts: Iterable[Tree], path: str, volumes: set[Any]) -> list[Cause]:
    causes: list[Cause] = []
    for index, mount in enumerate(mounts):
        name = mount.get("name", "")
        if name not in volumes:
            causes.append(Cause("FieldValueNotFound", f"{path}[{index}].name", f'Not found: "{name}"'))
        if not mount.get("mountPath"):
            causes.append(required(f"{path}[{index}].mountPath"))
    return causes


def _port(port: object, path: str) -> list[Cause]:
    if port is None:
        return [required(path)]
    if not isinstance(port, int) or not 1 <= port <= 65535:
        return [invalid_value(path, port, "must be between 1 and 65535, inclusive")]
    return []


def _resources(resources: Tree, path: str) -> list[Cause]:
    limits = resources.get("limits", {})
    causes: list[Cause] = []
    for name, amount in resources.get("requests", {}).items():
        if name in limits and quantity(amount) > quantity(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid_value(f"{path}.requests", amount, why))
    return causes


def qos_class(spec: Tree) -> str:
    """Return the quality-of-service class the server writes into a new pod's status."""
    guaranteed, any_set = True, False
    for container in [*spec.get("initContainers", ()), *spec.get("containers", ())]:
        limits = at(container, "resources", "limits", default={})
        requests = at(container, "resources", "requests", default={})
        any_set = any_set or bool(limits or requests)
        guaranteed = (
            guaranteed
            and {"cpu", "memory"} <= limits.keys()
            and all(requests.get(name) == limits[name] for name in ("cpu", "memory"))
        )
    return "Guaranteed" if guaranteed and any_set else "Burstable" if any_set else "BestEffort"
