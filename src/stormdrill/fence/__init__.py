"""Fences: a site stays closed (databases, edges) until somebody opens it, whatever becomes of the fault or of us.

A fence is state of the estate, apart from any fault: a ConfigMap in the site's own region (`record`), StatefulSets
scaled to 0 and edges in maintenance (`site`, `edges`). `obtained` says how much it is worth, from what was observed.
"""

from __future__ import annotations

from stormdrill.fence.fenced import FencedSite
from stormdrill.fence.obtained import How, Observed, obtained
from stormdrill.fence.record import FenceRecord, State, read
from stormdrill.fence.site import Fencing

__all__ = ["FenceRecord", "FencedSite", "Fencing", "How", "Observed", "State", "obtained", "read"]
