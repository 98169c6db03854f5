"""Dependencies: what one process asks of another, and the guards around it."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric

_WHO: Final = ("dependency",)

CALLS: Final = CounterMetric(
    "bank_dependency_calls_total",
    "Calls that a process makes, each once however often it was tried; of `bulkhead`, `breaker` and `shed` none was "
    "made.",
    ("dependency", "cell", "outcome"),
)
RETRIES: Final = CounterMetric(
    "bank_retries_total", "Retries made (`spent`), and refused for want of budget.", ("dependency", "outcome")
)
BREAKER: Final = GaugeMetric("bank_breaker_state", "Circuit breaker: 0 closed, 1 half open, 2 open.", _WHO)
INFLIGHT: Final = GaugeMetric("bank_dependency_inflight", "Calls in flight.", _WHO)
HIGHWATER: Final = GaugeMetric(
    "bank_dependency_highwater", "Most calls in flight at one of the last 5 s.", _WHO
)
LIMIT: Final = GaugeMetric(
    "bank_dependency_limit", "Most calls in flight that the bulkhead allows; no series without one.", _WHO
)

METRICS: Final = (CALLS, RETRIES, BREAKER, INFLIGHT, HIGHWATER, LIMIT)
LABELS: Final = {
    "dependency": "who is asked, by whatever process it is: a service, a firm outside, or the ledgers of a cell "
    "(`ledger-cell0`); `all` where no bulkhead keeps them apart"
}
