"""What the node does not do: fields of a pod that would change what it means, and so are refused.

A list of what is known rather than of what is not: a field nobody has thought about is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stormlab.node import hostpath

Object = Mapping[str, Any]

_POD = frozenset({
    "containers", "volumes", "restartPolicy", "terminationGracePeriodSeconds", "hostname", "subdomain",
    "hostNetwork", "hostPID", "securityContext",
    # the scheduler's and the API's business
    "nodeName", "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "schedulerName",
    "priority", "priorityClassName", "preemptionPolicy",
    # without effect on a program of this machine
    "serviceAccount", "serviceAccountName", "automountServiceAccountToken", "enableServiceLinks",
    "imagePullSecrets", "dnsPolicy", "os",
})  # fmt: skip
_CONTAINER = frozenset({
    "name", "image", "command", "args", "env", "envFrom", "ports", "volumeMounts", "workingDir",
    "startupProbe", "readinessProbe", "livenessProbe", "securityContext",
    # accepted without effect: capacity is declared by the bank, images are programs of this machine
    "resources", "imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy",
})  # fmt: skip
_SECURITY = frozenset({
    "runAsUser", "runAsGroup", "readOnlyRootFilesystem", "privileged",
    # without effect: a container owns its files, and never gains rights
    "fsGroup", "fsGroupChangePolicy", "runAsNonRoot", "allowPrivilegeEscalation", "seccompProfile",
    "supplementalGroups", "capabilities",
})  # fmt: skip
_CAPABILITIES = frozenset({
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE",
    "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP",
})  # fmt: skip
_VOLUMES = frozenset({"configMap", "secret", "emptyDir", "persistentVolumeClaim", "hostPath"})
_MOUNT = frozenset({"name", "mountPath", "subPath", "readOnly", "recursiveReadOnly", "mountPropagation"})
_VALUE_SOURCES = frozenset({"fieldRef", "configMapKeyRef", "secretKeyRef"})
_PROBE = frozenset({
    "httpGet", "tcpSocket", "exec", "initialDelaySeconds", "periodSeconds", "timeoutSeconds",
    "successThreshold", "failureThreshold",
})  # fmt: skip


def unsupported(spec: Object) -> list[str]:
    """Why this pod cannot be run as it means, empty when it can."""
    reasons = _unknown("spec", spec, _POD)
    if spec.get("dnsPolicy") == "None":
        reasons.append("spec.dnsPolicy None")
    reasons += _security("spec.securityContext", spec.get("securityContext") or {})
    for volume in spec.get("volumes") or ():
        kinds = {key for key in volume if key != "name"}
        reasons += [f"volume kind {kind} ({volume['name']})" for kind in sorted(kinds - _VOLUMES)]
        if "hostPath" in volume:
            reasons += _host_path(volume)
    for container in spec.get("containers") or ():
        where = f"container {container.get('name')}"
        reasons += _container(where, container)
        if not spec.get("hostNetwork"):
            ports = [port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")]
            reasons += [f"{where} hostPort {port} without hostNetwork" for port in ports]
    return reasons


def _host_path(volume: Object) -> list[str]:
    found = volume["hostPath"]
    where = f"volume {volume['name']} hostPath"
    kind = found.get("type") or ""
    reasons = [] if kind in hostpath.TYPES else [f"{where} type {kind}"]
    if hostpath.of_the_machine(found.get("path") or ""):
        reasons.append(
            f"{where} {found['path']}: a node here has a disk and {hostpath.GROUPS} of its own, no more"
        )
    return reasons


def _container(where: str, container: Object) -> list[str]:
    reasons = _unknown(where, container, _CONTAINER)
    reasons += _security(f"{where} securityContext", container.get("securityContext") or {})
    for mount in container.get("volumeMounts") or ():
        reasons += _unknown(f"{where} volumeMount {mount.get('name')}", mount, _MOUNT)
        if mount.get("mountPropagation") not in (None, "None"):
            reasons.append(f"{where} mountPropagation {mount['mountPropagation']}")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        reasons += _unknown(f"{where} env {variable.get('name')} valueFrom", source, _VALUE_SOURCES)
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        reasons += _unknown(f"{where} {kind}", container.get(kind) or {}, _PROBE)
    return reasons


def _security(where: str, security: Object) -> list[str]:
    reasons = _unknown(where, security, _SECURITY)
    added = (security.get("capabilities") or {}).get("add") or ()
    return reasons + [f"{where} capability {name}" for name in added if name not in _CAPABILITIES]


def _unknown(where: str, part: Object, known: Iterable[str]) -> list[str]:
    names = set(known)
    # An empty value says nothing: clients write `initContainers: []` and mean it is absent.
    said = [key for key, value in part.items() if value not in (None, [], {}, "")]
    return [f"{where}.{key}" for key in said if key not in names]
