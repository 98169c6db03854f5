"""Write `src/stormlab/api/schema.json`: the field names and types of the kinds the lab serves.

The facts come from the public Python client's generated models (installed as `kubernetes`), to
which this file adds what OpenAPI models do not carry: strategic merge keys, quantities and
microsecond times. Run it after a client upgrade: `python scripts/kube_schema.py`.

Type expressions: `str int bool float any time microtime quantity bytes`, a type's name, and the
prefixes `[]` (list) and `{}` (map with string keys). `@key` after a list is its merge key; `@` alone
means a list of scalars that merges as a set.
"""

import json
import re
import sys
from pathlib import Path

from kubernetes.client import models

ROOTS = {
    "Pod": "V1Pod", "Node": "V1Node", "Namespace": "V1Namespace", "Service": "V1Service",
    "Endpoints": "V1Endpoints", "ConfigMap": "V1ConfigMap", "Secret": "V1Secret", "Event": "CoreV1Event",
    "PersistentVolumeClaim": "V1PersistentVolumeClaim", "ServiceAccount": "V1ServiceAccount",
    "Deployment": "V1Deployment", "ReplicaSet": "V1ReplicaSet", "StatefulSet": "V1StatefulSet",
    "ControllerRevision": "V1ControllerRevision",
    "DaemonSet": "V1DaemonSet", "EndpointSlice": "V1EndpointSlice", "Lease": "V1Lease",
    "PodDisruptionBudget": "V1PodDisruptionBudget", "Scale": "V1Scale", "DeleteOptions": "V1DeleteOptions",
    "Eviction": "V1Eviction", "Binding": "V1Binding", "CustomResourceDefinition": "V1CustomResourceDefinition",
    "Role": "V1Role", "RoleBinding": "V1RoleBinding", "ClusterRole": "V1ClusterRole",
    "ClusterRoleBinding": "V1ClusterRoleBinding",
}  # fmt: skip
MICROTIME = {
    "LeaseSpec.renewTime",
    "LeaseSpec.acquireTime",
    "Event.eventTime",
    "EventSeries.lastObservedTime",
}
QUANTITIES = {"limits", "requests", "capacity", "allocatable", "hard", "used", "overhead"}
MERGE_KEYS = {
    "PodSpec.containers": "name", "PodSpec.initContainers": "name", "PodSpec.ephemeralContainers": "name",
    "PodSpec.volumes": "name", "PodSpec.hostAliases": "ip", "PodSpec.imagePullSecrets": "name",
    "PodSpec.topologySpreadConstraints": "topologyKey", "PodSpec.schedulingGates": "name",
    "PodSpec.resourceClaims": "name", "Container.env": "name", "Container.ports": "containerPort",
    "Container.volumeMounts": "mountPath", "Container.volumeDevices": "devicePath",
    "ServiceSpec.ports": "port", "ServiceAccount.secrets": "name", "ServiceAccount.imagePullSecrets": "name",
    "ObjectMeta.ownerReferences": "uid", "ObjectMeta.finalizers": "",
    "ProjectedVolumeSource.sources": None, "NodeStatus.addresses": "type", "NodeSpec.podCIDRs": "",
    "PodStatus.podIPs": "ip", "PodStatus.hostIPs": "ip", "EphemeralContainer.env": "name",
    "EphemeralContainer.ports": "containerPort", "EphemeralContainer.volumeMounts": "mountPath",
}  # fmt: skip
# The client's models say "object" where a schema stands in a schema.
SAID_BETTER = {"JSONSchemaProps.items": "JSONSchemaProps"}
SIMPLE = {"str": "str", "int": "int", "bool": "bool", "float": "float", "object": "any", "datetime": "time",
          "bytes": "bytes"}  # fmt: skip


def short(model: str) -> str:
    """Name a model without its version prefix."""
    return re.sub(r"^(Core)?V\d+", "", model)


def expression(owner: str, field: str, kind: str, pending: list[str]) -> str:
    """Translate one type of the client into our notation."""
    if better := SAID_BETTER.get(f"{owner}.{field}"):
        return better
    if match := re.fullmatch(r"[Ll]ist\[(.*)\]", kind):
        key = MERGE_KEYS.get(f"{owner}.{field}", "type" if field == "conditions" else None)
        if owner in {"PodDisruptionBudgetStatus", "ServiceStatus"} and field == "conditions":
            key = "type"
        return "[]" + expression(owner, field, match[1], pending) + ("" if key is None else f"@{key}")
    if match := re.fullmatch(r"[Dd]ict[\[(]str, (.*)[\])]", kind):
        if field in QUANTITIES:
            return "{}quantity"
        return "{}" + expression(owner, field, match[1], pending)
    if kind in SIMPLE:
        return "microtime" if f"{owner}.{field}" in MICROTIME else SIMPLE[kind]
    pending.append(kind)
    return short(kind)


def build() -> dict[str, dict[str, str]]:
    """Follow the models from the roots and return type name -> field -> expression."""
    types: dict[str, dict[str, str]] = {}
    pending = list(ROOTS.values())
    while pending:
        model = pending.pop()
        name = short(model)
        if name in types:
            continue
        cls = getattr(models, model)
        types[name] = {}
        for attribute, kind in cls.openapi_types.items():
            field = cls.attribute_map[attribute]
            types[name][field] = expression(name, field, kind, pending)
    return dict(sorted(types.items()))


def main() -> int:
    """Write the file, or with `--check` say whether it is current."""
    path = Path(__file__).parent.parent / "src" / "stormlab" / "api" / "schema.json"
    lines = [f"{json.dumps(name)}: {json.dumps(fields)}" for name, fields in build().items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if "--check" in sys.argv:
        return 0 if path.read_text() == text else 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
