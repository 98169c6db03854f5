"""What the estate's own monitoring notices: its Prometheus' alerts, once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stormdrill.drill.sayings import alerts_are
from stormdrill.prometheus import Prometheus

Labels = tuple[tuple[str, str], ...]
_NAME = "alertname"


class AlertSampler:
    """`alert.fired` and `alert.resolved {alert, labels}` when an alert goes on or off.

    What is on at the first look is told as fired then, which is before t0. `alert.rules {rules, broken}` says, at the
    first look and whenever it changes, how many rules are evaluated at all and which of them cannot be: silence of
    a server without rules is no good news. Times are those of the look: an alert is seen late, never early.
    `say` is told what went on or off at one look in one line a name: a lost region is dozens of alerts.
    """

    def __init__(
        self, prometheus: Prometheus, record: Callable[..., Any], say: Callable[[str], None]
    ) -> None:
        self._prometheus = prometheus
        self._record = record
        self._say = say
        self._rules: tuple[int, tuple[str, ...]] | None = None
        self._on: frozenset[Labels] = frozenset()

    def sample(self) -> None:
        """Look once. TargetError when Prometheus does not answer: that is not knowing, and nothing is resolved."""
        at_ns = time.monotonic_ns()
        now = self._prometheus.alerts()
        if self._rules != (now.rules, now.broken):
            self._rules = (now.rules, now.broken)
            self._record("alert.rules", "prometheus", mono_ns=at_ns, rules=now.rules, broken=list(now.broken))
        on = frozenset(tuple(sorted(labels.items())) for labels in now.firing)
        for kind, state, changed in (
            ("alert.fired", "on", on - self._on),
            ("alert.resolved", "off", self._on - on),
        ):
            together: dict[str, list[dict[str, str]]] = {}
            for labels in sorted(changed):
                said = dict(labels)
                name = said.pop(_NAME, "")
                together.setdefault(name, []).append(said)
                self._record(kind, "prometheus", mono_ns=at_ns, alert=name, labels=said)
            for name, each in together.items():
                self._say(alerts_are(state, name, each))
        self._on = on
