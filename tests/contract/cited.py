"""What tests encode: a section of the Kubernetes documentation, or answers recorded from a real server.

`@cites(...)` marks a test, `pytestmark` a file; test_page.py sees that no test is without and that docs/contract.md
names every section.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

_DOCS = "https://kubernetes.io/docs"
_CONCEPTS = f"{_DOCS}/reference/using-api/api-concepts/"
_CONVENTIONS = "https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md"
_DEFINITIONS = f"{_DOCS}/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/"


@dataclass(frozen=True)
class Section:
    """A section by its heading, and where it stands."""

    page: str
    heading: str
    url: str


def _concepts(heading: str, anchor: str) -> Section:
    return Section("Kubernetes API Concepts", heading, f"{_CONCEPTS}#{anchor}")


def _conventions(heading: str, anchor: str) -> Section:
    return Section("API Conventions", heading, f"{_CONVENTIONS}#{anchor}")


def _definitions(heading: str, anchor: str) -> Section:
    page = "Extend the Kubernetes API with CustomResourceDefinitions"
    return Section(page, heading, f"{_DEFINITIONS}#{anchor}")


RECORDING = Section(
    "Recorded answers",
    "of a Kubernetes 1.31 control plane",
    "https://kubernetes.io/docs/reference/kubernetes-api/",
)
"""tests/contract/recorded/; the link is the reference of the calls."""

VERBS = _concepts("Resource URIs", "resource-uris")
WATCH = _concepts("Efficient detection of changes", "efficient-detection-of-changes")
BOOKMARKS = _concepts("Watch bookmarks", "watch-bookmarks")
CHUNKS = _concepts("Retrieving large results sets in chunks", "retrieving-large-results-sets-in-chunks")
TABLES = _concepts("Receiving resources as Tables", "receiving-resources-as-tables")
DELETION = _concepts("Resource deletion", "resource-deletion")
FIELD_VALIDATION = _concepts(
    "Validation for unrecognized or duplicate fields", "setting-the-field-validation-level"
)
UPDATES = _concepts("Updates to existing resources", "patch-and-apply")
RESOURCE_VERSIONS = _concepts("Resource versions", "resource-versions")
WATCH_SEMANTICS = _concepts("Semantics for watch", "semantics-for-watch")
GONE = _concepts("410 Gone responses", "410-gone-responses")
UNAVAILABLE = _concepts("Unavailable resource versions", "unavailable-resource-versions")

CONCURRENCY = _conventions("Concurrency Control and Consistency", "concurrency-control-and-consistency")
SPEC_AND_STATUS = _conventions("Spec and Status", "spec-and-status")
STATUS_KIND = _conventions("Response Status Kind", "response-status-kind")
STATUS_CODES = _conventions("HTTP Status codes", "http-status-codes")

LABELS = Section(
    "Labels and Selectors",
    "LIST and WATCH filtering",
    f"{_DOCS}/concepts/overview/working-with-objects/labels/#list-and-watch-filtering",
)
FIELDS = Section(
    "Field Selectors",
    "Supported fields",
    f"{_DOCS}/concepts/overview/working-with-objects/field-selectors/#supported-fields",
)
FINALIZERS = Section(
    "Finalizers",
    "How finalizers work",
    f"{_DOCS}/concepts/overview/working-with-objects/finalizers/#how-finalizers-work",
)
PATCHES = Section(
    "Update API Objects in Place Using kubectl patch",
    "Use a JSON merge patch to update a Deployment",
    f"{_DOCS}/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/"
    "#use-a-json-merge-patch-to-update-a-deployment",
)
TERMINATION = Section(
    "Pod Lifecycle", "Termination of Pods", f"{_DOCS}/concepts/workloads/pods/pod-lifecycle/#pod-termination"
)
FORCED = Section(
    "Pod Lifecycle",
    "Forced Pod termination",
    f"{_DOCS}/concepts/workloads/pods/pod-lifecycle/#pod-termination-forced",
)
EVICTION = Section(
    "API-initiated Eviction",
    "How API-initiated eviction works",
    f"{_DOCS}/concepts/scheduling-eviction/api-eviction/#how-api-initiated-eviction-works",
)
BUDGETS = Section(
    "Disruptions",
    "Pod disruption budgets",
    f"{_DOCS}/concepts/workloads/pods/disruptions/#pod-disruption-budgets",
)
LEASES = Section("Leases", "Leader election", f"{_DOCS}/concepts/architecture/leases/#leader-election")
HEARTBEATS = Section("Nodes", "Node heartbeats", f"{_DOCS}/concepts/architecture/nodes/#node-heartbeats")
TAINTS = Section(
    "Taints and Tolerations",
    "Taint based Evictions",
    f"{_DOCS}/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions",
)
PLACEMENT = Section(
    "Assigning Pods to Nodes",
    "nodeSelector",
    f"{_DOCS}/concepts/scheduling-eviction/assign-pod-node/#nodeselector",
)
DEPLOYMENTS = Section(
    "Deployments",
    "Updating a Deployment",
    f"{_DOCS}/concepts/workloads/controllers/deployment/#updating-a-deployment",
)
STATEFUL_SETS = Section(
    "StatefulSets",
    "Deployment and Scaling Guarantees",
    f"{_DOCS}/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
)
DAEMON_SETS = Section(
    "DaemonSet",
    "How Daemon Pods are scheduled",
    f"{_DOCS}/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled",
)
ENDPOINT_SLICES = Section(
    "EndpointSlices", "Conditions", f"{_DOCS}/concepts/services-networking/endpoint-slices/#conditions"
)

STATUS_SUBRESOURCE = _definitions("Status subresource", "status-subresource")
SCHEMAS = _definitions("Specifying a structural schema", "specifying-a-structural-schema")
PRUNING = _definitions("Field pruning", "field-pruning")
CUSTOM_VALIDATION = _definitions("Validation", "validation")
CUSTOM_COLUMNS = _definitions("Additional printer columns", "additional-printer-columns")
CUSTOM_DELETION = _definitions("Delete a CustomResourceDefinition", "delete-a-customresourcedefinition")
DISCOVERY = Section(
    "The Kubernetes API", "Discovery API", f"{_DOCS}/concepts/overview/kubernetes-api/#discovery-api"
)

RBAC = Section(
    "Using RBAC Authorization", "API objects", f"{_DOCS}/reference/access-authn-authz/rbac/#api-overview"
)
RBAC_NAMES = Section(
    "Using RBAC Authorization",
    "Referring to resources",
    f"{_DOCS}/reference/access-authn-authz/rbac/#referring-to-resources",
)
AUTHORIZATION = Section(
    "Authorization",
    "Request attributes",
    f"{_DOCS}/reference/access-authn-authz/authorization/#review-your-request-attributes",
)
ANONYMOUS = Section(
    "Authenticating",
    "Anonymous requests",
    f"{_DOCS}/reference/access-authn-authz/authentication/#anonymous-requests",
)
IMPERSONATION = Section(
    "Authenticating",
    "User impersonation",
    f"{_DOCS}/reference/access-authn-authz/authentication/#user-impersonation",
)
TOKENS = Section(
    "Managing Service Accounts",
    "Bound service account tokens",
    f"{_DOCS}/reference/access-authn-authz/service-accounts-admin/#bound-service-account-token-volume",
)

KUBECTL = Section("Command line tool (kubectl)", "Operations", f"{_DOCS}/reference/kubectl/#operations")
JSONPATH = Section("Command line tool (kubectl)", "JSONPath Support", f"{_DOCS}/reference/kubectl/jsonpath/")
DRAIN = Section(
    "Safely Drain a Node",
    "Use kubectl drain to remove a node from service",
    f"{_DOCS}/tasks/administer-cluster/safely-drain-node/#use-kubectl-drain-to-remove-a-node-from-service",
)
LOGS = Section(
    "Logging Architecture",
    "Pod and container logs",
    f"{_DOCS}/concepts/cluster-administration/logging/#basic-logging-in-kubernetes",
)
EXEC = Section(
    "Get a Shell to a Running Container",
    "Running individual commands in a container",
    f"{_DOCS}/tasks/debug/debug-application/get-shell-running-container/#running-individual-commands-in-a-container",
)


def cites(*sections: Section) -> pytest.MarkDecorator:
    """Mark what encodes these sections."""
    return pytest.mark.cites(*sections)
