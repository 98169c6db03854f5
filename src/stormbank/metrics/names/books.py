"""The books: epochs, and what a ledger writes."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric

PROMOTION: Final = GaugeMetric(
    "bank_cell_promotion",
    "Promotion number of the cell's epoch as this process last heard of it; no series before.",
    ("cell",),
)
VERSION: Final = GaugeMetric(
    "bank_cell_version",
    "Version of the cell's map in its epoch as this process last heard of it; no series before.",
    ("cell",),
)
MOVEMENTS: Final = CounterMetric(
    "bank_movements_total", "Movements acknowledged.", ("operation", "repeated", "cell")
)
WRITES: Final = CounterMetric(
    "bank_ledger_writes_total",
    "Writes that a ledger took up, by their end.",
    ("operation", "cell", "outcome"),
)
STALE: Final = CounterMetric("bank_stale_epoch_total", "Requests refused for their epoch.", ("cell",))
STALE_READS: Final = CounterMetric(
    "bank_stale_reads_total", "Answers from a standby, marked as such.", ("operation", "cell")
)
AVAILABLE: Final = GaugeMetric("bank_database_available", "1 while a primary is known.")

METRICS: Final = (PROMOTION, VERSION, MOVEMENTS, WRITES, STALE, STALE_READS, AVAILABLE)
LABELS: Final = {"repeated": "`true` for a movement that stood in the books already, under the same key"}
