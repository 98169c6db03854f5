"""Every controller of a region, in one list."""

from __future__ import annotations

from stormlab.api.objects import Objects
from stormlab.controllers.budgets import Budgets
from stormlab.controllers.claims import Claims
from stormlab.controllers.daemonset import DaemonSets
from stormlab.controllers.definitions import Definitions
from stormlab.controllers.deployment import Deployments
from stormlab.controllers.endpoints import EndpointsController
from stormlab.controllers.eventage import EventAge
from stormlab.controllers.garbage import Garbage
from stormlab.controllers.loop import Controller
from stormlab.controllers.namespaces import Namespaces
from stormlab.controllers.nodes import NodeLife
from stormlab.controllers.replicaset import ReplicaSets
from stormlab.controllers.scheduler import Scheduler
from stormlab.controllers.statefulset import StatefulSets
from stormlab.controllers.taints import TaintEviction
from stormlab.controllersettings import DEFAULT_GRACE_S


def controllers(objects: Objects, *, node_grace_s: float = DEFAULT_GRACE_S) -> list[Controller]:
    """Return all controllers; `node_grace_s` is how long a node may be silent."""
    return [
        EndpointsController(objects),
        ReplicaSets(objects),
        Scheduler(objects),
        Deployments(objects),
        StatefulSets(objects),
        DaemonSets(objects),
        Garbage(objects),
        Namespaces(objects),
        Definitions(objects),
        Claims(objects),
        NodeLife(objects, grace_s=node_grace_s),
        TaintEviction(objects),
        Budgets(objects),
        EventAge(objects),
    ]
