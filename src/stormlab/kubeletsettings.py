"""How the kubelets of a lab are set, in the words of Kubernetes' own KubeletConfiguration."""

from __future__ import annotations

from dataclasses import dataclass

from stormlab import durations
from stormlab.yamltree import Tree

SHORTEST_PERIOD_S, LONGEST_PERIOD_S = 1.0, 300.0
"""What `crashLoopBackOff.maxContainerRestartPeriod` may be; the longest is also what it is unless set."""


@dataclass(frozen=True)
class KubeletSettings:
    """The same for every node of the lab."""

    max_container_restart_period_s: float = LONGEST_PERIOD_S
    """No container that keeps ending waits longer than this before it is started again."""


def read(tree: Tree) -> KubeletSettings:
    """Read `lab.kubelet`; what it does not say is as Kubernetes has it. Problems go to the tree."""
    period = tree.fields(("max_container_restart_period",))["max_container_restart_period"]
    if not period.present:
        return KubeletSettings()
    value_s = durations.parse_s(period.text(), SHORTEST_PERIOD_S, LONGEST_PERIOD_S)
    if value_s is None:
        period.problem("must be a duration from 1s to 300s, such as 5s")
        return KubeletSettings()
    return KubeletSettings(value_s)
