"""How a fence was obtained: what was observed of the closed site, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class How(StrEnum):
    """From best to worst. A declared fence is a person's word: whether both sites wrote is then not known."""

    PROVEN = "proven"
    QUORUM_LOSS = "by quorum loss"
    EDGE = "by edge"
    DECLARED = "declared"


@dataclass(frozen=True)
class Observed:
    """What was seen of a site that shall take no writes.

    `closed`: every StatefulSet stands at 0 in the site's API. `alive`: database pods that may still run (not gone
    from the API, and no agent says that it killed them). `writers`: members that say they take writes.
    `store_lost_s`: since when the site's Patroni has no quorum in its store, in seconds, `ttl_s` after which a leader
    gives up by itself; None when it has one or nobody knows. `edges`: whether every edge of the site is shut, and
    there is at least one. `trouble`: what could not be asked.
    """

    closed: bool
    alive: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    store_lost_s: float | None = None
    ttl_s: float = 20.0
    edges: bool = False
    trouble: str = ""


def obtained(seen: Observed) -> tuple[How | None, str]:
    """How the fence holds, and why so; None when it does not."""
    if seen.writers:
        return None, f"{', '.join(seen.writers)} still says that it takes writes"
    if seen.closed and not seen.alive:
        return How.PROVEN, "every database of the site is at 0 replicas and none of its pods can run"
    if seen.store_lost_s is not None and seen.store_lost_s > seen.ttl_s:
        return How.QUORUM_LOSS, (
            f"the site's store has had no quorum for {seen.store_lost_s:.0f} s, longer than the leader's "
            f"{seen.ttl_s:g} s"
        )
    if seen.edges:
        return How.EDGE, "every edge of the site lets nobody through"
    if seen.trouble or not seen.closed:
        return None, seen.trouble or "its databases are not at 0 replicas"
    return None, f"{', '.join(seen.alive)} may still run: not gone, and no agent says it is dead"
