"""The end that the kernel gives a fault by itself: every rule that drops also asks a set whose elements run out.

The agent takes a fault away when its lease or deadline is over. Should nobody be there to do it - the agent killed and
not started again, or stopped - the set is empty `GRACE_S` later and the table cuts nothing any more.
"""

from __future__ import annotations

MATCH = "meta nfproto @armed"
"""What a rule must match to drop: as true as the other half of a rule, until it has run out."""
GRACE_S = 1.0
"""Longer than an agent needs to take a fault away: as long as one lives, it is the one that ends it, and says so."""
_FAMILIES = ("ipv4", "ipv6")
_LEAST_MS = 100
"""The kernel counts in ticks of up to 10 ms and takes a time of none for one without an end."""


def declaration(left_s: float) -> str:
    """The set, for a fault that ends in `left_s` seconds."""
    return f"set armed {{ type nf_proto; flags timeout; elements = {_elements(left_s)}; }}"


def renewal(table: str, left_s: float) -> str:
    """Script that makes it `left_s` seconds from now, whatever was left.

    One transaction: packets see the elements of before or those of after, never none. Refused as a whole when they
    have run out: packets have passed by then, and the fault is over rather than cut anew.
    """
    return (
        f"delete element inet {table} armed {{ {', '.join(_FAMILIES)} }}\n"
        f"add element inet {table} armed {_elements(left_s)}\n"
    )


def _elements(left_s: float) -> str:
    span_ms = max(_LEAST_MS, round((left_s + GRACE_S) * 1000))
    return "{ " + ", ".join(f"{family} timeout {span_ms}ms" for family in _FAMILIES) + " }"
