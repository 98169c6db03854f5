"""Whether a node has left what a pod requests: processor, memory, places for pods, and what else nodes report."""

from __future__ import annotations

from stormlab.api.jsontree import at
from stormlab.api.record import Record
from stormlab.controllers.placed import Placed, requests
from stormlab.quantity import quantity

# Sums of many small floats: less than a thousandth of a core, or a byte, is no shortage.
_SLACK = 1e-6


def lacking(pod: Record, node: Record, placed: Placed) -> str:
    """Return what the node lacks, in the scheduler's words; empty when it has enough, or does not say."""
    offered = at(node.tree, "status", "allocatable", default={})
    if not offered:
        return ""
    if "pods" in offered and len(placed.on(node.name)) >= quantity(offered["pods"]):
        return "Too many pods"
    taken = placed.requested(node.name)
    for name, amount in sorted(requests(pod).items()):
        left = quantity(offered.get(name, "0")) - taken.get(name, 0.0)
        if amount > left + _SLACK:
            return f"Insufficient {name}"
    return ""
