"""The actions and probes an experiment may call, with their arguments: what `chaos/` implements, as data.

The plan is checked against these tables, so that a typo is found before anything is injected. To add an
action, add its line here and the function of the same name to `stormdrill.chaos.actions` (probes likewise).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ACTIONS_MODULE = "stormdrill.chaos.actions"
PROBES_MODULE = "stormdrill.chaos.probes"
CONTROLS_MODULE = "stormdrill.chaos.controls"
WAIT = "wait"
HEAL = "heal"
HARMLESS = (WAIT, HEAL)
"""Actions that hurt nothing."""
FAIL_OVER = "fail_over"
FAIL_BACK = "fail_back"
MOVES = (FAIL_OVER, FAIL_BACK)
"""Actions that are no faults: they move a cell's database from one site to the other."""
RETURN = "return"
FENCED = "fenced"
SKIPPED = "skipped"
"""In place of a fence: none, on purpose; only with ACCEPTED."""
ACCEPTED = "i_accept_dual_writes"
"""The word without which a fence is not skipped."""
EACH = "each"
"""In place of a zone's name: every zone in which the service has pods, with as many in each."""
PRIMARY = "primary"
"""In place of a zone's name: the zone in which the primary of a cell's database runs when the fault is applied."""


class Kind(StrEnum):
    """What an argument names or measures."""

    SERVICE = "service"
    ZONE = "zone"
    ZONES = "zones"  # a zone, or `each` for every zone in which the service has pods
    REGION = "region"
    CELL = "cell"
    OPERATION = "operation"
    COUNT = "count"  # a whole number from 1
    RATIO = "ratio"  # 50%, 0.5
    DURATION = "duration"  # 20s
    TEXT = "text"
    FLAG = "flag"
    PLACE = "place"  # a zone, or `primary` for the one in which a cell's database primary runs
    LEASE = "lease"  # 1s to 5m: how long a fault outlives whoever renews it
    FAR_SIDE = "far side"  # a zone, a region, or `anything`
    DIRECTION = "direction"  # both, in or out
    RETURN = "return"  # fenced: the site comes back closed for writers, until a director opens it
    FENCE = "fence"  # skipped: none, on purpose
    FAULT = "fault"  # an application before, by its name: partition_zone-1


@dataclass(frozen=True)
class Argument:
    """One argument: its kind and whether it must be given."""

    kind: Kind
    required: bool = False


@dataclass(frozen=True)
class Signature:
    """An activity's arguments. At most one of each group in `exclusive` may be given.

    `hurts_database`: it needs a database to act on, that of `cell` or of the first cell.
    `needs_canaries`: only canaries can prove it.
    """

    arguments: Mapping[str, Argument]
    exclusive: tuple[tuple[str, ...], ...] = ()
    hurts_database: bool = False
    needs_canaries: bool = False


_SERVICE = Argument(Kind.SERVICE, required=True)
_ZONE = Argument(Kind.ZONE)
_CELL = Argument(Kind.CELL)  # left out: the first cell that has a database; of moves: every cell concerned
_HELD = {"lease": Argument(Kind.LEASE), "duration": Argument(Kind.DURATION)}

ACTIONS: Mapping[str, Signature] = {
    "kill_pods": Signature(
        {
            "service": _SERVICE,
            "zone": Argument(Kind.ZONES),
            "count": Argument(Kind.COUNT),
            "share": Argument(Kind.RATIO),
        },
        exclusive=(("count", "share"),),
    ),
    "crash_primary": Signature({"cell": _CELL}, hurts_database=True),
    "kill_primary": Signature({"cell": _CELL}, hurts_database=True),
    "partition_zone": Signature(
        {
            "zone": Argument(Kind.PLACE, required=True),
            "cell": _CELL,
            "cut_from": Argument(Kind.FAR_SIDE),
            "direction": Argument(Kind.DIRECTION),
            **_HELD,
        },
        needs_canaries=True,
    ),
    "lose_zone": Signature(
        {"zone": Argument(Kind.PLACE, required=True), "cell": _CELL, **_HELD}, needs_canaries=True
    ),
    "lose_region": Signature(
        {"region": Argument(Kind.REGION, required=True), RETURN: Argument(Kind.RETURN), **_HELD},
        needs_canaries=True,
    ),
    FAIL_OVER: Signature(
        {
            "cell": _CELL,
            "why": Argument(Kind.TEXT, required=True),
            "after": Argument(Kind.DURATION),
            "fence": Argument(Kind.FENCE),
            ACCEPTED: Argument(Kind.FLAG),
        }
    ),
    FAIL_BACK: Signature({"cell": _CELL, "why": Argument(Kind.TEXT, required=True)}),
    HEAL: Signature({"fault": Argument(Kind.FAULT)}),
    WAIT: Signature({"duration": Argument(Kind.DURATION, required=True)}),
}

PROBES: Mapping[str, Signature] = {
    "load_healthy": Signature({"success_ratio": Argument(Kind.RATIO), "within": Argument(Kind.DURATION)}),
    "pods_ready": Signature({"service": _SERVICE, "zone": _ZONE, "count": Argument(Kind.COUNT)}),
    "replication_in_sync": Signature({"cell": _CELL}),
    "prometheus_fresh": Signature({}),
}
