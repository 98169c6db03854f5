"""Which rules belong to which kind."""

from __future__ import annotations

from stormlab.api import kinds
from stormlab.api.custom.definition import DefinitionRules
from stormlab.api.custom.kind import CustomKind
from stormlab.api.custom.rules import CustomRules
from stormlab.api.rules import Rules
from stormlab.api.rules.access import BindingRules, RoleRules
from stormlab.api.rules.claim import ClaimRules
from stormlab.api.rules.plain import (
    ConfigMapRules,
    DisruptionBudgetRules,
    EndpointSliceRules,
    LeaseRules,
    NamespaceRules,
    NodeRules,
    RevisionRules,
    SecretRules,
)
from stormlab.api.rules.pod import PodRules
from stormlab.api.rules.service import ServiceRules
from stormlab.api.rules.workload import DaemonSetRules, DeploymentRules, ReplicaSetRules, StatefulSetRules

_PLAIN = Rules()
_RULES: dict[kinds.Kind, Rules] = {
    kinds.CLAIM: ClaimRules(),
    kinds.CLUSTER_ROLE: RoleRules(cluster=True),
    kinds.CLUSTER_ROLE_BINDING: BindingRules("ClusterRole"),
    kinds.CONFIG_MAP: ConfigMapRules(),
    kinds.DAEMON_SET: DaemonSetRules(),
    kinds.DEFINITION: DefinitionRules(),
    kinds.DEPLOYMENT: DeploymentRules(),
    kinds.DISRUPTION_BUDGET: DisruptionBudgetRules(),
    kinds.ENDPOINT_SLICE: EndpointSliceRules(),
    kinds.LEASE: LeaseRules(),
    kinds.NAMESPACE: NamespaceRules(),
    kinds.NODE: NodeRules(),
    kinds.POD: PodRules(),
    kinds.REPLICA_SET: ReplicaSetRules(),
    kinds.REVISION: RevisionRules(),
    kinds.ROLE: RoleRules(cluster=False),
    kinds.ROLE_BINDING: BindingRules("Role", "ClusterRole"),
    kinds.SECRET: SecretRules(),
    kinds.SERVICE: ServiceRules(),
    kinds.STATEFUL_SET: StatefulSetRules(),
}


def rules_of(kind: kinds.Kind) -> Rules:
    """Return the rules of a kind; kinds without any share the empty ones."""
    if isinstance(kind, CustomKind):
        return CustomRules(kind)
    return _RULES.get(kind, _PLAIN)
