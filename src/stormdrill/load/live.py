"""One second of load as the generator reports it: the guard's input, and a line of `generator.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class OperationSecond:
    """One operation's share: due, ended well, ended otherwise, not sent because an earlier step failed."""

    offered: int = 0
    good: int = 0
    bad: int = 0
    blocked: int = 0


@dataclass(frozen=True)
class LoadSecond:
    """What happened in the `span_ms` before `t_ns` (CLOCK_MONOTONIC): 1,000 ms unless it was held up.

    `offered` counts logical requests by due time; `good`, `shed`, `failed`, `unknown`, `blocked`, `dropped`
    count them when they end; `retried` counts attempts after the first. `p50_ms` and `p99_ms` are response
    times of answered requests from the due time. `lateness_p99_ms` is how late the generator itself was (a
    step held up by the previous answer of its phone is not the generator's fault); `loop_stall_ms` is the
    longest time in which its loop did not turn.
    """

    t_ns: int
    offered: int
    good: int
    shed: int
    failed: int
    unknown: int
    blocked: int
    dropped: int
    inflight: int
    p50_ms: float
    p99_ms: float
    lateness_p99_ms: float
    loop_stall_ms: float
    retried: int = 0
    span_ms: float = 1000.0
    by_operation: Mapping[str, OperationSecond] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as on the wire and in the file."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> LoadSecond:
        """Read `to_json` back; TypeError on other keys."""
        operations = {name: OperationSecond(**counts) for name, counts in raw["by_operation"].items()}
        return cls(**{**raw, "by_operation": operations})

    def line(self) -> str:
        """One JSON line."""
        return json.dumps(self.to_json(), separators=(",", ":"))
