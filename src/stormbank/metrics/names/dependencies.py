"""Dependencies: what one process asks of another."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, HistogramMetric

CALLS: Final = CounterMetric(
    "bank_dependency_calls_total",
    "Requests passed on, each once however often it was tried.",
    ("dependency", "cell", "outcome"),
)
SECONDS: Final = HistogramMetric(
    "bank_dependency_seconds",
    "Time until a request that was passed on was answered or given up, tries included.",
    ("dependency", "cell"),
    (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0),
)
RETRIES: Final = CounterMetric(
    "bank_retries_total", "Tries after the first one, when a connection broke.", ("dependency", "cell")
)

METRICS: Final = (CALLS, SECONDS, RETRIES)
LABELS: Final = {
    "dependency": "who was asked: the name of a service or of an external party; the cell says which ledger, "
    "`none` for who serves every cell"
}
