"""The outbox: what a ledger has to do elsewhere after a movement is booked."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric

_WHAT: Final = ("kind", "cell")

DEPTH: Final = GaugeMetric("bank_outbox_depth", "Rows that are not settled.", _WHAT)
OLDEST: Final = GaugeMetric("bank_outbox_oldest_seconds", "Age of the oldest of them.", _WHAT)
ATTEMPTS: Final = CounterMetric("bank_outbox_attempts_total", "Rows taken to be carried out.", _WHAT)
ENDED: Final = CounterMetric(
    "bank_outbox_ended_total", "How attempts ended: the outcome, or `later`.", ("kind", "outcome", "cell")
)

METRICS: Final = (DEPTH, OLDEST, ATTEMPTS, ENDED)
LABELS: Final = {"kind": "what a row of the outbox is for: `transfer` to another cell, `clearing`, ..."}
