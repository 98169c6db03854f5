"""How the control loops of a lab are set, in the words of Kubernetes' own KubeControllerManagerConfiguration."""

from __future__ import annotations

from dataclasses import dataclass

from stormlab import durations
from stormlab.yamltree import Tree

SHORTEST_GRACE_S, LONGEST_GRACE_S = 4.0, 3600.0
DEFAULT_GRACE_S = 40.0
_LONGEST_RENEWAL_S = 10.0


@dataclass(frozen=True)
class ControllerSettings:
    """The same for every region of the lab."""

    node_monitor_grace_period_s: float = DEFAULT_GRACE_S
    """A node that is silent for so long is not ready, and its pods leave their services."""

    @property
    def lease_renewal_s(self) -> float:
        """How often a node has to say that it lives: four times within the grace period, as kubelets do."""
        return min(_LONGEST_RENEWAL_S, self.node_monitor_grace_period_s / 4)


def read(tree: Tree) -> ControllerSettings:
    """Read `lab.controllers`; what it does not say is as Kubernetes has it. Problems go to the tree."""
    period = tree.fields(("node_monitor_grace_period",))["node_monitor_grace_period"]
    if not period.present:
        return ControllerSettings()
    value_s = durations.parse_s(period.text(), SHORTEST_GRACE_S, LONGEST_GRACE_S)
    if value_s is None:
        period.problem("must be a duration from 4s to 60m, such as 40s")
        return ControllerSettings()
    return ControllerSettings(value_s)
