"""Firms outside: what an external party of the bank answers, told by the party itself."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric

ANSWERED: Final = CounterMetric(
    "bank_party_requests_total",
    "Requests that the party answered, told on its own port only: the lab's Prometheus asks no other firm. Of `cut` "
    "none came back.",
    ("party", "outcome"),
)

METRICS: Final = (ANSWERED,)
LABELS: Final = {"party": "the firm: `sms`, `face`, `clearing`"}
