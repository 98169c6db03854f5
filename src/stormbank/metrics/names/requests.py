"""Requests: what every process of the bank answers."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric, HistogramMetric

BUILD: Final = GaugeMetric(
    "bank_build_info", "Constant 1; who this is.", ("service", "version", "zone", "pod")
)
REQUESTS: Final = CounterMetric(
    "bank_requests_total",
    "Requests answered, shed ones too.",
    ("service", "operation", "tier", "cell", "zone", "outcome", "code"),
)
SECONDS: Final = HistogramMetric(
    "bank_request_seconds",
    "Time to answer, of what was done or refused (`good`, `refused`): a failure at once is not quick, and is told by "
    "`bank_requests_total`.",
    ("service", "operation", "tier", "zone"),
    # The bank's own promise is 200 ms, the phones' deadlines are 2 s and 3 s: those are bounds, so that a rule can ask.
    (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 3.0),
)
INFLIGHT: Final = GaugeMetric("bank_inflight", "Requests being answered now.", ("service",))

METRICS: Final = (BUILD, REQUESTS, SECONDS, INFLIGHT)
LABELS: Final = {
    "service": "role of the process, as in `python -m stormbank ROLE`",
    "version": "version of the bank",
    "zone": "zone of the process (`BANK_ZONE`)",
    "pod": "name of the pod (`BANK_POD`)",
    "operation": "what was asked for: login, balance, transfer, ...",
    "tier": "business tier of the operation: A1, A2, B, C",
    "cell": "cell of the customer; `none` while it is unknown (no session, or a request that cannot be understood)",
    "outcome": "what it came to: `good` (2xx), `refused` (4xx: the caller's to change), `shed` (429), `failed` (5xx), "
    "`gone` (the caller left before it was read); of a dependency also `late` (no answer in time) and `unreachable`; "
    "of a guard `ok`, `unavailable`, `timeout`, `bulkhead` (no room) and `breaker` (not asked); "
    "of a ledger's write also `stale` (made under another epoch); of a party also `cut`",
    "code": "HTTP status; 499 for a caller who left",
}
