"""Which words and amounts a field of a spec may hold: anything else is refused, for no controller would know it."""

from __future__ import annotations

import re
from typing import Any

from stormlab.api.status import Cause, invalid_value, unsupported

_TRAFFIC = ("Cluster", "Local")
_UPDATES = ("OnDelete", "RollingUpdate")
_SELECTING = ("DoesNotExist", "Exists", "In", "NotIn")
_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Container", "imagePullPolicy"): ("Always", "IfNotPresent", "Never"),
    ("ContainerPort", "protocol"): ("SCTP", "TCP", "UDP"),
    ("HTTPGetAction", "scheme"): ("HTTP", "HTTPS"),
    ("Toleration", "operator"): ("Equal", "Exists"),
    ("Toleration", "effect"): ("NoExecute", "NoSchedule", "PreferNoSchedule"),
    ("NodeSelectorRequirement", "operator"): ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"),
    ("LabelSelectorRequirement", "operator"): _SELECTING,
    ("TopologySpreadConstraint", "whenUnsatisfiable"): ("DoNotSchedule", "ScheduleAnyway"),
    ("DeploymentStrategy", "type"): ("Recreate", "RollingUpdate"),
    ("StatefulSetUpdateStrategy", "type"): _UPDATES,
    ("DaemonSetUpdateStrategy", "type"): _UPDATES,
    ("StatefulSetSpec", "podManagementPolicy"): ("OrderedReady", "Parallel"),
    ("PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy"): ("AlwaysAllow", "IfHealthyBudget"),
    ("ServiceSpec", "externalTrafficPolicy"): _TRAFFIC,
    ("ServiceSpec", "internalTrafficPolicy"): _TRAFFIC,
}
_SHARES = {
    ("RollingUpdateDeployment", "maxSurge"),
    ("RollingUpdateDeployment", "maxUnavailable"),
    ("RollingUpdateDaemonSet", "maxUnavailable"),
    ("PodDisruptionBudgetSpec", "minAvailable"),
    ("PodDisruptionBudgetSpec", "maxUnavailable"),
}
_PERCENT = re.compile("[0-9]+%")
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def wrong(struct: str, key: str, value: Any, path: str) -> Cause | None:
    """Return what is wrong with the value of a field at `path`, if anything is."""
    allowed = _WORDS.get((struct, key))
    if allowed is not None and value not in allowed:
        return unsupported(path, value, allowed)
    if (struct, key) in _SHARES:
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            return invalid_value(path, value, _PERCENT_RULE)
        if isinstance(value, int) and value < 0:
            return invalid_value(path, value, "must be greater than or equal to 0")
        if not isinstance(value, str | int):
            return invalid_value(path, value, "must be an integer or percentage (e.g '5%%')")
    return None
