"""What a manifest may not ask of this lab: refused with its path, as a Status, rather than taken and forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stormlab import capabilities, hostfiles
from stormlab.api.jsontree import Tree
from stormlab.api.rules import words
from stormlab.api.rules.taken import HONOURED, WITHOUT_EFFECT
from stormlab.api.schema import Type, types
from stormlab.api.status import Cause, forbidden_field

NOT_DONE = "this lab does not do that"
_TAKEN = {
    name: frozenset(fields.split()) | WITHOUT_EFFECT.get(name, {}).keys() for name, fields in HONOURED.items()
}


def refusals(struct: str, value: Tree, path: str) -> list[Cause]:
    """Return what of a struct, such as `PodSpec`, the lab cannot honour or nobody would understand."""
    return list(_struct(struct, value, path))


def _struct(name: str, value: Tree, path: str) -> Iterator[Cause]:
    fields = types()[name]
    for key, item in value.items():
        # Clients write `initContainers: []` or `hostIPC: false` and mean that it is absent.
        if item is None or item is False or item in ("", [], {}):
            continue
        where = f"{path}.{key}"
        if key not in _TAKEN[name]:
            yield forbidden_field(where, NOT_DONE)
        elif (rule := _VALUES.get((name, key))) is not None and (why := rule(item)):
            yield forbidden_field(where, why)
        elif (cause := words.wrong(name, key, item, where)) is not None:
            yield cause
        elif key not in WITHOUT_EFFECT.get(name, {}):
            yield from _inside(fields[key], item, where)
    if name == "PodSpec":
        yield from _host_ports(value, path)
        yield from _of_init(value, path)


def _inside(kind: Type, value: Any, path: str) -> Iterator[Cause]:
    if kind.inner is not None and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inside(kind.inner, item, f"{path}[{index}]")
    elif kind.name in _TAKEN and isinstance(value, dict):
        yield from _struct(kind.name, value, path)


def _host_ports(spec: Tree, path: str) -> Iterator[Cause]:
    if spec.get("hostNetwork"):
        return
    for number, container in enumerate(spec.get("containers") or ()):
        for index, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                where = f"{path}.containers[{number}].ports[{index}].hostPort"
                yield forbidden_field(where, f"{NOT_DONE} without hostNetwork")


def _of_init(spec: Tree, path: str) -> Iterator[Cause]:
    for number, container in enumerate(spec.get("initContainers") or ()):
        for key in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(key):
                why = "may not be set for init containers without restartPolicy=Always"
                yield forbidden_field(f"{path}.initContainers[{number}].{key}", why)


def _only(*allowed: Any) -> Callable[[Any], str]:
    said = " or ".join(str(item) for item in allowed)
    return lambda value: "" if value in allowed else f"{NOT_DONE}: only {said}"


def _resources(amounts: Tree) -> str:
    return f"{NOT_DONE}: ephemeral-storage" if "ephemeral-storage" in amounts else ""


def _capabilities(names: list[str]) -> str:
    wrong = [name for name in names if name not in capabilities.NUMBERS]
    return f"no container of this lab gets {', '.join(wrong)} unless it is privileged" if wrong else ""


def _dropped(names: list[str]) -> str:
    wrong = [name for name in names if name != "ALL" and name not in capabilities.NUMBERS]
    return f"no container of this lab has {', '.join(wrong)}" if wrong else ""


def _host_path(path: str) -> str:
    if not hostfiles.of_the_machine(path):
        return ""
    return f"a node of this lab has a disk and {hostfiles.GROUPS} of its own, no more"


_VALUES: dict[tuple[str, str], Callable[[Any], str]] = {
    ("PodSpec", "dnsPolicy"): _only("ClusterFirst", "ClusterFirstWithHostNet", "Default"),
    ("Container", "terminationMessagePath"): _only("/dev/termination-log"),
    ("Container", "terminationMessagePolicy"): _only("File"),
    ("ResourceRequirements", "limits"): _resources,
    ("ResourceRequirements", "requests"): _resources,
    ("Capabilities", "add"): _capabilities,
    ("Capabilities", "drop"): _dropped,
    ("VolumeMount", "mountPropagation"): _only("None"),
    ("EmptyDirVolumeSource", "medium"): _only("Memory"),
    ("HostPathVolumeSource", "path"): _host_path,
    ("HostPathVolumeSource", "type"): _only(*sorted(hostfiles.TYPES - {""})),
    ("StatefulSetPersistentVolumeClaimRetentionPolicy", "whenDeleted"): _only("Retain"),
    ("StatefulSetPersistentVolumeClaimRetentionPolicy", "whenScaled"): _only("Retain"),
    ("RollingUpdateDaemonSet", "maxSurge"): _only(0, "0%"),
    ("PersistentVolumeClaimSpec", "volumeMode"): _only("Filesystem"),
    ("ServiceSpec", "sessionAffinity"): _only("None"),
    ("ServiceSpec", "ipFamilies"): _only(["IPv4"]),
    ("ServiceSpec", "ipFamilyPolicy"): _only("SingleStack", "PreferDualStack"),
    ("ServiceSpec", "trafficDistribution"): _only("PreferClose", "PreferSameZone"),
    ("ServicePort", "protocol"): _only("TCP", "UDP"),
}
"""Of fields that are taken, the values that are; each says what is wrong, or nothing."""
