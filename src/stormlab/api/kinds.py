"""The built-in kinds the lab serves: names, scope, verbs and subresources, in one table.

Kinds that a CustomResourceDefinition adds are `custom.kind.CustomKind`; `catalog.Catalog` knows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_WRITE = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A part of an object with its own path; group, version and kind are those of its body."""

    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


STATUS = Subresource("", READ_WRITE)
SCALE = Subresource("Scale", READ_WRITE, "autoscaling", "v1")


# One object per kind, compared and hashed by identity: kinds are keys of hot dictionaries.
@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of object. `status` subresources answer with the kind itself."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    verbs: tuple[str, ...] = ALL_VERBS
    # PUT without a resourceVersion overwrites; a Lease refuses it (topics 05, 15).
    unconditional_update: bool = True
    # PUT of an object that is not there creates it (Leases, Endpoints and Services do).
    create_on_update: bool = False
    # Deployments count spec and annotation changes in metadata.generation; ConfigMaps do not (topic 06).
    generation: bool = False

    @property
    def api_version(self) -> str:
        """Return `apps/v1` or `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """Return the lower-case kind."""
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        """Return the kind of a list of them."""
        return f"{self.kind}List"

    @property
    def resource(self) -> str:
        """Return `apps/deployments`, the name that is one's own whatever the version."""
        return f"{self.group}/{self.plural}"


def _workload(kind: str, plural: str, short: str, *, scale: bool) -> Kind:
    parts = {"scale": SCALE, "status": STATUS} if scale else {"status": STATUS}
    return Kind("apps", "v1", kind, plural, True, (short,), ("all",), parts, generation=True)


POD = Kind(
    "", "v1", "Pod", "pods", True, ("po",), ("all",),
    {
        "status": STATUS,
        "binding": Subresource("Binding", ("create",)),
        "eviction": Subresource("Eviction", ("create",), "policy", "v1"),
        "log": Subresource("Pod", ("get",)),
        "exec": Subresource("PodExecOptions", ("create", "get")),
    },
)  # fmt: skip
NODE = Kind("", "v1", "Node", "nodes", False, ("no",), (), {"status": STATUS})
NAMESPACE = Kind(
    "", "v1", "Namespace", "namespaces", False, ("ns",), (), {"status": STATUS},
    ("create", "delete", "get", "list", "patch", "update", "watch"),
)  # fmt: skip
SERVICE = Kind(
    "", "v1", "Service", "services", True, ("svc",), ("all",), {"status": STATUS}, create_on_update=True
)
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints", True, ("ep",), create_on_update=True)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", True, ("cm",))
SECRET = Kind("", "v1", "Secret", "secrets")
EVENT = Kind("", "v1", "Event", "events", True, ("ev",), create_on_update=True)
CLAIM = Kind(
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, ("pvc",), (), {"status": STATUS}
)
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", True, ("sa",))
DEPLOYMENT = _workload("Deployment", "deployments", "deploy", scale=True)
REPLICA_SET = _workload("ReplicaSet", "replicasets", "rs", scale=True)
STATEFUL_SET = _workload("StatefulSet", "statefulsets", "sts", scale=True)
DAEMON_SET = _workload("DaemonSet", "daemonsets", "ds", scale=False)
REVISION = Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", generation=True)
LEASE = Kind(
    "coordination.k8s.io", "v1", "Lease", "leases", unconditional_update=False, create_on_update=True
)
DISRUPTION_BUDGET = Kind(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", True, ("pdb",), (),
    {"status": STATUS}, generation=True, unconditional_update=False,
)  # fmt: skip

DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False,
    ("crd", "crds"), ("api-extensions",), {"status": STATUS}, generation=True, unconditional_update=False,
)  # fmt: skip
RBAC = "rbac.authorization.k8s.io"
ROLE = Kind(RBAC, "v1", "Role", "roles")
ROLE_BINDING = Kind(RBAC, "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = Kind(RBAC, "v1", "ClusterRole", "clusterroles", False)
CLUSTER_ROLE_BINDING = Kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", False)

KINDS = (
    CONFIG_MAP, ENDPOINTS, EVENT, NAMESPACE, NODE, CLAIM, POD, SECRET, SERVICE_ACCOUNT, SERVICE,
    REVISION, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET, LEASE, ENDPOINT_SLICE, DISRUPTION_BUDGET,
    DEFINITION, ROLE, ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING,
)  # fmt: skip
