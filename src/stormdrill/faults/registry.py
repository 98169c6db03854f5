"""The faults by the name an action gives them. To add one: its file, a line here, a line in `activities`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stormdrill.errors import ActionError
from stormdrill.faults import Fault
from stormdrill.faults.pod_kill import PodKill
from stormdrill.faults.primary_crash import PrimaryCrash
from stormdrill.faults.primary_kill import PrimaryKill
from stormdrill.units import parse_ratio


def _kill_pods(service: str, zone: str = "", count: int = 1, share: str | float = "") -> Fault:
    return PodKill(service, zone, count, parse_ratio(share) if share != "" else None)


FAULTS: Mapping[str, Callable[..., Fault]] = {
    "kill_pods": _kill_pods,
    "kill_primary": PrimaryKill,
    "crash_primary": PrimaryCrash,
}


def fault_of(name: str, arguments: Mapping[str, Any]) -> Fault:
    """The fault an action asks for. ActionError when there is none, or its arguments do not fit."""
    make = FAULTS.get(name)
    if make is None:
        raise ActionError(f"no fault {name!r}; known: {', '.join(FAULTS)}")
    try:
        return make(**arguments)
    except (TypeError, ValueError) as error:
        raise ActionError(f"{name}: {error}") from None
