"""The faults by the name an action gives them. To add one: its file, a line here, a line in `activities`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stormdrill.activities import RETURN
from stormdrill.errors import ActionError
from stormdrill.faults import Fault
from stormdrill.faults.partition import ANYTHING, DIRECTIONS, Partition
from stormdrill.faults.pod_kill import PodKill
from stormdrill.faults.primary_crash import PrimaryCrash
from stormdrill.faults.primary_kill import PrimaryKill
from stormdrill.faults.site_loss import RegionLoss, ZoneLoss
from stormdrill.units import parse_duration_s, parse_ratio


def _kill_pods(service: str, zone: str = "", count: int = 1, share: str | float = "") -> Fault:
    return PodKill(service, zone, count, parse_ratio(share) if share != "" else None)


def _partition_zone(
    zone: str, *, cell: str = "", cut_from: str = ANYTHING, direction: str = "both", lease: str = ""
) -> Fault:
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be {', '.join(DIRECTIONS)}: {direction!r}")
    return Partition(zone, cut_from, direction, _lease_s(lease), cell)


def _lose_zone(zone: str, cell: str = "", lease: str = "") -> Fault:
    return ZoneLoss(zone, _lease_s(lease), cell)


def _lose_region(region: str, lease: str = "") -> Fault:
    return RegionLoss(region, _lease_s(lease))


def _lease_s(text: str) -> float | None:
    return parse_duration_s(text) if text else None


FAULTS: Mapping[str, Callable[..., Fault]] = {
    "kill_pods": _kill_pods,
    "kill_primary": PrimaryKill,
    "crash_primary": PrimaryCrash,
    "partition_zone": _partition_zone,
    "lose_zone": _lose_zone,
    "lose_region": _lose_region,
}


def fault_of(name: str, arguments: Mapping[str, Any]) -> Fault:
    """The fault an action asks for. ActionError when there is none, or its arguments do not fit."""
    make = FAULTS.get(name)
    if make is None:
        raise ActionError(f"no fault {name!r}; known: {', '.join(FAULTS)}")
    # The action's own wait, and the fence, are no parts of the fault.
    held = {name: value for name, value in arguments.items() if name not in ("duration", RETURN)}
    try:
        return make(**held)
    except (TypeError, ValueError) as error:
        raise ActionError(f"{name}: {error}") from None
