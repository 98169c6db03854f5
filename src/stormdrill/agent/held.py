"""One fault that this node is under: how far it is, and what there is to show for it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stormdrill.agent import netfilter, rules
from stormdrill.agent.records import Record
from stormdrill.agent.site_loss import Killer
from stormdrill.errors import ActionError
from stormdrill.faultspec import NodeState, NodeStatus


@dataclass
class Held:
    """`reason` is empty until it ends; then it stays what it was first. Times ending in `_s` are monotonic."""

    record: Record
    state: NodeState = NodeState.APPLYING
    rules: int = 0
    took_ms: float = 0.0
    killer: Killer | None = None
    reason: str = ""
    failure: str = ""
    bare: bool = False
    """Known to have made no rule: what cannot be taken away then is not there."""
    due_s: float = 0.0
    """When it is to be looked at again: a revert that failed, pods not yet known, evidence grown old."""
    asked_s: float = float("-inf")
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """Its table."""
        return rules.table_of(self.record.uid)

    @property
    def over(self) -> bool:
        """Whether all that is left to do is to take it away."""
        return bool(self.reason or self.failure)

    def applied(self) -> None:
        """All of it bites, now."""
        self.state = NodeState.APPLIED
        self.took_ms = (time.monotonic() - self.record.begun_s) * 1000

    def look(self) -> bool:
        """Read the counters; whether the evidence has changed. An absent table leaves it as it was."""
        before = dict(self.seen)
        with suppress(ActionError):
            self.seen |= netfilter.dropped(self.table)
        if self.killer is not None:
            self.seen |= self.killer.evidence()
        return self.seen != before

    def status(self, agent: str, why: str = "") -> NodeStatus:
        """What there is to say of it now."""
        over = self.state is NodeState.REVERTED
        return NodeStatus(
            NodeState.FAILED if over and self.failure else self.state, why or self.failure, self.reason,
            self.record.begun_utc, utc() if over else "", round(self.took_ms, 1), agent,
            {"rules": self.rules, **self.seen},
        )  # fmt: skip


def utc() -> str:
    """Now, for people (RFC 3339); nothing is judged by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
