"""Whether the live seconds of the load show that customers are served again.

This only decides when the drill stops waiting. The recovery time that is published comes from the request
records, after the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stormdrill.load.live import LoadSecond
from stormdrill.units import NS_PER_MS

HOLD_S = 3
_GOOD_SHARE = 0.85  # of the steady goodput, over HOLD_S seconds: three sigma of a Poisson stream of 150/s
_BAD_FLOOR = 0.01
_OPERATION_BAD = 0.2


@dataclass(frozen=True)
class Baseline:
    """What normal looked like: goodput and the share of requests that were hurt anyway."""

    good_per_s: float
    bad_ratio: float


def baseline(seconds: Sequence[LoadSecond]) -> Baseline:
    """The mean of the steady seconds; zeros when there was none."""
    if not seconds:
        return Baseline(0.0, 0.0)
    offered = sum(second.offered for second in seconds)
    return Baseline(
        sum(second.good for second in seconds) / len(seconds),
        sum(bad(second) for second in seconds) / offered if offered else 0.0,
    )


def bad(second: LoadSecond) -> int:
    """Requests that went wrong in this second.

    Not those blocked by an earlier step: a session that failed in the outage leaves blocked steps behind for
    as long as it would have lasted, and they say nothing about the bank now.
    """
    return second.failed + second.unknown + second.dropped


def recovered(seconds: Sequence[LoadSecond], since_ns: int, normal: Baseline) -> bool:
    """Whether the last HOLD_S whole seconds after `since_ns` are as good as normal, for every operation.

    Shedding is not an outage, but it lowers goodput, so it ends here too. Requests that hang are neither good
    nor bad yet: they show as missing goodput.
    """
    after = [second for second in seconds if second.t_ns - second.span_ms * NS_PER_MS >= since_ns][-HOLD_S:]
    if len(after) < HOLD_S:
        return False
    good = sum(second.good for second in after)
    blocked = sum(second.blocked for second in after)
    if good == 0 or good < _GOOD_SHARE * (normal.good_per_s * HOLD_S - blocked):
        return False
    allowed = max(_BAD_FLOOR, 2 * normal.bad_ratio)
    if sum(bad(second) for second in after) > allowed * sum(second.offered for second in after):
        return False
    return all(
        _served(after, operation) for operation in {op for second in after for op in second.by_operation}
    )


def _served(seconds: Sequence[LoadSecond], operation: str) -> bool:
    counts = [second.by_operation[operation] for second in seconds if operation in second.by_operation]
    offered = sum(count.offered for count in counts)
    return sum(count.bad for count in counts) <= _OPERATION_BAD * offered + 1
