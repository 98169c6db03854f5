"""Kubernetes as the harness uses it: plain dicts over HTTP, a timeout on every call, one client per region.

`config` reads kubeconfig, `cluster` does the verbs, `pods`, `run` (exec) and `hold` (exec that stays) know
pods, `lease` is the drill lock, `faults` the leased faults. Only this package imports `kubernetes`; the typed
API classes are not used (they cost seconds and 140 MB).
"""

from __future__ import annotations

from stormdrill.kube.answers import ApiError
from stormdrill.kube.cluster import Cluster
from stormdrill.kube.config import Access, contexts, read_access
from stormdrill.kube.faults import FaultObject, FaultObjects
from stormdrill.kube.hold import HeldExec
from stormdrill.kube.lease import Lease, LeaseHeldError
from stormdrill.kube.pods import ContainerRef, PodRef
from stormdrill.kube.run import ExecResult

__all__ = [
    "Access",
    "ApiError",
    "Cluster",
    "ContainerRef",
    "ExecResult",
    "FaultObject",
    "FaultObjects",
    "HeldExec",
    "Lease",
    "LeaseHeldError",
    "PodRef",
    "contexts",
    "read_access",
]
