"""Worker slots: the declared capacity of a process, and how busy it is."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import GaugeMetric, HistogramMetric

WAIT: Final = HistogramMetric(
    "bank_slot_wait_seconds",
    "Time a request waited for a worker slot.",
    buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0),
)
SLOTS: Final = GaugeMetric("bank_slots", "Worker slots.")
BUSY: Final = GaugeMetric("bank_slots_busy", "Worker slots in use.")

METRICS: Final = (WAIT, SLOTS, BUSY)
LABELS: Final[dict[str, str]] = {}
