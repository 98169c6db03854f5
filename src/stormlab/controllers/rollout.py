"""How many replicas each ReplicaSet of a Deployment gets while a new template rolls out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet in numbers: wanted and available replicas, pods that still exist."""

    wanted: int
    available: int
    existing: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a rollout may stray from the wanted number."""

    surge: int
    unavailable: int


def limits(strategy: dict[str, Any], replicas: int) -> Limits:
    """Resolve maxSurge (rounded up) and maxUnavailable (down); both zero would never move."""
    if strategy.get("type") == "Recreate":
        return Limits(0, replicas)
    rolling = strategy.get("rollingUpdate") or {}
    surge = _resolve(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = _resolve(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    return Limits(surge, unavailable if surge or unavailable else 1)


def _resolve(value: Any, replicas: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        share = replicas * int(value[:-1]) / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value)


def recreate(replicas: int, old: list[Size]) -> tuple[int, list[int]]:
    """Return the new set's replicas and the old sets': all old pods go before a new one comes."""
    gone = all(size.existing == 0 for size in old)
    return (replicas if gone else 0), [0] * len(old)


def rolling(replicas: int, allowed: Limits, new: Size, old: list[Size]) -> tuple[int, list[int]]:
    """Return the new set's replicas and the old sets', oldest first, for one step of a rollout."""
    total = new.wanted + sum(size.wanted for size in old)
    room = replicas + allowed.surge - total
    target = min(new.wanted, replicas)
    if room > 0 and new.wanted < replicas:
        target = min(replicas, new.wanted + room)
    if not any(size.wanted for size in old):
        return replicas, [0] * len(old)
    return target, _shrink_old(replicas, allowed, new, old)


def _shrink_old(replicas: int, allowed: Limits, new: Size, old: list[Size]) -> list[int]:
    least = replicas - allowed.unavailable
    wanted = [size.wanted for size in old]
    spare = new.wanted + sum(wanted) - least - max(new.wanted - new.available, 0)
    # First those that serve nobody, then healthy ones as far as enough stay available.
    for index, size in enumerate(old):
        if spare <= 0:
            break
        step = min(spare, max(size.wanted - size.available, 0))
        wanted[index] -= step
        spare -= step
    available = new.available + sum(min(size.available, wanted[i]) for i, size in enumerate(old))
    surplus = min(available - least, max(spare, 0))
    for index in range(len(old)):
        step = min(max(surplus, 0), wanted[index])
        wanted[index] -= step
        surplus -= step
    return wanted
