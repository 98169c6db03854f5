"""What the name that phones resolve says: which edges serve, and for how long the answer may be kept.

The answer is JSON: {"ttl_s": 5, "edges": ["city1-a", ...], "all": [{"edge", "up", "drained"}, ...]}, with the
topology's names of the edges. `all` may be left out by what has no operator's interface.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Resolved:
    """One answer: the edges that serve, in order of preference, those an operator took out, those that are not well."""

    ttl_s: float
    edges: tuple[str, ...]
    drained: tuple[str, ...] = ()
    down: tuple[str, ...] = ()


def parse(body: bytes) -> Resolved:
    """Read an answer. ValueError saying what is wrong with it."""
    try:
        said = json.loads(body)
        edges = tuple(str(edge) for edge in said["edges"])
        drained = tuple(str(one["edge"]) for one in said.get("all") or () if one.get("drained"))
        down = tuple(str(one["edge"]) for one in said.get("all") or () if not one.get("up", True))
        ttl_s = float(said["ttl_s"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an answer of a name: {error!r}") from None
    if not edges or ttl_s <= 0:
        raise ValueError("an answer of a name needs at least one edge and a ttl_s above 0")
    return Resolved(ttl_s, edges, drained, down)
