"""Abort conditions: a limit that has been broken for its whole grace period ends the drill.

Client-side conditions read the load's live seconds, the others one PromQL sample a second. A second without a
value (nothing was due, Prometheus silent) neither starts nor ends a breach.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stormdrill.load.live import LoadSecond
from stormdrill.scenario import GuardRule
from stormdrill.units import NS_PER_S

CLIENT_METRICS: dict[str, Callable[[LoadSecond], float | None]] = {
    "good_ratio": lambda second: _share(second, second.good),
    "shed_ratio": lambda second: _share(second, second.shed),
    "failed_ratio": lambda second: _share(
        second, second.failed + second.unknown + second.blocked + second.dropped
    ),
    "good_per_s": lambda second: float(second.good),
    "p99_ms": lambda second: second.p99_ms,
    "inflight": lambda second: float(second.inflight),
    "lateness_p99_ms": lambda second: second.lateness_p99_ms,
}


def _share(second: LoadSecond, count: int) -> float | None:
    return count / second.offered if second.offered else None


@dataclass
class Watch:
    """One condition and since when it has been broken (monotonic nanoseconds; None while it holds)."""

    rule: GuardRule
    broken_since_ns: int | None = None

    def observe(self, at_ns: int, value: float | None) -> str | None:
        """Take one value; the reason to abort once the breach has lasted longer than the grace period."""
        if value is None or math.isnan(value):
            return None
        if self.rule.limit.holds(value):
            self.broken_since_ns = None
            return None
        if self.broken_since_ns is None:
            self.broken_since_ns = at_ns
        lasted_s = (at_ns - self.broken_since_ns) / NS_PER_S
        if lasted_s < self.rule.grace_s:
            return None
        what = self.rule.metric or self.rule.query
        return f"guard {self.rule.id}: {what} is {value:g}, must be {self.rule.limit}, for {lasted_s:.0f} s"


class Guard:
    """All abort conditions of a run. `abort` gets each reason and its rule; whoever it is keeps the first."""

    def __init__(self, rules: Iterable[GuardRule], abort: Callable[[str, GuardRule], None]) -> None:
        self._watches = [Watch(rule) for rule in rules]
        self._abort = abort
        self._lock = threading.Lock()

    @property
    def queries(self) -> list[GuardRule]:
        """The rules that need a sample from Prometheus, by `sample`."""
        return [watch.rule for watch in self._watches if watch.rule.query]

    def second(self, second: LoadSecond) -> None:
        """Take one live second of the load."""
        for watch in self._watches:
            if watch.rule.metric:
                self._observe(watch, second.t_ns, CLIENT_METRICS[watch.rule.metric](second))

    def sample(self, rule: GuardRule, at_ns: int, value: float | None) -> None:
        """Take one sample of a PromQL rule; None when there was none."""
        for watch in self._watches:
            if watch.rule is rule:
                self._observe(watch, at_ns, value)

    def _observe(self, watch: Watch, at_ns: int, value: float | None) -> None:
        with self._lock:
            reason = watch.observe(at_ns, value)
        if reason:
            self._abort(reason, watch.rule)
