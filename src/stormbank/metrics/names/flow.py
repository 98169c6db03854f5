"""Flow control: who was let in at the gateway, and who was given up."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric

OFFERED: Final = CounterMetric(
    "bank_offered_total", "Requests that asked to be let in: admitted and shed.", ("operation", "tier")
)
ADMITTED: Final = CounterMetric("bank_admitted_total", "Requests let in.", ("operation", "tier"))
SHED: Final = CounterMetric("bank_shed_total", "Requests given up.", ("operation", "tier", "reason"))
LIMIT: Final = GaugeMetric("bank_admission_limit", "Most requests in flight.")
THRESHOLD: Final = GaugeMetric(
    "bank_admission_threshold", "Requests in flight, of all tiers, from which a tier is shed.", ("tier",)
)
INFLIGHT: Final = GaugeMetric("bank_admission_inflight", "Admitted requests in flight.")
HIGHWATER: Final = GaugeMetric(
    "bank_admission_highwater", "Most requests in flight at an admission of the last 5 s."
)

METRICS: Final = (OFFERED, ADMITTED, SHED, LIMIT, THRESHOLD, INFLIGHT, HIGHWATER)
LABELS: Final = {"reason": "why it was shed: `overload`, `rate`"}
