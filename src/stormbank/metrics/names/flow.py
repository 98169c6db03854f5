"""Flow control: who was let in at the gateway, and who was given up."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric

_LABELS: Final = ("operation", "tier", "dependency")
_WHEN: Final = "at the tightest admission of the last 5 s."

OFFERED: Final = CounterMetric(
    "bank_offered_total", "Requests that asked to be let in: admitted and shed.", _LABELS
)
ADMITTED: Final = CounterMetric("bank_admitted_total", "Requests let in.", _LABELS)
SHED: Final = CounterMetric("bank_shed_total", "Requests given up.", (*_LABELS, "reason"))
INFLIGHT: Final = GaugeMetric("bank_admission_inflight", "Admitted requests in flight.")
HIGHWATER: Final = GaugeMetric("bank_admission_highwater", f"Requests in flight {_WHEN}")
LIMIT: Final = GaugeMetric("bank_admission_limit", f"The limit that applied {_WHEN}")
THRESHOLD: Final = GaugeMetric(
    "bank_admission_threshold",
    "Requests in flight to a dependency, of all operations, from which an operation is shed.",
    ("dependency", "operation", "tier"),
)
ROOM_LIMIT: Final = GaugeMetric(
    "bank_flow_limit", "Most requests in flight to a dependency now.", ("dependency",)
)
ROOM_INFLIGHT: Final = GaugeMetric(
    "bank_flow_inflight", "Admitted requests in flight to a dependency.", ("dependency",)
)
ROOM_QUEUE: Final = GaugeMetric(
    "bank_flow_queue_seconds", "How long a request let in now is likely to wait there.", ("dependency",)
)

METRICS: Final = (
    OFFERED, ADMITTED, SHED, INFLIGHT, HIGHWATER, LIMIT, THRESHOLD, ROOM_LIMIT, ROOM_INFLIGHT, ROOM_QUEUE,
)  # fmt: skip
REASONS: Final = {
    "overload": "no room",
    "deadline": "it would wait for longer than its caller does",
    "queue": "it would wait for longer than is good",
    "rate": "too many of its operation",
    "customer": "one of them has too much of the room",
}
"""Everything that flow control sheds for."""
FOR_WANT_OF_CAPACITY: Final = ("overload", "deadline", "queue")
"""The reasons by which the order of shedding is judged: the others are about whoever asks."""
LABELS: Final = {
    "reason": "why it was shed: " + ", ".join(f"`{name}` ({why})" for name, why in REASONS.items())
}
